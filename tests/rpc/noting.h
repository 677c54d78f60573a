/* A service that notes what it hears, and requests to it over an exchange without a connection. Defines what
 * fake_exchange.h does, so one file of a program may include it. */
#ifndef TESTS_RPC_NOTING_H
#define TESTS_RPC_NOTING_H

#include <criterion/criterion.h>

#include "server/net/coding.h"
#include "server/rpc/envelope.h"
#include "tests/rpc/fake_exchange.h"

enum { LIMIT = 2000 };

/* A service that notes what it hears in `heard`, and answers as the messages say: "send x", "fail", "lack", "wait".
 * ----------
 */

static char heard[4096];
static struct rpc_stream *last_stream;
static bool frees; /* messages are given back at once */

static inline void note(const char *what, const char *bytes, size_t len)
{
    size_t n = strlen(heard);
    snprintf(heard + n, sizeof heard - n, "%s%s%.*s", n ? " " : "", what, (int)len, bytes);
}

static inline void send_text(struct rpc_stream *stream, const char *text, size_t len)
{
    char *copy = mem_alloc(len + 1);
    memcpy(copy, text, len);
    rpc_send(stream, copy, len);
}

static void on_start(struct rpc_stream *stream)
{
    last_stream = stream;
    note("start", "", 0);
    if (rpc_method_of(stream)->kind == RPC_BIDI_STREAM)
        rpc_hold(stream, 2);
}

static inline bool is_one(const struct rpc_stream *stream)
{
    return rpc_method_of(stream)->kind == RPC_UNARY || rpc_method_of(stream)->kind == RPC_CLIENT_STREAM;
}

static void on_message(struct rpc_stream *stream, const char *bytes, size_t len)
{
    static const struct rpc_detail detail = {"a.B", "\x08\x01", 2};
    note("", bytes, len < 20 ? len : 20);
    if (frees)
        rpc_consume(stream);
    if (len >= 5 && memcmp(bytes, "send ", 5) == 0) {
        rpc_add_header(stream, "x-head", "h");
        rpc_add_trailer(stream, "x-tail", "t1");
        rpc_add_trailer(stream, "x-tail", "t2");
        send_text(stream, bytes + 5, len - 5);
    } else if (len == 4 && memcmp(bytes, "lack", 4) == 0) {
        rpc_send(stream, NULL, 0);
        note("sent", "", 0);
    } else if (len == 4 && memcmp(bytes, "fail", 4) == 0) {
        rpc_finish(stream, 9, "not \xc3\xa9", &detail, 1);
    }
}

static void on_half_close(struct rpc_stream *stream)
{
    note("end", "", 0);
    if (!strstr(heard, "wait") && !strstr(heard, "fail"))
        rpc_finish(stream, 0, NULL, NULL, 0);
}

static void on_wake(struct rpc_stream *stream)
{
    note("wake", "", 0);
    if (rpc_method_of(stream)->kind == RPC_BIDI_STREAM) {
        rpc_consume(stream);
        return;
    }
    if (is_one(stream))
        send_text(stream, "late", 4);
    rpc_finish(stream, 0, NULL, NULL, 0);
}

static void on_time(struct rpc_stream *stream)
{
    (void)stream;
    note("time", "", 0);
}

static void on_cancel(struct rpc_stream *stream)
{
    note("cancel", "", 0);
    rpc_finish(stream, 1, "gave up", NULL, 0);
}

static void on_over(struct rpc_stream *stream)
{
    (void)stream;
    note("over", "", 0);
}

#define METHOD(name_, kind_, get_)                                                                                     \
    {                                                                                                                  \
        .name = name_, .kind = kind_, .no_side_effects = get_, .state_size = 8, .on_start = on_start,                  \
        .on_message = on_message, .on_half_close = on_half_close, .on_wake = on_wake, .on_time = on_time,              \
        .on_cancel = on_cancel, .on_over = on_over                                                                     \
    }
static const struct rpc_method methods[] = {
    METHOD("Unary", RPC_UNARY, false),
    METHOD("Get", RPC_UNARY, true),
    METHOD("Server", RPC_SERVER_STREAM, false),
    METHOD("Client", RPC_CLIENT_STREAM, false),
    METHOD("Bidi", RPC_BIDI_STREAM, false),
    {.name = "Admin", .kind = RPC_UNARY, .admin = true, .on_message = on_message, .on_half_close = on_half_close},
};
static const struct rpc_service service = {"p.S", methods, sizeof methods / sizeof *methods};

/* Requests -------------------------------------------------------------------------------------------------------- */

static struct rpc_server *server;
static struct net_exchange exchange;

static void begin(void)
{
    struct rpc_options options = {.payload_limit = LIMIT, .has_admin = true, .services = &service, .n_services = 1};
    cr_assert_eq(rpc_server_create(&server, NULL, &options, NULL), STATUS_OK);
}

static void end(void)
{
    rpc_server_destroy(&server);
}

static inline void header(const char *name, const char *value)
{
    int n = 0;
    while (exchange.headers[n][0])
        n++;
    exchange.headers[n][0] = name;
    exchange.headers[n][1] = value;
}

static inline void open_as(const char *path, const char *type)
{
    heard[0] = '\0';
    frees = false;
    exchange.path = path;
    if (type)
        header("content-type", type);
    fake_begin(&exchange, server);
}

static inline void put(const char *text)
{
    struct buf out = {0};
    rpc_envelope_write(&out, 0, text, strlen(text));
    fake_body(&exchange, out.data, out.len);
    buf_finish(&out);
}

static inline void expect_code(unsigned code)
{
    cr_assert(exchange.given);
    cr_expect_eq(exchange.code, code, "%u", exchange.code);
}

static inline void expect_body(const char *bytes, size_t len)
{
    cr_expect(exchange.body.len == len && (len == 0 || memcmp(exchange.body.data, bytes, len) == 0), "%zu bytes: %.*s",
              exchange.body.len, (int)exchange.body.len, exchange.body.data ? exchange.body.data : "");
}

static inline void expect_field(const char *name, const char *value)
{
    const char *got = fake_find(exchange.fields, exchange.n_fields, name);
    cr_expect(value ? got && strcmp(got, value) == 0 : !got, "%s: %s", name, got ? got : "(none)");
}

static inline void expect_trailer(const char *name, const char *value)
{
    const char *got = fake_find(exchange.trailers, exchange.n_trailers, name);
    cr_expect(value ? got && strcmp(got, value) == 0 : !got, "%s: %s", name, got ? got : "(none)");
}

static inline void expect_heard(const char *right)
{
    cr_expect_str_eq(heard, right);
}

static inline void close_heard(const char *right)
{
    fake_close(&exchange);
    expect_heard(right);
}

static inline void compress_text(struct buf *out, const char *text, size_t len)
{
    net_encode(out, NET_GZIP, text, len);
    cr_assert_not(out->failed);
}

#endif
