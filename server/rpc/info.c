/* tei.v1.Info/Info: the model and the limits. */
#include "server/rpc/services.h"
#include "server/serve/serve.h"
#include "tei.pb-c.h"

static enum serve_progress start(struct serve_call *call, const ProtobufCMessage *request)
{
    (void)request;
    const struct serve_options *options = serve_server_options(call->server);
    Tei__V1__InfoResponse response = TEI__V1__INFO_RESPONSE__INIT;
    response.version = (char *)(uintptr_t)options->version;
    response.model_id = (char *)(uintptr_t)options->model_id;
    response.model_dtype = (char *)(uintptr_t)options->model_dtype;
    response.model_type = TEI__V1__MODEL_TYPE__MODEL_TYPE_EMBEDDING;
    response.max_concurrent_requests = options->max_concurrent_requests;
    response.max_input_length = options->max_input_length;
    response.max_batch_tokens = options->max_batch_tokens;
    if (options->max_batch_requests) {
        response.has_max_batch_requests_case = TEI__V1__INFO_RESPONSE__HAS_MAX_BATCH_REQUESTS_MAX_BATCH_REQUESTS;
        response.max_batch_requests = options->max_batch_requests;
    }
    response.max_client_batch_size = options->max_client_batch_size;
    response.tokenization_workers = options->workers;
    rpc_calls_reply(call, &response.base);
    return SERVE_DONE;
}

const struct rpc_action rpc_info = {.start = start, .immediate = true};
