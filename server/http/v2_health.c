/* GET /v2/health/live, /v2/health/ready and /v2/models/{model}/ready of the Open Inference Protocol. */
#include "server/http/endpoints.h"
#include "server/http/requests.h"
#include "server/serve/serve.h"

static enum serve_progress live(struct serve_call *call)
{
    buf_puts(&call->reply, "{\"live\":true}");
    return SERVE_DONE;
}

static enum serve_progress ready(struct serve_call *call)
{
    call->status = serve_server_check(call->server, &call->err);
    buf_puts(&call->reply, "{\"ready\":true}");
    return SERVE_DONE;
}

static enum serve_progress model_ready(struct serve_call *call)
{
    call->status = http_check_model(call, &call->err);
    if (call->status == STATUS_OK)
        call->status = serve_server_check(call->server, &call->err);
    buf_puts(&call->reply, "{\"name\":");
    wire_write_text(&call->reply, serve_server_options(call->server)->served_model_name);
    buf_puts(&call->reply, ",\"ready\":true}");
    return SERVE_DONE;
}

const struct http_endpoint http_v2_live = {.method = {.start = live, .immediate = true}, .public = true};
const struct http_endpoint http_v2_ready = {.method = {.start = ready, .immediate = true}, .public = true};
const struct http_endpoint http_v2_model_ready = {.method = {.start = model_ready, .immediate = true}};
