#include "tests/clients/stand.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/net/papers.h"

enum { HEAD_SIZE = 8192, SLOW_US = 100000 };

struct stand_tls {
    gnutls_certificate_credentials_t credentials;
    bool asks;
};

/* One connection, in TLS or not. */
struct line {
    int fd;
    gnutls_session_t session;
};

static ssize_t line_read(struct line *line, void *data, size_t len)
{
    return line->session ? gnutls_record_recv(line->session, data, len) : recv(line->fd, data, len, 0);
}

static bool line_write(struct line *line, const void *data, size_t len)
{
    const char *at = data;
    while (len > 0) {
        ssize_t n = line->session ? gnutls_record_send(line->session, at, len) : send(line->fd, at, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

static bool open_tls(struct line *line, const struct stand_tls *tls)
{
    if (!tls)
        return true;
    gnutls_init(&line->session, GNUTLS_SERVER | GNUTLS_NO_SIGNAL);
    gnutls_set_default_priority(line->session);
    gnutls_credentials_set(line->session, GNUTLS_CRD_CERTIFICATE, tls->credentials);
    gnutls_certificate_server_set_request(line->session, tls->asks ? GNUTLS_CERT_REQUIRE : GNUTLS_CERT_IGNORE);
    if (tls->asks)
        gnutls_session_set_verify_cert(line->session, NULL, 0);
    gnutls_transport_set_int(line->session, line->fd);
    int result = 0;
    do
        result = gnutls_handshake(line->session);
    while (result < 0 && !gnutls_error_is_fatal(result));
    return result == 0;
}

/* A request; its head and body are in *ret_data, which is freed with free. False: there is none. */
static bool read_request(struct line *line, struct stand_request *request, char **ret_data)
{
    size_t have = 0, size = HEAD_SIZE, need = SIZE_MAX;
    char *data = malloc(size + 1);
    while (have < need) {
        if (have == size)
            data = realloc(data, (size *= 2) + 1);
        ssize_t n = line_read(line, data + have, size - have);
        if (n <= 0) {
            free(data);
            return false;
        }
        have += (size_t)n;
        data[have] = '\0';
        char *end = need == SIZE_MAX ? strstr(data, "\r\n\r\n") : NULL;
        if (end) {
            const char *length = strcasestr(data, "\r\ncontent-length:");
            need = (size_t)(end + 4 - data) + (length && length < end ? strtoul(length + 17, NULL, 10) : 0);
        }
    }
    char *end = strstr(data, "\r\n\r\n");
    *end = '\0';
    request->body = end + 4;
    request->len = have - (size_t)(end + 4 - data);
    request->head = data;
    cr_assert_eq(sscanf(data, "%7s %511s", request->method, request->path), 2);
    *ret_data = data;
    return true;
}

static void write_slowly(struct stand *stand, struct line *line, const char *data, size_t len)
{
    for (size_t i = 0; i < len && !stand->stopped && line_write(line, data + i, 1); i++)
        usleep(SLOW_US);
}

/* Returns whether the connection goes on. */
static bool write_reply(struct stand *stand, struct line *line, const struct stand_reply *reply)
{
    static const char garbage[] = "SSH-2.0-OpenSSH_9.2\r\n";
    char head[1024], byte;
    long claimed = (long)reply->len + (reply->fault == STAND_LONG_LENGTH) - (reply->fault == STAND_SHORT_LENGTH);
    claimed = reply->fault == STAND_HUGE_LENGTH ? 2000000000 : claimed;
    int len = snprintf(head, sizeof head, "HTTP/1.1 %d Some\r\nContent-Type: %s\r\n%sContent-Length: %ld\r\n\r\n",
                       reply->status ? reply->status : 200, reply->type ? reply->type : "text/plain", reply->headers,
                       claimed);
    switch (reply->fault) {
    case STAND_DROP:
        return false;
    case STAND_RESET:
        setsockopt(line->fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
        return false;
    case STAND_HALF_HEAD:
        line_write(line, head, (size_t)len / 2);
        return false;
    case STAND_HALF_BODY:
        line_write(line, head, (size_t)len);
        line_write(line, reply->body, reply->len / 2);
        return false;
    case STAND_SLOW:
        write_slowly(stand, line, head, (size_t)len);
        return false;
    case STAND_SILENT:
        return line_read(line, &byte, 1) > 0;
    case STAND_GARBAGE:
        line_write(line, garbage, sizeof garbage - 1);
        return false;
    case STAND_WELL:
    case STAND_LONG_LENGTH:
    case STAND_SHORT_LENGTH:
    case STAND_HUGE_LENGTH:
        break;
    }
    return line_write(line, head, (size_t)len) && line_write(line, reply->body, reply->len) &&
           reply->fault == STAND_WELL;
}

static void *serve(void *cookie)
{
    struct stand_connection *connection = cookie;
    struct stand *stand = connection->stand;
    struct line line = {.fd = connection->fd};
    bool goes_on = open_tls(&line, stand->tls);
    while (goes_on) {
        struct stand_request request = {.number = 0};
        struct stand_reply reply = {.status = 0};
        char *data = NULL;
        if (!read_request(&line, &request, &data))
            break;
        request.number = atomic_fetch_add(&stand->requests, 1);
        stand->handler(stand->cookie, &request, &reply);
        goes_on = write_reply(stand, &line, &reply);
        free(reply.body);
        free(data);
    }
    if (line.session)
        gnutls_deinit(line.session);
    pthread_mutex_lock(&stand->lock);
    close(connection->fd);
    connection->fd = -1;
    pthread_mutex_unlock(&stand->lock);
    return NULL;
}

static void *accept_all(void *cookie)
{
    struct stand *stand = cookie;
    int fd = -1;
    while ((fd = accept(stand->fd, NULL, NULL)) >= 0) {
        pthread_mutex_lock(&stand->lock);
        cr_assert_lt(stand->n_connections, STAND_CONNECTIONS);
        struct stand_connection *connection = &stand->connections[stand->n_connections++];
        *connection = (struct stand_connection){.stand = stand, .fd = fd};
        pthread_create(&connection->thread, NULL, serve, connection);
        pthread_mutex_unlock(&stand->lock);
    }
    return NULL;
}

static void listen_at(struct stand *stand, const char *socket_path)
{
    struct sockaddr_in loopback = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    socklen_t len = sizeof loopback;
    stand->fd = socket(socket_path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket_path) {
        snprintf(local.sun_path, sizeof local.sun_path, "%s", socket_path);
        snprintf(stand->socket, sizeof stand->socket, "%s", socket_path);
        cr_assert_eq(bind(stand->fd, (struct sockaddr *)&local, sizeof local), 0);
        snprintf(stand->address, sizeof stand->address, "unix:%s", socket_path);
    } else {
        cr_assert_eq(bind(stand->fd, (struct sockaddr *)&loopback, sizeof loopback), 0);
        getsockname(stand->fd, (struct sockaddr *)&loopback, &len);
        snprintf(stand->address, sizeof stand->address, "%s://127.0.0.1:%d", stand->tls ? "https" : "http",
                 ntohs(loopback.sin_port));
    }
    cr_assert_eq(listen(stand->fd, 128), 0);
}

void stand_start(struct stand *stand, const struct stand_options *options)
{
    memset(stand, 0, sizeof *stand);
    stand->handler = options->handler;
    stand->cookie = options->cookie;
    if (options->papers) {
        stand->tls = calloc(1, sizeof *stand->tls);
        stand->tls->asks = options->asks_for_certificate;
        gnutls_certificate_allocate_credentials(&stand->tls->credentials);
        gnutls_certificate_set_x509_trust_file(stand->tls->credentials, options->papers->ca, GNUTLS_X509_FMT_PEM);
        cr_assert_eq(gnutls_certificate_set_x509_key_file(stand->tls->credentials, options->papers->cert,
                                                          options->papers->key, GNUTLS_X509_FMT_PEM),
                     0);
    }
    pthread_mutex_init(&stand->lock, NULL);
    listen_at(stand, options->socket);
    cr_assert_eq(pthread_create(&stand->thread, NULL, accept_all, stand), 0);
}

void stand_stop(struct stand *stand)
{
    stand->stopped = true;
    shutdown(stand->fd, SHUT_RDWR);
    pthread_join(stand->thread, NULL);
    close(stand->fd);
    pthread_mutex_lock(&stand->lock);
    for (int i = 0; i < stand->n_connections; i++)
        if (stand->connections[i].fd >= 0)
            shutdown(stand->connections[i].fd, SHUT_RDWR);
    pthread_mutex_unlock(&stand->lock);
    for (int i = 0; i < stand->n_connections; i++)
        pthread_join(stand->connections[i].thread, NULL);
    pthread_mutex_destroy(&stand->lock);
    if (stand->tls)
        gnutls_certificate_free_credentials(stand->tls->credentials);
    free(stand->tls);
    if (stand->socket[0])
        unlink(stand->socket);
}

void stand_say(struct stand_reply *reply, int status, const char *type, const char *body)
{
    free(reply->body);
    reply->status = status;
    reply->type = type;
    reply->body = strdup(body);
    reply->len = strlen(body);
}
