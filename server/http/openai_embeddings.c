/* POST /v1/embeddings and /embeddings: one vector a text, in the form of OpenAI's API. Whatever model is named, the one
 * that is served answers, as with text-embeddings-inference. */
#include "server/http/endpoints.h"
#include "server/http/requests.h"
#include "server/serve/serve.h"
#include "server/wire/openai.h"

static enum serve_progress start(struct serve_call *call)
{
    struct wire_limits limits = http_limits(call);
    struct wire_embed_defaults defaults = http_embed_defaults(call);
    struct wire_openai *request = arena_alloc(call->arena, sizeof *request);
    if (!request) {
        serve_call_fail(call, STATUS_NO_MEMORY, "no memory for the request");
        return SERVE_DONE;
    }
    http_request_of(call)->state = request;
    call->status =
        wire_openai_read(request, call->request, call->request_len, &limits, &defaults, call->arena, &call->err);
    if (call->status != STATUS_OK)
        return SERVE_DONE;
    return http_infer(call, &request->embed, serve_server_options(call->server)->pooling);
}

static void encode(struct serve_call *call)
{
    const struct wire_openai *request = http_request_of(call)->state;
    struct serve_infer *infer = call->infer;
    wire_write_openai(&call->reply, serve_server_options(call->server)->served_model_name, serve_infer_rows(infer),
                      infer->n_inputs, infer->width, infer->keep, request->base64, infer->tokens);
}

const struct http_endpoint http_openai_embeddings = {
    .method = {.start = start, .encode = encode, .value_cost = WIRE_FLOAT_COST}};
