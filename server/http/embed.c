/* POST /embed and POST /: one vector a text, pooled as the model says. */
#include "server/http/endpoints.h"
#include "server/http/requests.h"
#include "server/wire/response.h"

static enum serve_progress start(struct serve_call *call)
{
    return http_start_embedding(call, false);
}

static void encode(struct serve_call *call)
{
    struct serve_infer *infer = call->infer;
    wire_write_rows(&call->reply, serve_infer_rows(infer), infer->n_inputs, infer->width, infer->keep);
}

const struct http_endpoint http_embed = {.method = {.start = start, .encode = encode, .value_cost = WIRE_FLOAT_COST}};
