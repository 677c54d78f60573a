/* Connections: their sockets, TLS, and time limits. */
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "server/net/h2_parts.h"

enum { MAX_HANDSHAKE_S = 10, MAX_PING_S = 20, WARN_S = 1, LINGER_S = 2, MAX_FLUSHES = 16, MAX_OUTBOUND = 10000 };

static const uint64_t second_ns = 1000000000u;

/* The socket, plain or in TLS. As read and write; EAGAIN where it would block. */

static ssize_t receive(struct h2_connection *connection, char *to, size_t size)
{
    if (!connection->tls)
        return recv(connection->fd, to, size, MSG_DONTWAIT);
    ssize_t n = gnutls_record_recv(connection->tls, to, size);
    if (n >= 0)
        return n;
    errno = gnutls_error_is_fatal((int)n) ? EIO : EAGAIN;
    return -1;
}

static ssize_t transmit(struct h2_connection *connection, const char *from, size_t size)
{
    if (!connection->tls)
        return send(connection->fd, from, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    ssize_t n = gnutls_record_send(connection->tls, from, size);
    if (n >= 0)
        return n;
    errno = n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED ? EAGAIN : EIO;
    return -1;
}

static void watch(struct h2_connection *connection, uint32_t events)
{
    if (connection->events == events)
        return;
    struct epoll_event event = {.events = events, .data.ptr = connection};
    epoll_ctl(connection->loop->epoll, EPOLL_CTL_MOD, connection->fd, &event);
    connection->events = events;
}

/* The end. */

void h2_connection_release(struct h2_connection *connection)
{
    struct h2_loop *loop = connection->loop;
    if (connection->phase != H2_CLOSED || connection->n_streams > 0 || connection->is_dirty)
        return;
    *(connection->previous ? &connection->previous->next : &loop->connections) = connection->next;
    if (connection->next)
        connection->next->previous = connection->previous;
    loop->alive--;
    mem_free(connection);
}

static void close_streams(struct h2_connection *connection)
{
    for (struct h2_stream *stream = connection->streams; stream; stream = stream->next)
        h2_session_close_stream(stream);
}

void h2_connection_close(struct h2_connection *connection)
{
    if (connection->phase == H2_CLOSED)
        return;
    connection->phase = H2_CLOSED;
    close_streams(connection);
    nghttp2_session_del(connection->session);
    connection->session = NULL;
    if (connection->tls)
        gnutls_deinit(connection->tls);
    net_tls_release(connection->keys);
    close(connection->fd);
    mem_free(connection->unsent);
    h2_session_asked(connection);
    atomic_fetch_sub(&connection->loop->n_connections, 1);
    net_visitors_leave(&connection->loop->h2->server->visitors, (struct sockaddr *)&connection->address);
    h2_loop_mark(connection); /* it is released there, when its streams are */
}

/* To close a socket on which the client still sends resets the connection, and with it goes what it has not read yet.
 */
static void linger(struct h2_connection *connection)
{
    close_streams(connection);
    if (connection->tls)
        gnutls_bye(connection->tls, GNUTLS_SHUT_WR);
    shutdown(connection->fd, SHUT_WR);
    connection->phase = H2_LINGERS;
    connection->phase_by_ns = clock_now_ns() + LINGER_S * second_ns;
    connection->send_by_ns = 0;
    watch(connection, EPOLLIN);
}

/* The beginning. */

static bool set_tls(struct h2_connection *connection)
{
    struct net_tls *tls = connection->loop->h2->server->options.tls;
    if (!tls || connection->side != NET_PUBLIC)
        return true;
    if (gnutls_init(&connection->tls, GNUTLS_SERVER | GNUTLS_NONBLOCK) != 0)
        return false;
    connection->keys = net_tls_attach(tls, connection->tls, true);
    gnutls_transport_set_int(connection->tls, connection->fd);
    return connection->keys != NULL;
}

/* Clients that all came at once do not all leave at once: a tenth more or less. */
static uint64_t end_of_age(const struct h2_connection *connection, uint64_t now)
{
    uint64_t age = connection->loop->h2->server->options.max_age_s * second_ns;
    uint64_t spread = (uint64_t)(uintptr_t)connection / 64 % 201; /* in thousandths */
    return age ? now + age / 1000 * (900 + spread) : 0;
}

static void open_session(struct h2_connection *connection)
{
    connection->phase = H2_OPEN;
    h2_loop_mark(connection);
    if (connection->loop->drains)
        h2_connection_warn(connection);
}

void h2_connection_arrive(struct h2_job *job)
{
    struct h2_connection *connection = (struct h2_connection *)((char *)job - offsetof(struct h2_connection, arrival));
    struct h2_loop *loop = connection->loop;
    int on = 1;
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    connection->next = loop->connections;
    if (connection->next)
        connection->next->previous = connection;
    loop->connections = connection;
    loop->alive++;
    atomic_fetch_add(&loop->n_connections, 1);
    uint64_t now = clock_now_ns();
    uint64_t idle = loop->h2->server->options.idle_timeout_s;
    connection->heard_ns = connection->idle_ns = now;
    connection->phase_by_ns = now + (idle < MAX_HANDSHAKE_S ? idle : MAX_HANDSHAKE_S) * second_ns;
    connection->old_ns = end_of_age(connection, now);
    connection->events = EPOLLIN;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    if (!h2_session_start(connection) || !set_tls(connection) ||
        epoll_ctl(loop->epoll, EPOLL_CTL_ADD, connection->fd, &event) != 0) {
        h2_connection_close(connection);
        return;
    }
    connection->phase = H2_HANDSHAKE;
    if (!connection->tls)
        open_session(connection);
}

static void shake_hands(struct h2_connection *connection)
{
    int result = gnutls_handshake(connection->tls);
    if (result != GNUTLS_E_SUCCESS && !gnutls_error_is_fatal(result)) {
        watch(connection, gnutls_record_get_direction(connection->tls) ? EPOLLOUT : EPOLLIN);
        return;
    }
    gnutls_datum_t protocol = {0};
    if (result != GNUTLS_E_SUCCESS || gnutls_alpn_get_selected_protocol(connection->tls, &protocol) != 0) {
        gnutls_alert_send_appropriate(connection->tls, result); /* best effort */
        h2_connection_close(connection);
        return;
    }
    open_session(connection);
}

/* Reading. */

static void take(struct h2_connection *connection, const char *bytes, size_t len)
{
    connection->heard_ns = connection->loop->now_ns;
    connection->ping_ns = 0;
    ssize_t n = nghttp2_session_mem_recv(connection->session, (const uint8_t *)bytes, len);
    if (n == NGHTTP2_ERR_FLOODED &&
        nghttp2_session_terminate_session(connection->session, NGHTTP2_ENHANCE_YOUR_CALM) == 0)
        n = 0;
    if (n < 0 || nghttp2_session_get_outbound_queue_size(connection->session) > MAX_OUTBOUND)
        h2_connection_close(connection); /* what is wrong with its frames, nghttp2 has said in a GOAWAY before */
    else if (connection->phase == H2_WARNED && connection->warned)
        h2_connection_leave(connection);
    else
        h2_loop_mark(connection);
}

static void read_some(struct h2_connection *connection)
{
    do {
        ssize_t n = receive(connection, connection->loop->piece, H2_PIECE);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0)
            h2_connection_close(connection);
        else if (connection->phase != H2_LINGERS)
            take(connection, connection->loop->piece, (size_t)n);
    } while (connection->phase != H2_CLOSED && connection->tls && gnutls_record_check_pending(connection->tls) > 0);
}

