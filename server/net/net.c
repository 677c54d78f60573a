#include "server/net/net.h"

#include "base/log.h"
#include "base/mem.h"
#include "server/net/doorman.h"
#include "server/net/h2.h"
#include "server/net/server.h"

static void warn_of_library(void)
{
    if (net_library_version()[0] == '0')
        log_warn("libmicrohttpd is older than 1.0: some malformed requests are answered late or not at all; do not put "
                 "this server behind a proxy that shares connections",
                 log_str("version", net_library_version()));
}

enum status net_server_create(struct net_server **ret, const struct net_options *options,
                              const struct net_listener *listeners, uint32_t n_listeners, struct error *err)
{
    bool sides[NET_SIDES] = {false};
    for (uint32_t i = 0; i < n_listeners; i++)
        sides[listeners[i].side] = true;
    struct net_server *server = mem_calloc(1, sizeof *server);
    if (!server)
        return error_set(err, STATUS_NO_MEMORY, "no memory for the HTTP server");
    server->options = *options;
    net_visitors_init(&server->visitors, options->max_connections_per_ip);
    warn_of_library();
    enum status status = h1_start(server, sides, err);
    if (status != STATUS_OK) {
        net_visitors_finish(&server->visitors);
        mem_free(server);
        return status;
    }
    status = h2_start(server, err);
    if (status == STATUS_OK) {
        *ret = server; /* before requests come: they may ask for its figures */
        status = doorman_start(server, listeners, n_listeners, err);
    }
    if (status != STATUS_OK) {
        net_server_destroy(&server);
        *ret = NULL;
    }
    return status;
}

void net_server_drain(struct net_server *server)
{
    atomic_store(&server->draining, true);
    h2_drain(server);
}

void net_server_quiesce(struct net_server *server)
{
    net_server_drain(server);
    doorman_quiesce(server);
}

uint32_t net_server_active(struct net_server *server)
{
    return atomic_load(&server->active);
}

uint32_t net_server_newcomers(struct net_server *server, bool silent)
{
    uint32_t guests = doorman_count_guests(server, silent); /* first: they become the carriers' */
    return guests + atomic_load(&server->asking);
}

void net_server_get_stats(struct net_server *server, struct net_stats *ret)
{
    *ret = (struct net_stats){.connections_h1 = h1_count_connections(server)};
    h2_get_stats(server, ret);
    doorman_get_stats(server, ret);
}

void net_server_destroy(struct net_server **ref)
{
    struct net_server *server = *ref;
    if (!server)
        return;
    doorman_stop(server);
    h2_stop(server);
    h1_finish(server);
    net_visitors_finish(&server->visitors);
    *ref = NULL; /* only now: requests may have asked for its figures */
    mem_free(server);
}
