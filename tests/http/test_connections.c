/* Connections: kept after errors, pipelined, slow, many, too large; access by key. */
#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/http/client.h"
#include "tests/http/process.h"
#include "tests/http/raw.h"

enum { PAYLOAD = 100000, PATIENCE_MS = 600000 };

PROCESS_MAIN
{
    return process_main(argc, argv, "--boards 1 --drain-seconds 0 --payload-limit 100000");
}

static const char good[] = "{\"inputs\":\"hello\"}";

static struct answer ask(void **handle, const char *method, const char *path, const struct sending *sending)
{
    return client_ask_kept(handle, process_shared(), method, path, sending);
}

static struct process start_impatient(void)
{
    return process_start("--boards 1 --drain-seconds 0 --idle-timeout-seconds 1");
}

/* A body of this many bytes that is a good request. */
static char *padded(size_t size)
{
    char *body = malloc(size + 1);
    memset(body, ' ', size);
    memcpy(body, good, sizeof good - 1);
    body[size] = '\0';
    return body;
}

static size_t raw_request(char *to, size_t size, const char *body)
{
    return (size_t)snprintf(
        to, size,
        "POST /embed HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
        "\r\n%s",
        strlen(body), body);
}

Test(keep_alive, survives_errors)
{
    char *large = padded(PAYLOAD + 50000);
    struct {
        const char *method;
        const char *path;
        struct sending sending;
        long code;
    } steps[] = {
        {"POST", "/embed", {.body = good}, 200},
        {"POST", "/embed", {.body = "{\"inputs\":"}, 400},
        {"POST", "/embed", {.body = "{\"inputs\":\"\"}"}, 400},
        {"POST", "/nothing", {.body = good}, 404},
        {"POST", "/health", {.body = good}, 405},
        {"GET", "/embed", {0}, 405},
        {"POST", "/embed", {.body = good, .without_content_type = true}, 415},
        {"POST", "/embed", {.body = large}, 413},
        {"POST", "/embed", {.body = large, .chunked = true}, 413},
        {"POST", "/embed", {.body = good, .chunked = true}, 200},
        {"HEAD", "/health", {0}, 200},
        {"OPTIONS", "/embed", {0}, 204},
        {"POST", "/embed", {.body = good}, 200},
    };
    void *handle = NULL;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct answer answer = ask(&handle, steps[i].method, steps[i].path, &steps[i].sending);
        cr_expect_eq(answer.code, steps[i].code, "step %zu: %ld", i, answer.code);
        cr_expect_eq(answer.connects, i == 0, "step %zu took a new connection", i);
        client_free(&answer);
    }
    client_close(&handle);
    free(large);
}

Test(payload, limit_is_exact)
{
    char *body = padded(PAYLOAD);
    client_expect_ok(client_post(process_shared(), "/embed", body));
    struct sending chunked = {.body = body, .chunked = true};
    client_expect_ok(client_ask(process_shared(), "POST", "/embed", &chunked));
    free(body);
    body = padded(PAYLOAD + 1);
    client_expect_error(client_post(process_shared(), "/embed", body), 413, "Validation", "limit of 100000 bytes");
    chunked.body = body;
    client_expect_error(client_ask(process_shared(), "POST", "/embed", &chunked), 413, "Validation", "100000 bytes");
    free(body);
}

/* A client that waits for 100 Continue hears of the limit before it has sent anything. */
Test(payload, is_refused_before_it_is_sent)
{
    static const char head[] = "POST /embed HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                               "Content-Length: 200000\r\nExpect: 100-continue\r\n\r\n";
    char body[512];
    int fd = client_connect(process_shared());
    client_send(fd, head, sizeof head - 1);
    cr_expect_eq(client_read(fd, body, sizeof body), 413);
    cr_expect(strstr(body, "100000") != NULL, "%s", body);
    close(fd);
}