void h2_connection_handle(struct h2_connection *connection, uint32_t events)
{
    if (connection->phase == H2_HANDSHAKE)
        shake_hands(connection);
    if (connection->phase == H2_HANDSHAKE || connection->phase == H2_CLOSED)
        return;
    if (events & EPOLLOUT)
        h2_loop_mark(connection);
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        read_some(connection);
}

/* Writing. */

/* False: the socket takes no more, or is broken. */
static bool send_bytes(struct h2_connection *connection, const char *bytes, size_t len)
{
    size_t sent = 0;
    while (sent < len) {
        ssize_t n = transmit(connection, bytes + sent, len - sent);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN) {
            h2_connection_close(connection);
            return false;
        }
        if (n < 0)
            break;
        sent += (size_t)n;
        if (connection->send_by_ns)
            connection->send_by_ns = h2_loop_extend(connection->loop, connection->send_by_ns, (size_t)n);
    }
    if (connection->unsent) {
        connection->sent += sent;
        if (connection->sent == connection->unsent_len) {
            mem_free(connection->unsent);
            connection->unsent = NULL;
            connection->send_by_ns = 0;
        }
        return sent == len;
    }
    if (sent == len)
        return true;
    connection->unsent = mem_alloc(len - sent);
    if (!connection->unsent) {
        h2_connection_close(connection);
        return false;
    }
    memcpy(connection->unsent, bytes + sent, len - sent);
    connection->unsent_len = len - sent;
    connection->sent = 0;
    connection->send_by_ns = h2_loop_expect(connection->loop);
    return false;
}

/* Collects frames in the loop's piece: most answers go out in one write. Returns the bytes; -1 after an error. */
static ssize_t collect(struct h2_connection *connection)
{
    enum { MAX_FRAME = 16384 + 64 };
    char *piece = connection->loop->piece;
    size_t len = 0;
    while (len + MAX_FRAME <= H2_PIECE) {
        const uint8_t *frame = NULL;
        ssize_t n = nghttp2_session_mem_send(connection->session, &frame);
        if (n < 0 || n > MAX_FRAME)
            return -1;
        if (n == 0)
            break;
        memcpy(piece + len, frame, (size_t)n);
        len += (size_t)n;
    }
    return (ssize_t)len;
}

