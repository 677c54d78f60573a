/* The doorman: what first bytes tell, and clients that send too few, or come too many. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "server/net/hello.h"
#include "server/net/tls.h"
#include "tests/net/client.h"
#include "tests/net/papers.h"
#include "tests/net/place.h"

static struct place place;

TestSuite(hello, .timeout = 60);
TestSuite(doorman, .timeout = 120);

static enum net_hello read_text(const char *text, bool tls)
{
    return net_hello_read((const unsigned char *)text, strlen(text), tls);
}

Test(hello, plain)
{
    cr_expect_eq(read_text("GET / HTTP/1.1\r\n", false), NET_HELLO_H1);
    cr_expect_eq(read_text("G", false), NET_HELLO_H1);
    cr_expect_eq(read_text("P", false), NET_HELLO_MORE);
    cr_expect_eq(read_text("POST", false), NET_HELLO_H1);
    cr_expect_eq(read_text("PRI * HTTP/2.0\r\n\r\nSM\r\n\r", false), NET_HELLO_MORE);
    cr_expect_eq(read_text(NGHTTP2_CLIENT_MAGIC, false), NET_HELLO_H2);
    cr_expect_eq(read_text("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n more", false), NET_HELLO_H2);
    cr_expect_eq(read_text("PRI * HTTP/1.1\r\n\r\n", false), NET_HELLO_H1);
}

static ssize_t push(gnutls_transport_ptr_t to, const void *bytes, size_t len)
{
    buf_append(to, bytes, len);
    return (ssize_t)len;
}

static ssize_t pull(gnutls_transport_ptr_t from, void *bytes, size_t len)
{
    (void)from;
    (void)bytes;
    (void)len;
    errno = EAGAIN;
    return -1;
}

/* What a client of GnuTLS sends first, with these protocols on offer. */
static void client_hello(struct buf *ret, const char *const protocols[], unsigned n)
{
    gnutls_session_t session;
    gnutls_certificate_credentials_t credentials;
    gnutls_datum_t offer[4];
    for (unsigned i = 0; i < n; i++)
        offer[i] = (gnutls_datum_t){(unsigned char *)protocols[i], (unsigned)strlen(protocols[i])};
    *ret = (struct buf){0};
    cr_assert_eq(gnutls_init(&session, GNUTLS_CLIENT | GNUTLS_NONBLOCK), 0);
    cr_assert_eq(gnutls_certificate_allocate_credentials(&credentials), 0);
    gnutls_set_default_priority(session);
    gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials);
    if (n > 0)
        gnutls_alpn_set_protocols(session, offer, n, 0);
    gnutls_transport_set_ptr(session, ret);
    gnutls_transport_set_push_function(session, push);
    gnutls_transport_set_pull_function(session, pull);
    cr_assert_eq(gnutls_handshake(session), GNUTLS_E_AGAIN);
    gnutls_deinit(session);
    gnutls_certificate_free_credentials(credentials);
    cr_assert_gt(ret->len, 100);
}

static void expect_hello(const struct buf *hello, enum net_hello expected)
{
    const unsigned char *bytes = (const unsigned char *)hello->data;
    for (size_t len = 1; len < hello->len; len++)
        cr_expect_eq(net_hello_read(bytes, len, true), NET_HELLO_MORE, "%zu bytes", len);
    cr_expect_eq(net_hello_read(bytes, hello->len, true), expected);
}

/* The same handshake message in records of so many bytes. */
static void split(struct buf *ret, const struct buf *hello, size_t size)
{
    *ret = (struct buf){0};
    for (size_t at = 5; at < hello->len; at += size) {
        size_t n = hello->len - at < size ? hello->len - at : size;
        const unsigned char head[5] = {22, 3, 1, (unsigned char)(n >> 8), (unsigned char)n};
        buf_append(ret, head, sizeof head);
        buf_append(ret, hello->data + at, n);
    }
}

