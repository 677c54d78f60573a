#include "server/http/requests.h"

#include <stdio.h>
#include <string.h>

#include "server/http/endpoints.h"
#include "server/serve/log_fields.h"
#include "server/serve/serve.h"

enum status http_map_inputs(const struct serve_call *call, const struct wire_inputs *inputs, struct serve_inputs *ret,
                            struct error *err)
{
    struct serve_input *items = arena_alloc_array(call->arena, inputs->n, sizeof *items, _Alignof(struct serve_input));
    if (!items)
        return error_set(err, STATUS_NO_MEMORY, "no memory for the inputs");
    for (uint32_t i = 0; i < inputs->n; i++) {
        const struct wire_input *input = &inputs->items[i];
        items[i] = (struct serve_input){http_map_string(input->text), input->ids, input->n_ids};
    }
    *ret = (struct serve_inputs){items, inputs->n, inputs->single};
    return STATUS_OK;
}

void http_note_unknown(struct serve_call *call, const struct wire_unknown *unknown)
{
    enum { LONGEST_NAME = 40 };
    char names[WIRE_UNKNOWN_NAMES * (LONGEST_NAME + 2)] = "";
    int len = 0;
    call->unknown_fields = unknown->n;
    if (unknown->n == 0 || !log_enabled(LOG_DEBUG))
        return;
    for (uint32_t i = 0; i < unknown->n && i < WIRE_UNKNOWN_NAMES; i++) {
        struct wire_string name = unknown->names[i];
        int shown = name.len < LONGEST_NAME ? (int)name.len : LONGEST_NAME;
        len += snprintf(names + len, sizeof names - (size_t)len, "%s%.*s", i ? ", " : "", shown, name.bytes);
    }
    struct serve_call_words words;
    struct log_field fields[SERVE_CALL_FIELDS + 4] = {
        log_str("request_id", call->id), log_int("fields", unknown->n), log_str("names", names), {NULL, LOG_END, {0}}};
    serve_add_call_fields(fields, call, &words);
    log_write(LOG_DEBUG, "unknown fields of a request ignored", fields);
}

struct wire_limits http_limits(const struct serve_call *call)
{
    return (struct wire_limits){.max_inputs = serve_server_options(call->server)->max_client_batch_size};
}

struct wire_embed_defaults http_embed_defaults(const struct serve_call *call)
{
    const struct serve_options *options = serve_server_options(call->server);
    return (struct wire_embed_defaults){options->auto_truncate, options->auto_chunk, options->chunk_overlap};
}

enum serve_progress http_infer(struct serve_call *call, const struct wire_embed *embed, enum batch_pooling pooling)
{
    http_note_unknown(call, &embed->unknown);
    struct serve_infer_spec spec = {.truncate = embed->truncate,
                                    .chunk = embed->chunk,
                                    .chunk_overlap = embed->chunk_overlap,
                                    .direction = embed->direction,
                                    .prompt_name = http_map_string(embed->prompt_name),
                                    .pooling = pooling,
                                    .dimensions = embed->dimensions,
                                    .normalize = embed->normalize};
    call->status = http_map_inputs(call, &embed->inputs, &spec.inputs, &call->err);
    return call->status == STATUS_OK ? serve_infer_start(call, &spec) : SERVE_DONE;
}

enum serve_progress http_start_embedding(struct serve_call *call, bool tokens)
{
    struct wire_limits limits = http_limits(call);
    struct wire_embed_defaults defaults = http_embed_defaults(call);
    struct wire_embed embed;
    call->status =
        wire_embed_read(&embed, call->request, call->request_len, &limits, &defaults, !tokens, call->arena, &call->err);
    if (call->status != STATUS_OK)
        return SERVE_DONE;
    return http_infer(call, &embed, tokens ? BATCH_POOL_NONE : serve_server_options(call->server)->pooling);
}

static bool is_name(struct serve_string name, const char *known)
{
    return name.len == strlen(known) && memcmp(name.bytes, known, name.len) == 0;
}

enum status http_check_model(const struct serve_call *call, struct error *err)
{
    const struct serve_options *options = serve_server_options(call->server);
    struct serve_string model = http_request_of(call)->parts[0], version = http_request_of(call)->parts[1];
    if (!is_name(model, options->served_model_name) && !is_name(model, options->model_id))
        return error_set(err, STATUS_NOT_FOUND, "the model is not served here; this one is: %.200s",
                         options->served_model_name);
    if (version.bytes && !is_name(version, "1"))
        return error_set(err, STATUS_NOT_FOUND, "the model has one version, 1");
    return STATUS_OK;
}
