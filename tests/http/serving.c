#include "tests/http/serving.h"

#include <unistd.h>

enum { CORES = 2 };

enum status serving_start(struct serving *serving, struct serve_server *serve, const struct http_options *options,
                          struct error *err)
{
    struct net_listener listener = {.side = NET_PUBLIC};
    *serving = (struct serving){.serve = serve};
    enum status status = net_listen(&listener.fd, &serving->port, "127.0.0.1", 0, err);
    if (status != STATUS_OK)
        return status;
    status = http_server_create(&serving->http, serve, options, err);
    if (status != STATUS_OK) {
        close(listener.fd);
        return status;
    }
    http_server_handler(serving->http, &serving->handler);
    const struct net_options net = {.handlers = &serving->handler,
                                    .n_handlers = 1,
                                    .max_connections = options->max_connections,
                                    .idle_timeout_s = options->idle_timeout_s,
                                    .cores = CORES,
                                    .write_refusal = http_write_refusal,
                                    .spare_body = http_spare_body,
                                    .discard_limit = options->payload_limit + (16 << 20),
                                    .max_streams = 100};
    status = net_server_create(&serving->net, &net, &listener, 1, err);
    if (status != STATUS_OK) {
        close(listener.fd);
        http_server_destroy(&serving->http);
    }
    return status;
}

void serving_stop(struct serving *serving)
{
    if (serving->net) {
        net_server_quiesce(serving->net);
        serve_server_close(serving->serve, true);
    }
    net_server_destroy(&serving->net);
    http_server_destroy(&serving->http);
}