Test(payload, continue_is_said)
{
    char body[16384];
    char head[256];
    int fd = client_connect(process_shared());
    int len = snprintf(head, sizeof head,
                       "POST /embed HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
                       "Expect: 100-continue\r\n\r\n",
                       sizeof good - 1);
    client_send(fd, head, (size_t)len);
    cr_expect_eq(client_read(fd, body, sizeof body), 100);
    client_send(fd, good, sizeof good - 1);
    cr_expect_eq(client_read(fd, body, sizeof body), 200);
    close(fd);
}

/* Declared far beyond what is worth reading: answered once and closed, without waiting for what still comes. */
Test(payload, absurd_lengths)
{
    static const char *const lengths[] = {"99999999999", "9223372036854775807", "18446744073709551615",
                                          "18446744073709551616", "10000000000000000000000000000000000000000"};
    static struct raw_answer answer;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        char head[256], byte;
        int len =
            snprintf(head, sizeof head,
                     "POST /embed HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %s\r\n\r\n",
                     lengths[i]);
        int fd = client_connect(process_shared());
        client_send(fd, head, (size_t)len);
        raw_read(fd, &answer, false, PATIENCE_MS);
        cr_expect_eq(answer.code, 413, "%s: %d", lengths[i], answer.code);
        cr_expect(raw_is_error(&answer), "%s: %s", lengths[i], answer.body);
        cr_expect_eq(recv(fd, &byte, 1, 0), 0, "%s: closed after one answer", lengths[i]);
        close(fd);
    }
    client_expect_ok(client_post(process_shared(), "/embed", good));
}

Test(pipeline, answers_come_in_order)
{
    static const char *const bodies[] = {"{\"inputs\":\"a\"}", "{\"inputs\":[\"b\",\"c\"]}", "{\"inputs\":\"\"}",
                                         "{\"inputs\":\"d\",\"dimensions\":2}"};
    static const int codes[] = {200, 200, 400, 200};
    char all[4096];
    size_t len = 0;
    for (int i = 0; i < 4; i++)
        len += raw_request(all + len, sizeof all - len, bodies[i]);
    int fd = client_connect(process_shared());
    client_send(fd, all, len);
    for (int i = 0; i < 4; i++) {
        static char body[65536];
        cr_assert_eq(client_read(fd, body, sizeof body), codes[i], "answer %d", i);
        json_t *rows = json_loads(body, 0, NULL);
        if (codes[i] == 200)
            cr_expect_eq(json_array_size(rows), i == 1 ? 2u : 1u, "answer %d: %.80s", i, body);
        if (i == 3)
            cr_expect_eq(json_array_size(json_array_get(rows, 0)), 2u);
        json_decref(rows);
    }
    close(fd);
}

Test(slow, a_request_byte_by_byte)
{
    char request[512];
    char body[16384];
    size_t len = raw_request(request, sizeof request, good);
    int fd = client_connect(process_shared());
    for (size_t i = 0; i < len; i++) {
        client_send(fd, request + i, 1);
        usleep(2000);
    }
    cr_expect_eq(client_read(fd, body, sizeof body), 200);
    close(fd);
}

static bool closed_within(int fd, int milliseconds)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    char byte;
    return poll(&poll_fd, 1, milliseconds) == 1 && recv(fd, &byte, 1, 0) <= 0;
}

Test(slow, idle_connections_are_closed)
{
    struct process process = start_impatient();
    int fd = client_connect(process.port);
    cr_expect(closed_within(fd, PATIENCE_MS));
    close(fd);
    process_stop(&process);
}

/* Send `head`, then a byte now and then, until the connection is closed. */
static void expect_cut(const char *head, const char *byte)
{
    struct process process = start_impatient();
    int fd = client_connect(process.port);
    client_send(fd, head, strlen(head));
    bool closed = false;
    for (int i = 0; i < PATIENCE_MS / 100 && !closed; i++) {
        client_send(fd, byte, 1);
        closed = closed_within(fd, 100);
    }
    cr_expect(closed);
    close(fd);
    process_stop(&process);
}

/* One byte of a header now and then keeps no connection: the request as a whole has to arrive. */
Test(slow, endless_headers_are_cut)
{
    expect_cut("POST /embed HTTP/1.1\r\nHost: a\r\nX-A: ", "a");
}

Test(slow, endless_bodies_are_cut)
{
    expect_cut("POST /embed HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n",
               " ");
}

