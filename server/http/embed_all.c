/* POST /embed_all: the vector of every token, neither pooled nor normalised. */
#include "server/http/endpoints.h"
#include "server/http/requests.h"
#include "server/wire/response.h"

static enum serve_progress start(struct serve_call *call)
{
    return http_start_embedding(call, true);
}

static void encode(struct serve_call *call)
{
    const struct serve_infer *infer = call->infer;
    struct buf *out = &call->reply;
    buf_append(out, "[", 1);
    for (uint32_t i = 0; i < infer->n_inputs; i++) {
        if (i > 0)
            buf_append(out, ",", 1);
        wire_write_rows(out, serve_infer_tokens(infer, i), infer->inputs[i].n_tokens, infer->width, infer->width);
    }
    buf_append(out, "]", 1);
}

const struct http_endpoint http_embed_all = {
    .method = {.start = start, .encode = encode, .value_cost = WIRE_FLOAT_COST}};
