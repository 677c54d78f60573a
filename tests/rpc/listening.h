/* All surfaces over the request core of emu_server.h, at a free port of loopback. */
#ifndef TESTS_RPC_LISTENING_H
#define TESTS_RPC_LISTENING_H

#include "server/http/http.h"
#include "server/net/net.h"
#include "server/rpc/rpc.h"
#include "tests/rpc/emu_server.h"

enum { PAYLOAD_LIMIT = 100000 };

static struct net_handler handlers[2];
static struct net_server *net;
static struct rpc_server *rpc;
static struct http_server *http;
static uint16_t port;

/* `has_admin`: as if there were an admin listener. */
static inline void listen_to_all(bool has_admin)
{
    struct error err;
    struct net_listener listener = {.side = NET_PUBLIC};
    struct rpc_options calls = {.payload_limit = PAYLOAD_LIMIT, .has_admin = has_admin};
    calls.services = rpc_services(&calls.n_services);
    const struct http_options rest = {.payload_limit = PAYLOAD_LIMIT, .max_connections = 20, .idle_timeout_s = 60};
    cr_assert_eq(net_listen(&listener.fd, &port, "127.0.0.1", 0, &err), STATUS_OK, "%s", err.message);
    cr_assert_eq(rpc_server_create(&rpc, server, &calls, &err), STATUS_OK, "%s", err.message);
    cr_assert_eq(http_server_create(&http, server, &rest, &err), STATUS_OK, "%s", err.message);
    rpc_server_handler(rpc, &handlers[0]);
    http_server_handler(http, &handlers[1]);
    const struct net_options options = {.handlers = handlers,
                                        .n_handlers = 2,
                                        .max_connections = 20,
                                        .idle_timeout_s = 60,
                                        .cores = 2,
                                        .write_refusal = http_write_refusal,
                                        .spare_body = http_spare_body,
                                        .discard_limit = 1 << 20,
                                        .max_streams = 100};
    cr_assert_eq(net_server_create(&net, &options, &listener, 1, &err), STATUS_OK, "%s", err.message);
}

static inline void close_listening(void)
{
    net_server_quiesce(net);
    serve_server_close(server, true);
    net_server_destroy(&net);
    rpc_server_destroy(&rpc);
    http_server_destroy(&http);
}

#endif
