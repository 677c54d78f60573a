/* What is kept of an answer: its code, counts, and lines in the log. */
#include "base/clock.h"
#include "base/log.h"
#include "server/http/exchange.h"
#include "server/http/refusals.h"

unsigned http_exchange_code(const struct http_exchange *exchange)
{
    if (exchange->call.status != STATUS_OK)
        return (unsigned)status_http(exchange->call.status);
    if (!exchange->endpoint)
        return 204; /* of OPTIONS */
    return exchange->request.code ? exchange->request.code : 200;
}

static void log_answered(const struct http_exchange *exchange, const char *route, size_t len)
{
    log_debug("answered", log_str("request_id", exchange->id), log_str("route", route),
              log_str("method", net_exchange_method(exchange->net)), log_int("code", http_exchange_code(exchange)),
              log_int("bytes", (int64_t)len),
              log_int("microseconds", (int64_t)((clock_now_ns() - exchange->call.started_ns) / 1000)));
}

/* A probe of health that fails is refused nothing. */
static bool is_refused(const struct http_exchange *exchange)
{
    return exchange->call.status != STATUS_OK && exchange->endpoint != &http_health;
}

void http_exchange_record(struct http_exchange *exchange, size_t len)
{
    const struct serve_call *call = &exchange->call;
    const char *route = http_route_name(exchange->route);
    char client[NET_ADDRESS_SIZE];
    http_telemetry_count(&exchange->server->telemetry, exchange->route, http_exchange_code(exchange));
    if (log_enabled(LOG_DEBUG))
        log_answered(exchange, route, len);
    if (!is_refused(exchange))
        return;
    net_exchange_address_text(exchange->net, client);
    if (call->status == STATUS_BACKEND || call->status == STATUS_INTERNAL)
        log_error("a request failed", log_str("request_id", exchange->id), log_str("route", route),
                  log_str("client", client), log_str("status", status_name(call->status)),
                  log_str("error", call->err.message));
    else
        http_log_refusal(&(struct http_refusal){exchange->id, route, client, call->status, call->err.message,
                                                http_exchange_code(exchange)});
}
