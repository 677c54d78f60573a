#include "server/http/transport.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "server/http/framing.h"

enum { BACKLOG = 1024, CORES_PER_EVENT_THREAD = 4, MAX_EVENT_THREADS = 8 };

static void on_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http_server *server = cls;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        *socket_context = info ? http_connection_open(&server->connections, info->connect_fd) : NULL;
    } else {
        http_connection_close(&server->connections, *socket_context);
        *socket_context = NULL;
    }
}

__attribute__((format(printf, 2, 0))) static void log_library(void *cls, const char *format, va_list args)
{
    (void)cls;
    char words[256];
    vsnprintf(words, sizeof words, format, args);
    words[strcspn(words, "\n")] = '\0';
    log_debug("libmicrohttpd", log_str("says", words));
}

static uint32_t count_event_threads(uint32_t cores)
{
    uint32_t n = cores / CORES_PER_EVENT_THREAD;
    return n < 1 ? 1 : n > MAX_EVENT_THREADS ? MAX_EVENT_THREADS : n;
}

static struct MHD_Daemon *start_daemon(struct http_server *server, int fd)
{
    const struct http_options *options = &server->options;
    uint32_t threads = count_event_threads(options->cores);
    struct MHD_OptionItem items[] = {
        {MHD_OPTION_LISTEN_SOCKET, fd, NULL},
        {MHD_OPTION_CONNECTION_LIMIT, options->max_connections, NULL},
        {MHD_OPTION_PER_IP_CONNECTION_LIMIT, options->max_connections_per_ip, NULL},
        {MHD_OPTION_CONNECTION_TIMEOUT, options->idle_timeout_s, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, HTTP_CONNECTION_MEMORY, NULL},
        {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)http_framing_unescape, NULL},
        {MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL},
        {MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, NULL},
        {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, server},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)http_exchange_end, server},
        {threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END, threads, NULL},
        {MHD_OPTION_END, 0, NULL},
    };
    return MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC | MHD_USE_ERROR_LOG,
                            0, NULL, NULL, http_exchange_handle, server, MHD_OPTION_EXTERNAL_LOGGER, log_library, NULL,
                            MHD_OPTION_ARRAY, items, MHD_OPTION_END);
}

static void free_server(struct http_server *server)
{
    http_connections_finish(&server->connections);
    if (server->spare)
        MHD_destroy_response(server->spare);
    mem_free(server);
}

enum status http_server_create(struct http_server **ret, struct serve_server *serve, const struct http_options *options,
                               int listen_fd, struct error *err)
{
    if (listen(listen_fd, BACKLOG) != 0)
        return error_set(err, STATUS_IO, "listen: %s", strerror(errno));
    struct http_server *server = mem_calloc(1, sizeof *server);
    if (!server)
        return error_set(err, STATUS_NO_MEMORY, "no memory for the HTTP server");
    server->options = *options;
    server->serve = serve;
    server->quiesced_fd = -1;
    if (http_library_version()[0] == '0')
        log_warn("libmicrohttpd is older than 1.0: some malformed requests are answered late or not at all; do not put "
                 "this server behind a proxy that shares connections",
                 log_str("version", http_library_version()));
    enum status status = http_connections_start(&server->connections, options->idle_timeout_s, err);
    if (status != STATUS_OK) {
        mem_free(server);
        return status;
    }
    status = http_telemetry_init(server, err);
    server->spare = status == STATUS_OK ? http_spare_response() : NULL;
    if (status == STATUS_OK && !server->spare)
        status = error_set(err, STATUS_NO_MEMORY, "no memory for the HTTP server");
    if (status != STATUS_OK) {
        free_server(server);
        return status;
    }
    server->daemon = start_daemon(server, listen_fd);
    if (!server->daemon) {
        free_server(server);
        return error_set(err, STATUS_INTERNAL,
                         "libmicrohttpd does not start (%s); are there enough file descriptors and threads?",
                         strerror(errno));
    }
    *ret = server;
    return STATUS_OK;
}

void http_server_quiesce(struct http_server *server)
{
    if (server->quiesced_fd >= 0)
        return;
    server->quiesced_fd = MHD_quiesce_daemon(server->daemon);
    /* The library's threads may still look at it, so it stays open until they have ended. But it listens no more:
     * clients are refused at once, and go elsewhere. */
    shutdown(server->quiesced_fd, SHUT_RDWR);
}

uint32_t http_server_active(struct http_server *server)
{
    return atomic_load(&server->open);
}

void http_server_destroy(struct http_server **ref)
{
    struct http_server *server = *ref;
    *ref = NULL;
    if (!server)
        return;
    http_server_quiesce(server);
    serve_server_close(server->serve, true);
    /* Their results come, all of them, now that they are cancelled. */
    while (atomic_load(&server->away) > 0 || atomic_load(&server->resuming) > 0)
        usleep(1000);
    MHD_stop_daemon(server->daemon);
    if (server->quiesced_fd >= 0)
        close(server->quiesced_fd);
    free_server(server);
}
