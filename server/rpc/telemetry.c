#include "server/rpc/telemetry.h"

#include "base/mem.h"
#include "server/metrics/metrics.h"
#include "server/rpc/protocol.h"
#include "server/serve/refusals.h"
#include "server/serve/request_id.h"
#include "server/serve/serve.h"

/* The place of a method, counted through all services; the one behind the last: none. */
static uint32_t place_of(const struct rpc_options *options, const struct rpc_method *method)
{
    uint32_t place = 0;
    for (uint32_t s = 0; s < options->n_services; s++) {
        const struct rpc_service *service = &options->services[s];
        for (uint32_t m = 0; m < service->n_methods; m++, place++) {
            if (&service->methods[m] == method)
                return place;
        }
    }
    return place;
}

static void write_method(const struct rpc_telemetry *telemetry, struct buf *out, uint32_t place, const char *service,
                         const char *method)
{
    for (rpc_code code = 0; code < RPC_CODES; code++) {
        uint64_t n = atomic_load_explicit(&telemetry->ended[place][code], memory_order_relaxed);
        if (n > 0)
            buf_printf(out, "bertd_rpc_ended_total{method=\"%s%s%s\",code=\"%s\"} %llu\n", service, *method ? "/" : "",
                       method, rpc_code_name(code), (unsigned long long)n);
    }
}

/* Those that have been, so that the text is not ten times as long. */
static void write_all(void *cookie, struct buf *out)
{
    const struct rpc_server *server = cookie;
    uint32_t place = 0;
    metrics_write_head(out, "bertd_rpc_ended_total", "counter", "Remote procedure calls that ended");
    for (uint32_t s = 0; s < server->options.n_services; s++) {
        const struct rpc_service *service = &server->options.services[s];
        for (uint32_t m = 0; m < service->n_methods; m++, place++)
            write_method(&server->telemetry, out, place, service->name, service->methods[m].name);
    }
    write_method(&server->telemetry, out, place, "other", "");
}

enum status rpc_telemetry_init(struct rpc_server *server, struct error *err)
{
    uint32_t places = place_of(&server->options, NULL) + 1;
    server->telemetry.ended = mem_calloc(places, sizeof *server->telemetry.ended);
    if (!server->telemetry.ended ||
        (server->serve && metrics_writer_create(serve_server_options(server->serve)->metrics, write_all, server) != 0))
        return error_set(err, STATUS_NO_MEMORY, "no memory for the metrics");
    return STATUS_OK;
}

void rpc_telemetry_finish(struct rpc_server *server)
{
    mem_free(server->telemetry.ended);
}

void rpc_telemetry_count(struct rpc_stream *stream, rpc_code code)
{
    const struct rpc_server *server = stream->server;
    uint32_t place = place_of(&server->options, stream->method);
    if (code < RPC_CODES)
        atomic_fetch_add_explicit(&server->telemetry.ended[place][code], 1, memory_order_relaxed);
}

/* Of the statuses with this code, the one that is named first, but for codes whose first says too much. */
static enum status status_of(rpc_code code)
{
    int s = 1;
    if (code == RPC_INVALID_ARGUMENT)
        return STATUS_MALFORMED;
    if (code == RPC_UNIMPLEMENTED)
        return STATUS_UNIMPLEMENTED;
    while (s < STATUS_COUNT - 1 && (rpc_code)status_grpc((enum status)s) != code)
        s++;
    return (enum status)s;
}

void rpc_telemetry_refused(struct rpc_stream *stream, rpc_code code, const char *message)
{
    char client[NET_ADDRESS_SIZE], id[SERVE_ID_SIZE];
    net_exchange_address_text(stream->exchange, client);
    serve_request_id(id, net_exchange_header(stream->exchange, "x-request-id"));
    serve_log_refusal(&(struct serve_refusal){.id = id,
                                              .route = stream->method ? net_exchange_path(stream->exchange) : "other",
                                              .client = client,
                                              .status = status_of(code),
                                              .reason = message,
                                              .code = code});
}
