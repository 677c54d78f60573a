#include "server/net/h1.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "server/net/event_threads.h"
#include "server/net/h1_framing.h"
#include "server/net/server.h"
#include "server/net/tls_session.h"

/* Without keys the handshake fails. */
static struct h1_connection *open_connection(const struct h1_daemon *daemon, struct MHD_Connection *connection)
{
    struct h1 *h1 = &daemon->server->h1;
    atomic_fetch_add(&h1->open, 1);
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct h1_connection *timer = info ? h1_connection_open(&h1->connections, info->connect_fd) : NULL;
    if (!timer)
        atomic_fetch_sub(&daemon->server->asking, 1); /* nobody would know whether it has asked */
    info = daemon->tls ? MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION) : NULL;
    if (timer && info)
        timer->keys = net_tls_attach(daemon->server->options.tls, info->tls_session, false);
    return timer;
}

static void close_connection(const struct h1_daemon *daemon, struct MHD_Connection *connection,
                             struct h1_connection *timer)
{
    struct h1 *h1 = &daemon->server->h1;
    net_tls_release(timer ? timer->keys : NULL);
    if (timer && !timer->asked)
        atomic_fetch_sub(&daemon->server->asking, 1);
    h1_connection_close(&h1->connections, timer);
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (info)
        net_visitors_leave(&daemon->server->visitors, info->client_addr);
    atomic_fetch_sub(&h1->open, 1);
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    const struct h1_daemon *daemon = cls;
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        *socket_context = open_connection(daemon, connection);
    else
        close_connection(daemon, connection, *socket_context);
}

__attribute__((format(printf, 2, 0))) static void log_library(void *cls, const char *format, va_list args)
{
    (void)cls;
    char words[256];
    vsnprintf(words, sizeof words, format, args);
    words[strcspn(words, "\n")] = '\0';
    log_debug("libmicrohttpd", log_str("says", words));
}

static struct MHD_Daemon *start_daemon(struct h1_daemon *daemon)
{
    const struct net_options *options = &daemon->server->options;
    uint32_t threads = net_count_event_threads(options->cores);
    struct MHD_OptionItem items[] = {
        {MHD_OPTION_CONNECTION_LIMIT, INT_MAX, NULL}, /* the doorman sees to that */
        {MHD_OPTION_CONNECTION_TIMEOUT, options->idle_timeout_s, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, H1_CONNECTION_MEMORY, NULL},
        {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)h1_see_target, daemon},
        {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)h1_framing_unescape, NULL},
        {MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL},
        {MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, NULL},
        {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, daemon},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)h1_end, daemon},
        {daemon->tls ? MHD_OPTION_HTTPS_CERT_CALLBACK : MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
         daemon->tls ? (void *)net_tls_no_certificate : NULL},
        {threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END, threads, NULL},
        {MHD_OPTION_END, 0, NULL},
    };
    return MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC | MHD_USE_ERROR_LOG |
                                MHD_USE_NO_LISTEN_SOCKET | (daemon->tls ? MHD_USE_TLS : 0),
                            0, NULL, NULL, h1_handle, daemon, MHD_OPTION_EXTERNAL_LOGGER, log_library, NULL,
                            MHD_OPTION_ARRAY, items, MHD_OPTION_END);
}

/* A function of the library that its users do not replace: its answers go out as they are. */
static struct MHD_Response *make_spare(const char *body)
{
    char *text = mem_strdup(body);
    struct MHD_Response *response =
        text ? MHD_create_response_from_buffer_with_free_callback(strlen(text), text, mem_free) : NULL;
    if (!response) {
        mem_free(text);
        return NULL;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    return response;
}

static void stop(struct h1 *h1)
{
    for (int side = 0; side < NET_SIDES; side++) {
        if (h1->daemons[side].library)
            MHD_stop_daemon(h1->daemons[side].library);
    }
    h1_connections_finish(&h1->connections);
    if (h1->spare)
        MHD_destroy_response(h1->spare);
}

static void on_left(struct h1_exchange *exchange)
{
    h1_stir(exchange, H1_LEFT);
}

enum status h1_start(struct net_server *server, const bool sides[NET_SIDES], struct error *err)
{
    struct h1 *h1 = &server->h1;
    enum status status =
        h1_connections_start(&h1->connections, server->options.idle_timeout_s, on_left, h1_wake_late, err);
    if (status != STATUS_OK)
        return status;
    h1_library_set_refusals(server->options.write_refusal);
    h1->spare = make_spare(server->options.spare_body);
    if (!h1->spare) {
        stop(h1);
        return error_set(err, STATUS_NO_MEMORY, "no memory for the HTTP server");
    }
    for (int side = 0; side < NET_SIDES; side++) {
        if (!sides[side])
            continue;
        h1->daemons[side] = (struct h1_daemon){.server = server, .side = (enum net_side)side};
        h1->daemons[side].tls = side == NET_PUBLIC && server->options.tls;
        h1->daemons[side].library = start_daemon(&h1->daemons[side]);
        if (h1->daemons[side].library)
            continue;
        int why = errno;
        stop(h1);
        return error_set(err, STATUS_INTERNAL,
                         "libmicrohttpd does not start (%s); are there enough file descriptors and threads?",
                         strerror(why));
    }
    return STATUS_OK;
}

bool h1_take(struct net_server *server, int fd, const struct sockaddr *address, socklen_t len, enum net_side side)
{
    atomic_fetch_add(&server->asking, 1);
    if (MHD_add_connection(server->h1.daemons[side].library, fd, address, len) == MHD_YES)
        return true;
    atomic_fetch_sub(&server->asking, 1);
    net_visitors_leave(&server->visitors, address);
    return false;
}

uint32_t h1_count_connections(const struct net_server *server)
{
    return atomic_load(&server->h1.open);
}

void h1_finish(struct net_server *server)
{
    struct h1 *h1 = &server->h1;
    while (atomic_load(&h1->owed) > 0 || atomic_load(&h1->resuming) > 0)
        usleep(1000);
    stop(h1);
}
