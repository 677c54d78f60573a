/* POST /similarity: how near each sentence is to a source, as the cosine of their vectors. */
#include "server/http/endpoints.h"
#include "server/http/requests.h"
#include "server/serve/serve.h"

static enum serve_progress start(struct serve_call *call)
{
    struct wire_limits limits = http_limits(call);
    struct wire_embed_defaults defaults = http_embed_defaults(call);
    struct wire_embed embed;
    call->status =
        wire_similarity_read(&embed, call->request, call->request_len, &limits, &defaults, call->arena, &call->err);
    if (call->status != STATUS_OK)
        return SERVE_DONE;
    return http_infer(call, &embed, serve_server_options(call->server)->pooling);
}

static void encode(struct serve_call *call)
{
    uint32_t n = call->infer->n_inputs - 1;
    float *similarities = arena_alloc_array(call->arena, n, sizeof *similarities, sizeof *similarities);
    if (!similarities) {
        call->reply.failed = true;
        return;
    }
    serve_infer_similarities(call->infer, similarities);
    wire_write_floats(&call->reply, similarities, n);
}

const struct http_endpoint http_similarity = {
    .method = {.start = start, .encode = encode, .value_cost = WIRE_FLOAT_COST}};
