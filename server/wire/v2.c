#include "server/wire/v2.h"

#include "server/wire/fields.h"
#include "server/wire/response.h"
#include "server/wire/tensor.h"

struct reading {
    struct wire_v2 request;
    struct wire_tensors tensors;
    bool has_output;
};

static bool refuse(struct wire_json *json, const char *name, const struct wire_limits *limits, void *target)
{
    (void)limits;
    (void)target;
    return wire_json_fail(json, STATUS_VALIDATION, "`%s` is not supported", name);
}

/* The one output may be asked for by name. */
static bool read_output(struct wire_json *json, const struct wire_limits *limits, struct reading *reading)
{
    struct wire_string name = {0};
    bool binary = reading->request.binary;
    const struct wire_field parameters[] = {
        {"binary_data", wire_field_bool, &binary, false},
        {"classification", refuse, NULL, false},
        {"shared_memory_region", refuse, NULL, false},
    };
    struct wire_unknown *unknown = &reading->request.embed.unknown;
    const struct wire_field fields[] = {
        {"name", wire_field_string, &name, true},
        {"parameters", wire_field_object, &(struct wire_object){parameters, 3, unknown}, false},
    };
    if (!wire_field_object(json, "outputs", limits, &(struct wire_object){fields, 2, unknown}))
        return false;
    if (!wire_string_is(name, WIRE_V2_EMBEDDING))
        return wire_json_fail(json, STATUS_VALIDATION, "`outputs`: the model has one, \"" WIRE_V2_EMBEDDING "\"");
    if (reading->has_output)
        return wire_json_fail(json, STATUS_VALIDATION, "`outputs`: \"" WIRE_V2_EMBEDDING "\" is given twice");
    reading->has_output = true;
    reading->request.binary = binary;
    return true;
}

static bool read_outputs(struct wire_json *json, const char *name, const struct wire_limits *limits, void *target)
{
    if (!wire_json_enter_array(json))
        return wire_json_expected(json, name, "an array");
    while (wire_json_next_item(json)) {
        if (!read_output(json, limits, target))
            return false;
    }
    return json->status == STATUS_OK;
}

/* `outputs` is read after `parameters`, whose binary_data_output is what an output without its own word gets. */
static enum status read_json(struct reading *reading, const char *body, size_t len, const struct wire_limits *limits,
                             struct arena *arena, struct error *err)
{
    struct wire_v2 *request = &reading->request;
    struct wire_json outputs = {0};
    struct wire_field parameters[WIRE_EMBED_OPTIONS + 2] = {
        {"binary_data_output", wire_field_bool, &request->binary, false},
        {"timeout", wire_field_count, &request->timeout_us, false},
    };
    wire_embed_options(&request->embed, parameters + 2);
    struct wire_object options = {parameters, WIRE_EMBED_OPTIONS + 2, &request->embed.unknown};
    const struct wire_field fields[] = {
        {"id", wire_field_string, &request->id, false},
        {"parameters", wire_field_object, &options, false},
        {"inputs", wire_tensors_read, &reading->tensors, true},
        {"outputs", wire_field_later, &outputs, false},
    };
    enum status status = wire_fields_read(body, len, fields, sizeof fields / sizeof *fields, &request->embed.unknown,
                                          limits, arena, err);
    if (status == STATUS_OK && outputs.start && !read_outputs(&outputs, "`outputs`", limits, reading))
        status = outputs.status;
    return status;
}

enum status wire_v2_read(struct wire_v2 *ret, const char *body, size_t len, size_t json_len,
                         const struct wire_limits *limits, const struct wire_embed_defaults *defaults,
                         struct arena *arena, struct error *err)
{
    if (json_len > len)
        return error_set(err, STATUS_VALIDATION,
                         "Inference-Header-Content-Length is more than the %zu bytes of the body", len);
    struct reading reading = {.request.embed = wire_embed_begin(defaults),
                              .tensors.binary = body + json_len,
                              .tensors.binary_len = len - json_len};
    reading.tensors.unknown = &reading.request.embed.unknown;
    enum status status = read_json(&reading, body, json_len, limits, arena, err);
    if (status == STATUS_OK)
        status = wire_tensors_inputs(&reading.tensors, &reading.request.embed.inputs, limits, arena, err);
    if (status == STATUS_OK)
        *ret = reading.request;
    return status;
}

size_t wire_write_v2(struct buf *out, const char *model, struct wire_string id, const float *rows, size_t n,
                     size_t width, size_t keep, bool binary)
{
    size_t before = out->len;
    buf_puts(out, "{\"model_name\":");
    wire_write_text(out, model);
    buf_puts(out, ",\"model_version\":\"1\"");
    if (id.bytes) {
        buf_puts(out, ",\"id\":");
        wire_write_string(out, id.bytes, id.len);
    }
    buf_printf(out, ",\"outputs\":[{\"name\":\"" WIRE_V2_EMBEDDING "\",\"datatype\":\"FP32\",\"shape\":[%zu,%zu],", n,
               keep);
    if (!binary) {
        buf_puts(out, "\"data\":");
        wire_write_flat(out, rows, n, width, keep);
        buf_puts(out, "}]}");
        return 0;
    }
    buf_printf(out, "\"parameters\":{\"binary_data_size\":%zu}}]}", n * keep * sizeof *rows);
    size_t json_len = out->len - before;
    for (size_t i = 0; i < n; i++)
        buf_append(out, rows + i * width, keep * sizeof *rows);
    return json_len;
}
