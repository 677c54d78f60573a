/* POST /embed_all: the vector of every token, neither pooled nor normalised. */
#include "server/http/endpoints.h"
#include "server/http/infer.h"
#include "server/wire/response.h"

static enum status start(struct http_call *call, bool *ret_pending, struct error *err)
{
    const struct http_options *options = &call->server->options;
    struct wire_limits limits = {.max_inputs = options->max_client_batch_size};
    struct wire_embed_defaults defaults = {options->auto_truncate, options->auto_chunk, options->chunk_overlap};
    struct wire_embed embed;
    enum status status =
        wire_embed_read(&embed, call->body, call->body_len, &limits, &defaults, false, call->arena, err);
    if (status != STATUS_OK)
        return status;
    struct http_infer_spec spec = {.inputs = &embed.inputs,
                                   .truncate = embed.truncate,
                                   .chunk = embed.chunk,
                                   .chunk_overlap = embed.chunk_overlap,
                                   .direction = embed.direction,
                                   .prompt_name = embed.prompt_name,
                                   .pooling = BATCH_POOL_NONE};
    status = http_infer_start(call, &spec, err);
    *ret_pending = status == STATUS_OK;
    return status;
}

static enum status encode(struct http_call *call, struct error *err)
{
    (void)err;
    const struct http_infer *infer = call->infer;
    struct buf *out = &call->reply.body;
    buf_append(out, "[", 1);
    for (uint32_t i = 0; i < infer->n_inputs; i++) {
        if (i > 0)
            buf_append(out, ",", 1);
        wire_write_rows(out, http_infer_tokens(infer, i), infer->inputs[i].n_tokens, infer->width, infer->width);
    }
    buf_append(out, "]", 1);
    return STATUS_OK;
}

const struct http_endpoint http_embed_all = {.start = start, .encode = encode};
