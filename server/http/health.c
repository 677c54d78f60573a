/* GET /health, /ping and /: 200 without a body when requests are served, else 503 with the reason. */
#include "server/http/endpoints.h"
#include "server/serve/serve.h"

static enum serve_progress start(struct serve_call *call)
{
    call->status = serve_server_check(call->server, &call->err);
    return SERVE_DONE;
}

const struct http_endpoint http_health = {.method = {.start = start, .immediate = true}, .public = true};