Test(hello, tls)
{
    static const char *const both[] = {"h2", "http/1.1"}, *const one[] = {"http/1.1"}, *const near[] = {"h2c", "h"};
    struct buf hello, records;
    client_hello(&hello, both, 2);
    expect_hello(&hello, NET_HELLO_H2);
    for (size_t size = 1; size < 100; size += 11) {
        split(&records, &hello, size);
        expect_hello(&records, NET_HELLO_H2);
        buf_finish(&records);
    }
    buf_finish(&hello);
    client_hello(&hello, one, 1);
    expect_hello(&hello, NET_HELLO_H1);
    buf_finish(&hello);
    client_hello(&hello, near, 2);
    expect_hello(&hello, NET_HELLO_H1);
    buf_finish(&hello);
    client_hello(&hello, NULL, 0);
    expect_hello(&hello, NET_HELLO_H1);
    buf_finish(&hello);
}

Test(hello, not_tls)
{
    static const unsigned char endless[NET_HELLO_MOST] = {22, 3, 1, 0x3f, 0xff, 1, 0xff, 0xff, 0xff};
    cr_expect_eq(read_text("GET / HTTP/1.1\r\n", true), NET_HELLO_NEITHER);
    cr_expect_eq(read_text("\x16\x05\x01\x10\x10", true), NET_HELLO_NEITHER);
    cr_expect_eq(read_text("\x16\x03\x01\x10\x10\x02", true), NET_HELLO_NEITHER);
    cr_expect_eq(net_hello_read(endless, sizeof endless - 1, true), NET_HELLO_MORE);
    cr_expect_eq(net_hello_read(endless, sizeof endless, true), NET_HELLO_H1, "longer than what is looked at");
}

/* Every byte of a ClientHello may be wrong: nothing is read beyond it. */
Test(hello, damaged)
{
    static const char *const both[] = {"h2", "http/1.1"};
    struct buf hello;
    client_hello(&hello, both, 2);
    for (size_t i = 0; i < hello.len; i++) {
        for (int value = 0; value < 256; value += 15) {
            char was = hello.data[i];
            hello.data[i] = (char)value;
            net_hello_read((const unsigned char *)hello.data, hello.len, true);
            hello.data[i] = was;
        }
    }
    expect_hello(&hello, NET_HELLO_H2);
    buf_finish(&hello);
}

static void expect_closed(int fd)
{
    char bytes[1000];
    ssize_t n;
    while ((n = recv(fd, bytes, sizeof bytes, 0)) > 0) {
    }
    close(fd);
}

Test(doorman, silent_clients_are_in_nobodys_way)
{
    enum { SILENT = 50 };
    PLACE_OPEN(&place, options.idle_timeout_s = 2);
    int fds[SILENT];
    for (int i = 0; i < SILENT; i++) {
        fds[i] = client_connect(place.port);
        send(fds[i], NGHTTP2_CLIENT_MAGIC, (size_t)(i % NGHTTP2_CLIENT_MAGIC_LEN), 0);
    }
    client_expect_served(place.port);
    for (int i = 0; i < SILENT; i++)
        expect_closed(fds[i]);
    place_close(&place);
}

Test(doorman, preface_byte_by_byte)
{
    PLACE_OPEN(&place);
    struct client *client = client_open(place.port);
    struct reply *reply = client_ask(client, "POST", "/echo", "hello", 5);
    const uint8_t *bytes;
    ssize_t n = nghttp2_session_mem_send(client->session, &bytes);
    for (ssize_t i = 0; i < n; i++) {
        cr_assert_eq(send(client->fd, bytes + i, 1, 0), 1);
        usleep(500); /* so that they come one by one, mostly */
    }
    client_finish(client, reply);
    cr_expect_eq(reply->status, 200);
    client_close(client);
    place_close(&place);
}

