/* GET /v1/models and /v1/models/{model}: the one model, as OpenAI's API lists models. */
#include "server/http/endpoints.h"
#include "server/http/requests.h"
#include "server/serve/serve.h"
#include "server/wire/openai.h"

static enum serve_progress list(struct serve_call *call)
{
    buf_puts(&call->reply, "{\"object\":\"list\",\"data\":[");
    wire_write_openai_model(&call->reply, serve_server_options(call->server)->served_model_name);
    buf_puts(&call->reply, "]}");
    return SERVE_DONE;
}

static enum serve_progress one(struct serve_call *call)
{
    call->status = http_check_model(call, &call->err);
    if (call->status == STATUS_OK)
        wire_write_openai_model(&call->reply, serve_server_options(call->server)->served_model_name);
    return SERVE_DONE;
}

const struct http_endpoint http_openai_models = {.method = {.start = list, .immediate = true}};
const struct http_endpoint http_openai_model = {.method = {.start = one, .immediate = true}};
