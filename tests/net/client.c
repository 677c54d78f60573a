#include "tests/net/client.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST_MS = 30000 };

int client_connect(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    cr_assert(fd >= 0);
    cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0, "%s", strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

/* The session. */

static struct reply *find(nghttp2_session *session, int32_t id)
{
    return nghttp2_session_get_stream_user_data(session, id);
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                     const uint8_t *value, size_t value_len, uint8_t flags, void *cookie)
{
    (void)flags;
    (void)cookie;
    struct reply *reply = find(session, frame->hd.stream_id);
    if (!reply)
        return 0;
    bool trailer = frame->headers.cat == NGHTTP2_HCAT_HEADERS && reply->status >= 200;
    char *to = trailer ? reply->end : reply->fields;
    size_t size = trailer ? sizeof reply->end : sizeof reply->fields, len = strlen(to);
    snprintf(to + len, size - len, "%.*s: %.*s\n", (int)name_len, (const char *)name, (int)value_len,
             (const char *)value);
    if (name_len == 7 && memcmp(name, ":status", 7) == 0) {
        int status = atoi((const char *)value);
        reply->has_continue = reply->has_continue || status == 100;
        reply->status = status == 100 ? 0 : status;
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t len, void *cookie)
{
    (void)flags;
    struct client *client = cookie;
    struct reply *reply = find(session, id);
    if (reply)
        buf_append(&reply->body, data, len);
    if (!client->holds)
        nghttp2_session_consume(session, id, len);
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *cookie)
{
    (void)session;
    struct client *client = cookie;
    if (frame->hd.type == NGHTTP2_GOAWAY) {
        client->goaways++;
        client->last_stream = frame->goaway.last_stream_id;
        client->goaway_error = frame->goaway.error_code;
    }
    client->pings += frame->hd.type == NGHTTP2_PING && frame->hd.flags & NGHTTP2_FLAG_ACK;
    client->settings = client->settings || frame->hd.type == NGHTTP2_SETTINGS;
    return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t error, void *cookie)
{
    (void)cookie;
    struct reply *reply = find(session, id);
    if (reply) {
        reply->closed = true;
        reply->error = error;
    }
    return 0;
}

static void start_session(struct client *client)
{
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    cr_assert_eq(nghttp2_session_callbacks_new(&callbacks), 0);
    cr_assert_eq(nghttp2_option_new(&option), 0);
    nghttp2_option_set_no_auto_window_update(option, 1);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    cr_assert_eq(nghttp2_session_client_new2(&client->session, callbacks, client, option), 0);
    nghttp2_submit_settings(client->session, NGHTTP2_FLAG_NONE, NULL, 0);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
}

struct client *client_open(uint16_t port)
{
    struct client *client = calloc(1, sizeof *client);
    client->fd = client_connect(port);
    start_session(client);
    return client;
}

static void free_client(struct client *client)
{
    while (client->replies) {
        struct reply *next = client->replies->next;
        buf_finish(&client->replies->body);
        free(client->replies);
        client->replies = next;
    }
    nghttp2_session_del(client->session);
    if (client->tls)
        gnutls_deinit(client->tls);
    if (client->credentials)
        gnutls_certificate_free_credentials(client->credentials);
    close(client->fd);
    free(client);
}

struct client *client_open_tls(uint16_t port, const char *alpn, const char *cert, const char *key)
{
    struct client *client = calloc(1, sizeof *client);
    gnutls_datum_t protocol = {(unsigned char *)alpn, (unsigned)strlen(alpn)};
    client->fd = client_connect(port);
    cr_assert_eq(gnutls_init(&client->tls, GNUTLS_CLIENT), 0);
    cr_assert_eq(gnutls_certificate_allocate_credentials(&client->credentials), 0);
    if (cert)
        cr_assert_geq(gnutls_certificate_set_x509_key_file(client->credentials, cert, key, GNUTLS_X509_FMT_PEM), 0);
    gnutls_set_default_priority(client->tls);
    gnutls_credentials_set(client->tls, GNUTLS_CRD_CERTIFICATE, client->credentials);
    gnutls_alpn_set_protocols(client->tls, &protocol, 1, 0);
    gnutls_transport_set_int(client->tls, client->fd);
    gnutls_handshake_set_timeout(client->tls, MOST_MS);
    int result;
    do {
        result = gnutls_handshake(client->tls);
    } while (result < 0 && !gnutls_error_is_fatal(result));
    gnutls_datum_t chosen = {0};
    if (result < 0 || gnutls_alpn_get_selected_protocol(client->tls, &chosen) != 0 || chosen.size != protocol.size) {
        free_client(client);
        return NULL;
    }
    start_session(client);
    return client;
}

void client_close(struct client *client)
{
    free_client(client);
}

/* Bytes. */

static bool send_all(struct client *client, const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n =
            client->tls ? gnutls_record_send(client->tls, bytes, len) : send(client->fd, bytes, len, MSG_NOSIGNAL);
        if (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED)
            continue;
        if (n <= 0)
            return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

static bool flush(struct client *client)
{
    const uint8_t *bytes;
    ssize_t n;
    while ((n = nghttp2_session_mem_send(client->session, &bytes)) > 0) {
        if (!send_all(client, bytes, (size_t)n))
            return false;
    }
    return n == 0;
}

bool client_step(struct client *client, int ms)
{
    static uint8_t bytes[65536];
    struct pollfd ready = {.fd = client->fd, .events = POLLIN};
    if (client->ended)
        return false;
    flush(client); /* an end may have something to say before */
    bool waits = client->tls && gnutls_record_check_pending(client->tls) > 0;
    if (!waits && poll(&ready, 1, ms) == 0)
        return true;
    ssize_t n =
        client->tls ? gnutls_record_recv(client->tls, bytes, sizeof bytes) : recv(client->fd, bytes, sizeof bytes, 0);
    if (client->tls && n < 0 && !gnutls_error_is_fatal((int)n))
        return true;
    client->ended = n <= 0 || nghttp2_session_mem_recv(client->session, bytes, (size_t)n) < 0;
    return !client->ended && (flush(client) || true);
}

void client_finish(struct client *client, struct reply *reply)
{
    CLIENT_UNTIL(client, reply->closed);
}

/* Requests. */

static ssize_t read_upload(nghttp2_session *session, int32_t id, uint8_t *to, size_t capacity, uint32_t *flags,
                           nghttp2_data_source *source, void *cookie)
{
    (void)session;
    (void)id;
    (void)cookie;
    struct reply *reply = source->ptr;
    size_t n = reply->upload_len < capacity ? reply->upload_len : capacity;
    if (n == 0 && reply->upload_open)
        return NGHTTP2_ERR_DEFERRED;
    if (n > 0)
        memcpy(to, reply->upload, n);
    reply->upload += n;
    reply->upload_len -= n;
    reply->uploaded += n;
    if (reply->upload_len == 0 && !reply->upload_open)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

static nghttp2_nv field(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static struct reply *ask(struct client *client, const char *method, const char *path, const char *const *fields,
                         size_t n, const char *body, size_t len, bool open)
{
    enum { OWN = 4, MOST = 8 };
    struct reply *reply = calloc(1, sizeof *reply);
    nghttp2_nv nva[OWN + MOST] = {field(":method", method), field(":scheme", "http"), field(":path", path),
                                  field(":authority", "localhost")};
    cr_assert_leq(n, (size_t)MOST);
    for (size_t i = 0; i < n; i++)
        nva[OWN + i] = field(fields[2 * i], fields[2 * i + 1]);
    reply->upload = body;
    reply->upload_len = len;
    reply->upload_open = open;
    reply->next = client->replies;
    client->replies = reply;
    nghttp2_data_provider provider = {.source.ptr = reply, .read_callback = read_upload};
    reply->id = nghttp2_submit_request(client->session, NULL, nva, OWN + n, body || open ? &provider : NULL, reply);
    cr_assert_gt(reply->id, 0);
    return reply;
}

struct reply *client_ask(struct client *client, const char *method, const char *path, const char *body, size_t len)
{
    return ask(client, method, path, NULL, 0, body, len, false);
}

struct reply *client_ask_with(struct client *client, const char *method, const char *path, const char *name,
                              const char *value, const char *body, size_t len)
{
    const char *const fields[] = {name, value};
    return ask(client, method, path, fields, 1, body, len, false);
}

struct reply *client_ask_fields(struct client *client, const char *method, const char *path, const char *const *fields,
                                size_t n, const char *body, size_t len)
{
    return ask(client, method, path, fields, n, body, len, false);
}

struct reply *client_open_upload(struct client *client, const char *path)
{
    return ask(client, "POST", path, NULL, 0, NULL, 0, true);
}

struct reply *client_open_upload_with(struct client *client, const char *path, const char *const field[2])
{
    return ask(client, "POST", path, field, 1, NULL, 0, true);
}

void client_upload(struct client *client, struct reply *reply, const char *bytes, size_t len, bool ends)
{
    reply->upload = bytes;
    reply->upload_len = len;
    reply->upload_open = !ends;
    nghttp2_session_resume_data(client->session, reply->id);
    CLIENT_UNTIL(client, reply->upload_len == 0);
}

void client_expect_served(uint16_t port)
{
    struct client *client = client_open(port);
    struct reply *reply = client_ask(client, "POST", "/echo", "hello", 5);
    client_finish(client, reply);
    cr_expect_eq(reply->status, 200);
    client_close(client);
}