Test(headers, too_large)
{
    char *head = malloc(100000);
    int len = sprintf(head, "GET /health HTTP/1.1\r\nHost: a\r\nX-Large: ");
    memset(head + len, 'x', 90000);
    len += 90000;
    len += sprintf(head + len, "\r\n\r\n");
    char body[4096];
    int fd = client_connect(process_shared());
    client_send(fd, head, (size_t)len);
    int code = client_read(fd, body, sizeof body);
    cr_expect_eq(code, 431);
    close(fd);
    free(head);
    client_expect_ok(client_post(process_shared(), "/embed", good));
}

Test(many, connections_at_once)
{
    enum { N = 300 };
    static int fds[N];
    char request[512];
    size_t len = raw_request(request, sizeof request, good);
    for (int i = 0; i < N; i++)
        fds[i] = client_connect(process_shared());
    for (int i = 0; i < N; i++)
        client_send(fds[i], request, len);
    static char first[16384];
    static char other[16384];
    for (int i = 0; i < N; i++) {
        cr_assert_eq(client_read(fds[i], i ? other : first, sizeof first), 200, "connection %d", i);
        if (i)
            cr_assert_str_eq(other, first);
        close(fds[i]);
    }
}

Test(key, is_asked_for_where_it_matters)
{
    struct process process = process_start_with("--boards 1 --drain-seconds 0", "API_KEY", "s3cret");
    static const char *const right[] = {"Authorization: Bearer s3cret"};
    static const char *const wrong[] = {"Authorization: Bearer s3cre",   "Authorization: Bearer s3cret1",
                                        "Authorization: s3cret",         "Authorization: Basic s3cret",
                                        "Authorization: Bearers3cret",   "Authorization: Bearer S3cret",
                                        "Authorization: Bearer  s3cret", "Authorization;"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct answer answer =
            client_ask(process.port, "POST", "/embed", &(struct sending){.body = good, .headers = {wrong[i]}});
        cr_expect_str_eq(client_header(&answer, "WWW-Authenticate"), "Bearer");
        client_expect_error(answer, 401, "Unauthenticated", "Authorization");
    }
    client_expect_error(client_post(process.port, "/tokenize", good), 401, "Unauthenticated", "");
    client_expect_error(client_ask(process.port, "GET", "/info", NULL), 401, "Unauthenticated", "");
    client_expect_error(client_ask(process.port, "GET", "/nothing", NULL), 401, "Unauthenticated", "");
    client_expect_ok(client_ask(process.port, "GET", "/health", NULL));
    client_expect_ok(client_ask(process.port, "GET", "/ping", NULL));
    client_expect_ok(client_ask(process.port, "GET", "/metrics", NULL));
    client_expect_ok(
        client_ask(process.port, "POST", "/embed", &(struct sending){.body = good, .headers = {right[0]}}));
    client_expect_ok(client_ask(process.port, "GET", "/info", &(struct sending){.headers = {right[0]}}));
    cr_expect_not(process_logged(&process, "s3cret"));
    process_stop(&process);
}

/* The connection that is one too many is closed; the others go on. */
Test(limits, connections)
{
    struct process process = process_start("--boards 1 --drain-seconds 0 --max-connections 4");
    int fds[4];
    char request[512];
    char body[16384];
    size_t len = raw_request(request, sizeof request, good);
    for (int i = 0; i < 4; i++) {
        fds[i] = client_connect(process.port);
        client_send(fds[i], request, len);
        cr_expect_eq(client_read(fds[i], body, sizeof body), 200);
    }
    int extra = client_connect(process.port);
    cr_expect_not(closed_within(extra, 200), "it waits in the backlog, or");
    client_send(fds[0], request, len);
    cr_expect_eq(client_read(fds[0], body, sizeof body), 200);
    close(fds[1]);
    client_send(extra, request, len);
    cr_expect_eq(client_read(extra, body, sizeof body), 200, "once there is room");
    close(extra);
    for (int i = 0; i < 4; i++)
        if (i != 1)
            close(fds[i]);
    process_stop(&process);
}
