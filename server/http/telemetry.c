#include "server/http/telemetry.h"

#include "server/http/exchange.h"
#include "server/serve/serve.h"

/* All that a response may have: those of base/status.h, of OPTIONS, and of files that the client has. */
static const unsigned codes[HTTP_CODES] = {200, 204, 304, 400, 401, 403, 404, 405, 413, 415,
                                           422, 424, 429, 431, 499, 500, 501, 503, 504};

void http_telemetry_count(struct http_telemetry *telemetry, uint32_t route, unsigned code)
{
    for (uint32_t c = 0; c < HTTP_CODES; c++) {
        if (codes[c] == code)
            atomic_fetch_add_explicit(&telemetry->responses[route][c], 1, memory_order_relaxed);
    }
}

/* Those that have been, so that the text is not ten times as long. */
static void write_responses(struct http_telemetry *telemetry, struct buf *out)
{
    static const char name[] = "bertd_http_responses_total";
    metrics_write_head(out, name, "counter", "Responses");
    for (uint32_t r = 0; r < HTTP_ROUTES; r++) {
        for (uint32_t c = 0; c < HTTP_CODES; c++) {
            uint64_t n = atomic_load_explicit(&telemetry->responses[r][c], memory_order_relaxed);
            if (n > 0)
                buf_printf(out, "%s{route=\"%s\",code=\"%u\"} %llu\n", name, http_route_name(r), codes[c],
                           (unsigned long long)n);
        }
    }
}

static void write_limit(struct buf *out, const char *name, const char *help, uint64_t value)
{
    metrics_write_head(out, name, "gauge", help);
    buf_printf(out, "%s %llu\n", name, (unsigned long long)value);
}

static void write_all(void *cookie, struct buf *out)
{
    struct http_server *server = cookie;
    const struct serve_options *serve = serve_server_options(server->serve);
    metrics_write_head(out, "bertd_build_info", "gauge", "1; what runs here");
    buf_printf(out,
               "bertd_build_info{version=\"%s\",libmicrohttpd=\"%s\",compute_type=\"%s\",instruction_set=\"%s\"} 1\n",
               serve->version, net_library_version(), serve->compute_type, serve->instruction_set);
    write_limit(out, "bertd_limit_request_body_bytes", "--payload-limit", server->options.payload_limit);
    write_limit(out, "bertd_limit_connections", "--max-connections", server->options.max_connections);
    write_limit(out, "bertd_limit_idle_seconds", "--idle-timeout-seconds", server->options.idle_timeout_s);
    write_responses(&server->telemetry, out);
}

enum status http_telemetry_init(struct http_server *server, struct error *err)
{
    if (metrics_writer_create(serve_server_options(server->serve)->metrics, write_all, server))
        return error_set(err, STATUS_NO_MEMORY, "no memory for the metrics");
    return STATUS_OK;
}
