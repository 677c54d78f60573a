/* GET /health, /ping and /: 200 without a body when requests are served, else 503 with the reason. */
#include "server/http/endpoints.h"
#include "server/http/server.h"

bool http_server_healthy(struct http_server *server)
{
    struct batch_stats stats;
    batch_get_stats(server->options.batch, &stats);
    return !atomic_load(&server->draining) && stats.boards_ready > 0;
}

static enum status start(struct http_call *call, bool *ret_pending, struct error *err)
{
    (void)ret_pending;
    if (http_server_healthy(call->server))
        return STATUS_OK;
    if (atomic_load(&call->server->draining))
        return error_set(err, STATUS_UNHEALTHY, "the server is shutting down");
    return error_set(err, STATUS_UNHEALTHY, "no board is ready");
}

const struct http_endpoint http_health = {.start = start, .open = true, .light = true};
