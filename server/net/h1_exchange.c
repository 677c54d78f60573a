#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "server/net/h1.h"
#include "server/net/h1_framing.h"
#include "server/net/server.h"

static struct h1_exchange *of(struct net_exchange *exchange)
{
    return (struct h1_exchange *)exchange;
}

/* What net.h's functions come to. */

static const char *get_header(const struct net_exchange *exchange, const char *name)
{
    const struct h1_exchange *x = (const struct h1_exchange *)exchange;
    if (atomic_load(&x->flags) & H1_OVER)
        return NULL; /* they went with the connection */
    return MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, name);
}

struct visit {
    void (*visit)(void *cookie, const char *name, const char *value);
    void *cookie;
};

static enum MHD_Result visit_header(void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
    const struct visit *visit = cls;
    (void)kind;
    visit->visit(visit->cookie, name, value ? value : "");
    return MHD_YES;
}

static void each_header(const struct net_exchange *exchange,
                        void (*visit)(void *cookie, const char *name, const char *value), void *cookie)
{
    const struct h1_exchange *x = (const struct h1_exchange *)exchange;
    struct visit visitor = {visit, cookie};
    MHD_get_connection_values(x->connection, MHD_HEADER_KIND, visit_header, &visitor);
}

static void free_exchange(struct h1_exchange *x)
{
    if (x->h1)
        net_exchange_end(&x->base);
    h1_stream_destroy(x->stream);
    mem_free(x->path);
    mem_free(x->query);
    mem_free(x);
}

/* By the flags before H1_GIVEN: nobody else will touch the exchange. */
static bool is_last(unsigned before)
{
    return (before & (H1_OVER | H1_CALLED)) == H1_OVER;
}

/* The handler is done with the exchange. */
static void give(struct h1_exchange *x)
{
    struct h1 *h1 = x->h1;
    if (is_last(atomic_fetch_or(&x->flags, H1_GIVEN)))
        free_exchange(x);
    atomic_fetch_sub(&h1->owed, 1);
}

void h1_wake_late(struct h1_exchange *x)
{
    atomic_fetch_or(&x->flags, H1_CALLED);
    atomic_fetch_and(&x->flags, ~(unsigned)H1_WOKEN);
    x->base.handler->on_wake(&x->base);
    if (atomic_fetch_and(&x->flags, ~(unsigned)H1_CALLED) & H1_GIVEN)
        free_exchange(x);
}

static void wake(struct net_exchange *exchange)
{
    h1_stir(of(exchange), H1_WOKEN);
}

static void respond(struct net_exchange *exchange)
{
    struct h1_exchange *x = of(exchange);
    struct h1 *h1 = x->h1;
    struct MHD_Connection *connection = x->connection;
    atomic_fetch_add(&h1->resuming, 1);
    unsigned before = atomic_fetch_or(&x->flags, H1_BEGUN | H1_GIVEN | H1_STIRRED);
    if (is_last(before))
        free_exchange(x);
    else if (!(before & H1_OVER) && before & H1_AWAY && !(before & H1_STIRRED))
        MHD_resume_connection(connection);
    atomic_fetch_sub(&h1->owed, 1);
    atomic_fetch_sub(&h1->resuming, 1);
}

static void begin(struct net_exchange *exchange)
{
    struct h1_exchange *x = of(exchange);
    x->stream = h1_stream_create();
    if (!x->stream)
        x->base.fields.failed = true;
    h1_stir(x, H1_BEGUN);
}

static bool write_stream(struct net_exchange *exchange, const char *bytes, size_t len)
{
    return h1_stream_write(of(exchange), bytes, len);
}

static void finish(struct net_exchange *exchange)
{
    h1_stream_end(of(exchange), false);
    give(of(exchange));
}

static void abort_stream(struct net_exchange *exchange, uint32_t error)
{
    (void)error;
    struct h1_exchange *x = of(exchange);
    if (!(atomic_load(&x->flags) & H1_BEGUN)) {
        x->base.fields.failed = true; /* there is nothing but the spare answer */
        respond(exchange);
        return;
    }
    h1_stream_end(x, true);
    give(x);
}

static const struct net_carrier_ops ops = {.header = get_header,
                                           .each_header = each_header,
                                           .wake = wake,
                                           .respond = respond,
                                           .begin = begin,
                                           .write = write_stream,
                                           .finish = finish,
                                           .abort = abort_stream};

/* The request, on the event thread. */

static const union MHD_ConnectionInfo *info_of(struct h1_exchange *x, enum MHD_ConnectionInfoType type)
{
    return MHD_get_connection_info(x->connection, type);
}

void *h1_see_target(void *cls, const char *target, struct MHD_Connection *connection)
{
    (void)cls;
    (void)connection;
    struct h1_exchange *x = mem_calloc(1, sizeof *x);
    const char *query = strchr(target, '?');
    if (x && query)
        x->query = mem_strdup(query + 1);
    return x;
}

