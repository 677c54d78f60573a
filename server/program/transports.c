/* Addresses, and what answers there. */
#include <unistd.h>

#include "base/log.h"
#include "server/metrics/metrics.h"
#include "server/net/tls.h"
#include "server/program/program.h"

/* Of a body that was refused, beyond the limit of one that is not: read past, to keep the connection. */
enum { DISCARD_MARGIN = 16 << 20 };

static void add(struct program *program, int fd, enum net_side side)
{
    program->listeners[program->n_listeners++] = (struct net_listener){.fd = fd, .side = side};
}

/* The files are read before the model: what is wrong with them is told at once. */
static enum status read_tls(struct program *program, struct error *err)
{
    const struct config *config = &program->config;
    if (!config->tls_cert)
        return STATUS_OK;
    const struct net_tls_options options = {
        .cert_file = config->tls_cert, .key_file = config->tls_key, .client_ca_file = config->tls_client_ca};
    return net_tls_create(&program->tls, &options, err);
}

enum status program_listen(struct program *program, struct error *err)
{
    const struct config *config = &program->config;
    int fd = -1;
    enum status status = read_tls(program, err);
    if (status != STATUS_OK)
        return status;
    status = program_take_sockets(program, err);
    if (status != STATUS_OK)
        return status;
    if (program->n_listeners == 0) {
        status = net_listen(&fd, &program->port, config->hostname, (uint16_t)config->port, err);
        if (status != STATUS_OK)
            return error_prefix(err, status, "--hostname, --port: ");
        add(program, fd, NET_PUBLIC);
    }
    if (config->admin_port != CONFIG_NONE) {
        status = net_listen(&fd, &program->admin_port, config->admin_hostname, (uint16_t)config->admin_port, err);
        if (status != STATUS_OK)
            return error_prefix(err, status, "--admin-hostname, --admin-port: ");
        add(program, fd, NET_ADMIN);
    }
    if (config->unix_socket) {
        status = net_listen_unix(&fd, config->unix_socket, err);
        if (status != STATUS_OK)
            return error_prefix(err, status, "--unix-socket: ");
        add(program, fd, program->tls ? NET_LOCAL : NET_PUBLIC);
    }
    return STATUS_OK;
}

static void write_connections(void *cookie, struct buf *out)
{
    const struct program *program = cookie;
    struct net_stats stats;
    if (!program->net)
        return; /* not yet, or no longer */
    net_server_get_stats(program->net, &stats);
    metrics_write_head(out, "bertd_connections", "gauge", "Open connections");
    buf_printf(out, "bertd_connections{http=\"1.1\"} %u\nbertd_connections{http=\"2\"} %u\n", stats.connections_h1,
               stats.connections_h2);
    metrics_write_head(out, "bertd_streams", "gauge", "Open streams of HTTP/2");
    buf_printf(out, "bertd_streams %u\n", stats.streams);
    metrics_write_head(out, "bertd_connections_taken_total", "counter", "Connections that were taken");
    buf_printf(out, "bertd_connections_taken_total %llu\n", (unsigned long long)stats.taken);
    metrics_write_head(out, "bertd_connections_refused_total", "counter", "Connections closed at once, over a limit");
    buf_printf(out, "bertd_connections_refused_total %llu\n", (unsigned long long)stats.refused);
}

static double log_lines_dropped(void *unused)
{
    (void)unused;
    return (double)log_dropped();
}

static double certificate_expires(void *cookie)
{
    return (double)net_tls_expires(cookie);
}

static int make_metrics(struct program *program)
{
    static const struct metrics_name dropped = {"bertd_log_lines_dropped_total", NULL,
                                                "Lines of the log that stderr did not take fast enough"};
    static const struct metrics_name expires = {"bertd_tls_certificate_expires_seconds", NULL,
                                                "When the first certificate of the chain ends, since 1970"};
    int failed = metrics_writer_create(program->metrics, write_connections, program) |
                 metrics_gauge_create(program->metrics, dropped, log_lines_dropped, NULL, 1);
    if (program->tls)
        failed |= metrics_gauge_create(program->metrics, expires, certificate_expires, program->tls, 0);
    return failed;
}

enum status program_start_transports(struct program *program, struct error *err)
{
    const struct config *config = &program->config;
    struct http_options http = {
        .payload_limit = config->payload_limit,
        .max_connections = (uint32_t)config->max_connections,
        .idle_timeout_s = (uint32_t)config->idle_timeout,
        .has_admin = program->admin_port != 0,
    };
    if (make_metrics(program) != 0)
        return error_set(err, STATUS_NO_MEMORY, "no memory for the metrics");
    enum status status = http_server_create(&program->http, program->serve, &http, err);
    if (status != STATUS_OK)
        return status;
    struct rpc_options rpc = {.payload_limit = config->payload_limit, .has_admin = program->admin_port != 0};
    rpc.services = rpc_services(&rpc.n_services);
    status = rpc_server_create(&program->rpc, program->serve, &rpc, err);
    if (status != STATUS_OK)
        return status;
    rpc_server_handler(program->rpc, &program->handlers[0]);
    http_server_handler(program->http, &program->handlers[1]);
    struct net_options net = {
        .handlers = program->handlers,
        .n_handlers = PROGRAM_HANDLERS,
        .max_connections = (uint32_t)config->max_connections,
        .max_connections_per_ip = (uint32_t)config->max_connections_per_ip,
        .idle_timeout_s = (uint32_t)config->idle_timeout,
        .cors_allow_origin = config->cors_allow_origin,
        .cores = program->cores,
        .write_refusal = http_write_refusal,
        .spare_body = http_spare_body,
        .discard_limit = config->payload_limit + DISCARD_MARGIN,
        .max_streams = (uint32_t)config->max_streams,
        .keepalive_s = (uint32_t)config->keepalive,
        .max_age_s = (uint32_t)config->max_age,
        .tls = program->tls,
    };
    return net_server_create(&program->net, &net, program->listeners, program->n_listeners, err);
}

void program_stop_transports(struct program *program)
{
    if (program->net) {
        net_server_quiesce(program->net);
        serve_server_close(program->serve, true); /* every answer is given, now that the work is cancelled */
    } else {
        for (uint32_t i = 0; i < program->n_listeners; i++)
            close(program->listeners[i].fd);
    }
    net_server_destroy(&program->net);
    rpc_server_destroy(&program->rpc);
    http_server_destroy(&program->http);
    net_tls_destroy(&program->tls);
}