Test(doorman, half_a_hello)
{
    struct papers papers;
    struct net_tls *tls = NULL;
    struct error err;
    papers_make(&papers);
    const struct net_tls_options files = {papers.cert, papers.key, NULL};
    cr_assert_eq(net_tls_create(&tls, &files, &err), STATUS_OK, "%s", err.message);
    PLACE_OPEN(&place, options.tls = tls, options.idle_timeout_s = 2);
    static const char *const both[] = {"h2", "http/1.1"};
    struct buf hello;
    client_hello(&hello, both, 2);
    int half = client_connect(place.port), whole = client_connect(place.port), ended = client_connect(place.port);
    send(half, hello.data, hello.len / 2, 0);
    send(whole, hello.data, hello.len, 0); /* and no more of the handshake */
    send(ended, hello.data, hello.len / 2, 0);
    shutdown(ended, SHUT_WR);
    struct client *client = client_open_tls(place.port, "h2", NULL, NULL);
    cr_assert_not_null(client);
    expect_closed(ended);
    expect_closed(half);
    expect_closed(whole);
    client_close(client);
    buf_finish(&hello);
    place_close(&place);
    net_tls_destroy(&tls);
    papers_remove(&papers);
}

/* In the backlog: they are served when others have left. */
Test(doorman, too_many_wait)
{
    PLACE_OPEN(&place, options.max_connections = 3);
    struct client *h2[2] = {client_open(place.port), client_open(place.port)};
    for (int i = 0; i < 2; i++)
        CLIENT_UNTIL(h2[i], h2[i]->settings);
    int silent = client_connect(place.port);
    while (place_stats(&place).taken < 3)
        usleep(1000);
    struct client *late = client_open(place.port);
    struct reply *reply = client_ask(late, "POST", "/echo", "hello", 5);
    client_expect_served(place.admin_port);
    for (int i = 0; i < 50; i++)
        client_step(late, 1);
    cr_expect_eq(reply->status, 0);
    close(silent);
    client_finish(late, reply);
    cr_expect_eq(reply->status, 200);
    cr_expect_eq(place_stats(&place).refused, 0);
    client_close(late);
    client_close(h2[0]);
    client_close(h2[1]);
    place_close(&place);
}

Test(doorman, too_many_of_one_address_are_refused)
{
    PLACE_OPEN(&place, options.max_connections_per_ip = 2);
    struct client *first = client_open(place.port), *second = client_open(place.port);
    CLIENT_UNTIL(first, first->settings);
    CLIENT_UNTIL(second, second->settings);
    expect_closed(client_connect(place.port));
    cr_expect_eq(place_stats(&place).refused, 1);
    client_close(first);
    client_close(second);
    while (place_stats(&place).connections_h2 > 0)
        usleep(1000);
    client_expect_served(place.port);
    place_close(&place);
}

