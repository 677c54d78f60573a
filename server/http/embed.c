/* POST /embed and POST /: one vector a text, pooled as the model says. */
#include "server/http/endpoints.h"
#include "server/http/infer.h"
#include "server/wire/response.h"

static enum status start(struct http_call *call, bool *ret_pending, struct error *err)
{
    const struct http_options *options = &call->server->options;
    struct wire_limits limits = {.max_inputs = options->max_client_batch_size};
    struct wire_embed_defaults defaults = {options->auto_truncate, options->auto_chunk, options->chunk_overlap};
    struct wire_embed *embed = arena_alloc(call->arena, sizeof *embed);
    if (!embed)
        return error_set(err, STATUS_NO_MEMORY, "no memory for the request");
    call->request = embed;
    enum status status = wire_embed_read(embed, call->body, call->body_len, &limits, &defaults, true, call->arena, err);
    if (status != STATUS_OK)
        return status;
    if (embed->dimensions > options->width)
        return error_set(err, STATUS_VALIDATION, "`dimensions`: %u is more than the %u of the model", embed->dimensions,
                         options->width);
    struct http_infer_spec spec = {.inputs = &embed->inputs,
                                   .truncate = embed->truncate,
                                   .chunk = embed->chunk,
                                   .chunk_overlap = embed->chunk_overlap,
                                   .direction = embed->direction,
                                   .prompt_name = embed->prompt_name,
                                   .pooling = options->pooling};
    status = http_infer_start(call, &spec, err);
    *ret_pending = status == STATUS_OK;
    return status;
}

static enum status encode(struct http_call *call, struct error *err)
{
    (void)err;
    const struct wire_embed *embed = call->request;
    struct http_infer *infer = call->infer;
    uint32_t keep = embed->dimensions ? embed->dimensions : infer->width;
    float *rows = http_infer_rows(infer);
    for (uint32_t i = 0; i < infer->n_inputs && embed->normalize; i++)
        http_normalize(rows + (size_t)i * infer->width, keep);
    wire_write_rows(&call->reply.body, rows, infer->n_inputs, infer->width, keep);
    return STATUS_OK;
}

const struct http_endpoint http_embed = {.start = start, .encode = encode};
