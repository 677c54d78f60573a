#include "server/wire/openai.h"

#include "base/base64.h"
#include "server/wire/fields.h"
#include "server/wire/response.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "binary vectors are written as they are in memory");

static bool read_format(struct wire_json *json, const char *name, const struct wire_limits *limits, void *target)
{
    struct wire_string word;
    if (!wire_field_string(json, name, limits, &word))
        return false;
    bool base64 = wire_string_is(word, "base64");
    if (!base64 && !wire_string_is(word, "float"))
        return wire_json_fail(json, STATUS_VALIDATION, "`%s`: expected \"float\" or \"base64\"", name);
    *(bool *)target = base64;
    return true;
}

enum status wire_openai_read(struct wire_openai *ret, const char *body, size_t len, const struct wire_limits *limits,
                             const struct wire_embed_defaults *defaults, struct arena *arena, struct error *err)
{
    struct wire_openai request = {.embed = wire_embed_begin(defaults)};
    struct wire_string ignored;
    const struct wire_field fields[] = {
        {"input", wire_field_inputs, &request.embed.inputs, true},
        {"model", wire_field_string, &ignored, false},
        {"user", wire_field_string, &ignored, false},
        {"encoding_format", read_format, &request.base64, false},
        {"dimensions", wire_field_positive, &request.embed.dimensions, false},
    };
    enum status status =
        wire_fields_read(body, len, fields, sizeof fields / sizeof *fields, &request.embed.unknown, limits, arena, err);
    if (status == STATUS_OK)
        *ret = request;
    return status;
}

void wire_write_openai(struct buf *out, const char *model, const float *rows, size_t n, size_t width, size_t keep,
                       bool base64, unsigned long long tokens)
{
    buf_puts(out, "{\"object\":\"list\",\"data\":[");
    for (size_t i = 0; i < n; i++) {
        buf_puts(out, i ? ",{\"object\":\"embedding\",\"embedding\":" : "{\"object\":\"embedding\",\"embedding\":");
        if (base64) {
            buf_append(out, "\"", 1);
            base64_encode(out, rows + i * width, keep * sizeof *rows);
            buf_append(out, "\"", 1);
        } else {
            wire_write_floats(out, rows + i * width, keep);
        }
        buf_printf(out, ",\"index\":%zu}", i);
    }
    buf_puts(out, "],\"model\":");
    wire_write_text(out, model);
    buf_printf(out, ",\"usage\":{\"prompt_tokens\":%llu,\"total_tokens\":%llu}}", tokens, tokens);
}

void wire_write_openai_model(struct buf *out, const char *model)
{
    buf_puts(out, "{\"id\":");
    wire_write_text(out, model);
    buf_puts(out, ",\"object\":\"model\",\"created\":0,\"owned_by\":\"bertd\"}");
}