static bool is_done(const struct h2_connection *connection)
{
    return !nghttp2_session_want_read(connection->session) && !nghttp2_session_want_write(connection->session);
}

void h2_connection_flush(struct h2_connection *connection)
{
    if (connection->phase == H2_HANDSHAKE || connection->phase == H2_LINGERS || connection->phase == H2_CLOSED)
        return;
    bool more = true;
    if (connection->unsent)
        more = send_bytes(connection, connection->unsent + connection->sent, connection->unsent_len - connection->sent);
    for (int i = 0; more && i < MAX_FLUSHES; i++) {
        ssize_t n = collect(connection);
        if (n < 0)
            h2_connection_close(connection);
        if (n <= 0)
            break;
        more = send_bytes(connection, connection->loop->piece, (size_t)n);
    }
    if (connection->phase == H2_CLOSED)
        return;
    bool waits = connection->unsent || nghttp2_session_want_write(connection->session);
    watch(connection, waits ? EPOLLIN | EPOLLOUT : EPOLLIN);
    if (!connection->unsent && is_done(connection))
        linger(connection);
}

/* Leaving, and time limits. */

void h2_connection_warn(struct h2_connection *connection)
{
    if (connection->phase != H2_OPEN)
        return;
    connection->phase = H2_WARNED;
    connection->phase_by_ns = clock_now_ns() + WARN_S * second_ns;
    nghttp2_submit_shutdown_notice(connection->session);
    nghttp2_submit_ping(connection->session, NGHTTP2_FLAG_NONE, NULL); /* its answer: the client has read that */
    h2_loop_mark(connection);
}

void h2_connection_leave(struct h2_connection *connection)
{
    if (connection->phase != H2_OPEN && connection->phase != H2_WARNED)
        return;
    connection->phase = H2_LEAVING;
    h2_session_asked(connection); /* what it asks now, it asks another server */
    nghttp2_submit_goaway(connection->session, NGHTTP2_FLAG_NONE,
                          nghttp2_session_get_last_proc_stream_id(connection->session), NGHTTP2_NO_ERROR, NULL, 0);
    h2_loop_mark(connection);
}

static void sweep_streams(struct h2_connection *connection, uint64_t now)
{
    for (struct h2_stream *stream = connection->streams; stream; stream = stream->next) {
        bool waits = stream->lets_rest_come || (!stream->base.hold && !atomic_load(&stream->answered));
        bool slow = waits && stream->receive_by_ns && stream->receive_by_ns < now;
        bool stuck = stream->send_by_ns && stream->send_by_ns < now;
        if (!stream->closed && !stream->aborted && (slow || stuck))
            h2_stream_reset(stream, stream->lets_rest_come ? NGHTTP2_NO_ERROR : NGHTTP2_CANCEL);
    }
}

static void keep_alive(struct h2_connection *connection, uint64_t now)
{
    uint64_t every = connection->loop->h2->server->options.keepalive_s;
    uint64_t patience = every < MAX_PING_S ? every : MAX_PING_S;
    if (!every)
        return;
    if (connection->ping_ns && now - connection->ping_ns > patience * second_ns) {
        h2_connection_close(connection);
    } else if (!connection->ping_ns && now - connection->heard_ns > every * second_ns) {
        connection->ping_ns = now;
        nghttp2_submit_ping(connection->session, NGHTTP2_FLAG_NONE, NULL);
        h2_loop_mark(connection);
    }
}

void h2_connection_sweep(struct h2_connection *connection)
{
    uint64_t now = connection->loop->now_ns;
    uint64_t idle = connection->loop->h2->server->options.idle_timeout_s * second_ns;
    bool late = now > connection->phase_by_ns;
    if (connection->phase == H2_CLOSED)
        return;
    if (((connection->phase == H2_HANDSHAKE || connection->phase == H2_LINGERS) && late) ||
        (connection->send_by_ns && connection->send_by_ns < now)) {
        h2_connection_close(connection);
        return;
    }
    if (connection->phase == H2_HANDSHAKE || connection->phase == H2_LINGERS)
        return;
    sweep_streams(connection, now);
    if (connection->phase == H2_OPEN && connection->old_ns && now > connection->old_ns)
        h2_connection_warn(connection);
    else if (connection->phase == H2_WARNED && late)
        h2_connection_leave(connection);
    if (connection->n_open == 0 && now - connection->idle_ns > idle)
        h2_connection_leave(connection);
    keep_alive(connection, now);
}