Test(doorman, no_descriptors)
{
    PLACE_OPEN(&place);
    struct rlimit limit, none;
    client_expect_served(place.port);
    while (place_stats(&place).connections_h2 > 0)
        usleep(1000);
    getrlimit(RLIMIT_NOFILE, &limit);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(place.port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    none = (struct rlimit){(rlim_t)fd + 1, limit.rlim_max};
    int spare = -1; /* below the limit there may be holes */
    setrlimit(RLIMIT_NOFILE, &none);
    while ((spare = dup(0)) >= 0) {
    }
    cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    usleep(1000000);
    getrusage(RUSAGE_SELF, &after);
    cr_expect_eq(place_stats(&place).taken, 1);
    long busy_ms =
        (after.ru_utime.tv_sec - before.ru_utime.tv_sec + after.ru_stime.tv_sec - before.ru_stime.tv_sec) * 1000 +
        (after.ru_utime.tv_usec - before.ru_utime.tv_usec + after.ru_stime.tv_usec - before.ru_stime.tv_usec) / 1000;
    cr_expect_lt(busy_ms, 500, "it does not spin: %ld ms of a second", busy_ms);
    setrlimit(RLIMIT_NOFILE, &limit);
    send(fd, "GET /bytes?5 HTTP/1.0\r\n\r\n", 25, 0);
    expect_closed(fd);
    cr_expect_eq(place_stats(&place).taken, 2, "it is taken later");
    place_close(&place);
}

Test(doorman, quiesce_refuses_and_goes_on)
{
    PLACE_OPEN(&place);
    struct client *client = client_open(place.port);
    struct reply *wait = client_ask(client, "GET", "/wait", NULL, 0);
    CLIENT_UNTIL(client, atomic_load(&place.ends) == 1);
    net_server_quiesce(place.server);
    net_server_quiesce(place.server);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(place.port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    cr_expect_neq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    cr_expect_eq(errno, ECONNREFUSED);
    close(fd);
    place_release(&place);
    client_finish(client, wait);
    cr_expect_eq(wait->status, 200);
    client_close(client);
    place_close(&place);
}

static void await_newcomers(bool silent, uint32_t n)
{
    for (int tries = 0; net_server_newcomers(place.server, silent) != n; tries++) {
        cr_assert_lt(tries, 15000, "%u newcomers, not %u", net_server_newcomers(place.server, silent), n);
        usleep(1000);
    }
}

/* A connection is one from when it is accepted until its first request has begun, or it has ended. */
Test(doorman, newcomers)
{
    static const char head[] = "GET /bytes?5 HTTP/1.1\r\nHost: a\r\n", end[] = "\r\n";
    PLACE_OPEN(&place);
    int silent = client_connect(place.port), h1 = client_connect(place.port), gone = client_connect(place.port);
    await_newcomers(true, 3);
    cr_expect_eq(net_server_newcomers(place.server, false), 0);
    send(h1, head, strlen(head), 0);
    send(gone, head, strlen(head), 0);
    await_newcomers(false, 2);
    struct client *h2 = client_open(place.port), *idle = client_open(place.port);
    CLIENT_UNTIL(h2, h2->settings);
    CLIENT_UNTIL(idle, idle->settings);
    await_newcomers(false, 4);
    for (int i = 0; i < 2; i++) {
        struct reply *reply = client_ask(h2, "POST", "/echo", "hello", 5);
        client_finish(h2, reply);
    }
    await_newcomers(false, 3);
    close(gone);
    await_newcomers(false, 2);
    net_server_quiesce(place.server);
    CLIENT_UNTIL(idle, idle->ended); /* it was told to ask elsewhere */
    await_newcomers(false, 1);
    await_newcomers(true, 2);
    send(h1, end, strlen(end), 0);
    await_newcomers(true, 1);
    expect_closed(h1);
    close(silent);
    await_newcomers(true, 0);
    client_close(h2);
    client_close(idle);
    place_close(&place);
}

Test(doorman, socket_in_the_file_system)
{
    struct error err;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "/tmp/doorman.%d", (int)getpid());
    PLACE_OPEN(&place);
    struct net_options options = place.options;
    struct net_listener listener = {.side = NET_PUBLIC};
    cr_assert_eq(net_listen_unix(&listener.fd, address.sun_path, &err), STATUS_OK, "%s", err.message);
    struct net_server *server = NULL;
    cr_assert_eq(net_server_create(&server, &options, &listener, 1, &err), STATUS_OK, "%s", err.message);
    for (int i = 0; i < 2; i++) {
        const char *request = i ? NGHTTP2_CLIENT_MAGIC : "GET /bytes?5 HTTP/1.1\r\nHost: a\r\n\r\n";
        char answer[4] = "";
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
        send(fd, request, strlen(request), 0);
        cr_assert_eq(recv(fd, answer, sizeof answer, MSG_WAITALL), 4);
        cr_expect(i ? answer[3] == NGHTTP2_SETTINGS : memcmp(answer, "HTTP", 4) == 0);
        close(fd);
    }
    net_server_destroy(&server);
    cr_expect_neq(access(address.sun_path, F_OK), 0, "the path has gone with it");
    place_close(&place);
}

Test(doorman, file_that_is_no_socket_stays)
{
    struct error err;
    char path[] = "/tmp/doorman.XXXXXX";
    int fd, file = mkstemp(path);
    cr_assert_eq(write(file, "keep", 4), 4);
    close(file);
    cr_expect_eq(net_listen_unix(&fd, path, &err), STATUS_IO);
    struct stat after = {0};
    cr_expect_eq(stat(path, &after), 0, "the file is gone");
    cr_expect_eq(after.st_size, 4);
    unlink(path);
}
