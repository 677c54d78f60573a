/* POST /v2/models/{model}/infer: one vector a text, in the Open Inference Protocol. */
#include "server/http/endpoints.h"
#include "server/http/media.h"
#include "server/http/requests.h"
#include "server/serve/serve.h"
#include "server/wire/v2.h"

/* The bytes of JSON at the beginning of the body. */
static enum status json_length(const struct serve_call *call, size_t *ret, struct error *err)
{
    const char *text = net_exchange_header(http_request_of(call)->net, HTTP_JSON_LENGTH);
    if (!text) {
        *ret = call->request_len;
        return STATUS_OK;
    }
    uint64_t len = 0;
    if (!http_read_number(text, &len))
        return error_set(err, STATUS_VALIDATION, "Inference-Header-Content-Length: expected a number of bytes");
    *ret = len;
    return STATUS_OK;
}

static enum status read(struct serve_call *call, struct wire_v2 **ret, struct error *err)
{
    struct wire_limits limits = http_limits(call);
    struct wire_embed_defaults defaults = http_embed_defaults(call);
    size_t json_len = 0;
    struct wire_v2 *request = arena_alloc(call->arena, sizeof *request);
    if (!request)
        return error_set(err, STATUS_NO_MEMORY, "no memory for the request");
    enum status status = http_check_model(call, err);
    if (status == STATUS_OK)
        status = json_length(call, &json_len, err);
    if (status == STATUS_OK)
        status =
            wire_v2_read(request, call->request, call->request_len, json_len, &limits, &defaults, call->arena, err);
    if (status == STATUS_OK)
        *ret = request;
    return status;
}

static enum serve_progress start(struct serve_call *call)
{
    struct wire_v2 *request = NULL;
    call->status = read(call, &request, &call->err);
    if (call->status != STATUS_OK)
        return SERVE_DONE;
    http_request_of(call)->state = request;
    if (request->timeout_us) /* the protocol's own, besides that of the head */
        serve_call_end_by(call, call->started_ns + request->timeout_us * (uint64_t)1000);
    return http_infer(call, &request->embed, serve_server_options(call->server)->pooling);
}

static void encode(struct serve_call *call)
{
    struct http_request *request = http_request_of(call);
    const struct wire_v2 *asked = request->state;
    struct serve_infer *infer = call->infer;
    request->json_len =
        wire_write_v2(&call->reply, serve_server_options(call->server)->served_model_name, asked->id,
                      serve_infer_rows(infer), infer->n_inputs, infer->width, infer->keep, asked->binary);
    request->as_is = request->json_len > 0; /* there is little to gain with binary vectors */
    if (request->as_is)
        request->content_type = "application/octet-stream";
}

const struct http_endpoint http_v2_infer = {.method = {.start = start, .encode = encode, .value_cost = WIRE_FLOAT_COST},
                                            .any_type = true};