static void copy_head(struct h1_exchange *x, const char *path, const char *method)
{
    const union MHD_ConnectionInfo *info = info_of(x, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *address = info ? info->client_addr : NULL;
    snprintf(x->method, sizeof x->method, "%s", method);
    x->path = path ? mem_strdup(path) : NULL;
    x->base.method = x->method;
    x->base.path = x->path ? x->path : "";
    if (!address)
        return;
    memcpy(&x->address, address,
           address->sa_family == AF_INET    ? sizeof(struct sockaddr_in)
           : address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                            : sizeof address->sa_family);
    x->base.address = (const struct sockaddr *)&x->address;
}

static void read_head(struct h1_exchange *x, struct h1_daemon *daemon, const char *url, const char *method,
                      const char *version)
{
    const union MHD_ConnectionInfo *info = info_of(x, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    x->timer = info ? info->socket_context : NULL;
    info = info_of(x, MHD_CONNECTION_INFO_CONNECTION_FD);
    x->base = (struct net_exchange){.ops = &ops,
                                    .query = x->query,
                                    .version = strcmp(version, "HTTP/1.0") == 0 ? 10 : 11,
                                    .side = daemon->side,
                                    .socket = info ? info->connect_fd : -1};
    const char *path = h1_framing_path(url);
    copy_head(x, path, method);
    enum status status = path ? h1_framing_check(x->connection, version, &x->base.length, &x->malformed)
                              : error_set(&x->malformed, STATUS_MALFORMED, "the request's target has no valid host");
    if (status == STATUS_OK && !x->path)
        status = error_set(&x->malformed, STATUS_NO_MEMORY, "no memory for the request");
    if (status != STATUS_OK)
        x->base.error = &x->malformed;
}

static bool start(struct h1_exchange *x, struct h1_daemon *daemon, struct MHD_Connection *connection, const char *url,
                  const char *method, const char *version)
{
    x->connection = connection;
    x->h1 = &daemon->server->h1;
    x->tls = daemon->tls;
    read_head(x, daemon, url, method, version);
    atomic_fetch_add(&x->h1->owed, 1);
    bool begun = net_exchange_begin(&x->base, daemon->server);
    if (x->timer && !x->timer->asked) {
        x->timer->asked = true;
        atomic_fetch_sub(&daemon->server->asking, 1);
    }
    if (begun)
        return true;
    atomic_fetch_sub(&x->h1->owed, 1);
    x->h1 = NULL;
    return false;
}

static bool has_begun(struct h1_exchange *x)
{
    return atomic_load(&x->flags) & H1_BEGUN;
}

/* The head is there. An answer that comes so early waits until the body has been read past, unless the client waits for
 * our word before it sends the body, or the body is not worth reading, or where it ends is not certain. */
static enum MHD_Result handle_head(struct h1_exchange *x)
{
    uint64_t limit = x->base.server->options.discard_limit;
    bool known = x->base.length != NET_LENGTH_UNKNOWN;
    h1_connection_expect(&x->h1->connections, x->timer, known ? x->base.length : limit);
    if (!has_begun(x))
        return MHD_YES;
    bool waits = net_exchange_header(&x->base, "Expect") != NULL;
    if (!x->base.error && !waits && (!known || x->base.length <= limit))
        return MHD_YES;
    x->early = x->base.closes = true;
    return h1_queue(x);
}

static enum MHD_Result take_body(struct h1_exchange *x, const char *data, size_t size)
{
    if (!has_begun(x)) {
        x->base.handler->on_body(&x->base, data, size);
        return MHD_YES;
    }
    x->received += size;
    return x->received <= x->base.server->options.discard_limit ? MHD_YES : MHD_NO;
}

/* Wait for the answer, or take it when it is there. */
static enum MHD_Result wait_answer(struct h1_exchange *x)
{
    while (h1_look(x) & H1_WOKEN)
        x->base.handler->on_wake(&x->base);
    if (has_begun(x))
        return h1_queue(x);
    h1_rest(x);
    return MHD_YES;
}

enum MHD_Result h1_handle(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
                          const char *version, const char *data, size_t *data_size, void **state)
{
    struct h1_exchange *x = *state;
    if (!x || !x->h1) {
        struct h1_daemon *daemon = cls;
        return x && start(x, daemon, connection, url, method, version)
                   ? handle_head(x)
                   : MHD_queue_response(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, daemon->server->h1.spare);
    }
    if (*data_size > 0) {
        size_t size = *data_size;
        *data_size = 0;
        return x->early ? MHD_YES : take_body(x, data, size);
    }
    if (!x->ended) {
        x->ended = true;
        h1_connection_rest(x->timer);
        if (!has_begun(x))
            x->base.handler->on_end(&x->base);
    }
    return wait_answer(x);
}

void h1_end(void *cls, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode reason)
{
    (void)cls;
    (void)connection;
    (void)reason;
    struct h1_exchange *x = *state;
    if (!x)
        return;
    *state = NULL;
    if (!x->h1) { /* the library has refused it, or there was no memory */
        free_exchange(x);
        return;
    }
    h1_connection_stream(&x->h1->connections, x->timer, NULL);
    h1_connection_expect(&x->h1->connections, x->timer, 0);
    bool given = atomic_load(&x->flags) & H1_GIVEN || h1_stream_is_ended(x);
    if (!given && x->base.handler->on_gone)
        x->base.handler->on_gone(&x->base);
    unsigned before = atomic_fetch_or(&x->flags, H1_OVER);
    if (before & H1_GIVEN)
        free_exchange(x);
    else if (before & H1_WOKEN)
        h1_connections_wake(&x->h1->connections, x);
}
