/* Connect, gRPC-Web and gRPC in bytes: what a service hears, and what goes out. */
#include <criterion/criterion.h>
#include <time.h>

#include "base/clock.h"
#include "server/net/coding.h"
#include "server/rpc/base64.h"
#include "server/rpc/envelope.h"
#include "tests/rpc/fake_exchange.h"

enum { LIMIT = 2000 };

/* A service that notes what it hears in `heard`, and answers as the messages say: "send x", "fail", "wait". ----------
 */

static char heard[4096];
static struct rpc_stream *last_stream;
static bool frees; /* messages are given back at once */

static void note(const char *what, const char *bytes, size_t len)
{
    size_t n = strlen(heard);
    snprintf(heard + n, sizeof heard - n, "%s%s%.*s", n ? " " : "", what, (int)len, bytes);
}

static void send_text(struct rpc_stream *stream, const char *text, size_t len)
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

static bool is_one(const struct rpc_stream *stream)
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

TestSuite(protocols, .init = begin, .fini = end);

static void header(const char *name, const char *value)
{
    int n = 0;
    while (exchange.headers[n][0])
        n++;
    exchange.headers[n][0] = name;
    exchange.headers[n][1] = value;
}

static void open_as(const char *path, const char *type)
{
    heard[0] = '\0';
    frees = false;
    exchange.path = path;
    if (type)
        header("content-type", type);
    fake_begin(&exchange, server);
}

static void put(const char *text)
{
    struct buf out = {0};
    rpc_envelope_write(&out, 0, text, strlen(text));
    fake_body(&exchange, out.data, out.len);
    buf_finish(&out);
}

static void expect_code(unsigned code)
{
    cr_assert(exchange.given);
    cr_expect_eq(exchange.code, code, "%u", exchange.code);
}

static void expect_body(const char *bytes, size_t len)
{
    cr_expect(exchange.body.len == len && (len == 0 || memcmp(exchange.body.data, bytes, len) == 0), "%zu bytes: %.*s",
              exchange.body.len, (int)exchange.body.len, exchange.body.data ? exchange.body.data : "");
}

static void expect_field(const char *name, const char *value)
{
    const char *got = fake_find(exchange.fields, exchange.n_fields, name);
    cr_expect(value ? got && strcmp(got, value) == 0 : !got, "%s: %s", name, got ? got : "(none)");
}

static void expect_trailer(const char *name, const char *value)
{
    const char *got = fake_find(exchange.trailers, exchange.n_trailers, name);
    cr_expect(value ? got && strcmp(got, value) == 0 : !got, "%s: %s", name, got ? got : "(none)");
}

static void expect_heard(const char *right)
{
    cr_expect_str_eq(heard, right);
}

static void close_heard(const char *right)
{
    fake_close(&exchange);
    expect_heard(right);
}

static void compress_text(struct buf *out, const char *text, size_t len)
{
    net_encode(out, NET_GZIP, text, len);
    cr_assert_not(out->failed);
}

/* Each protocol --------------------------------------------------------------------------------------------------- */

Test(protocols, connect_unary)
{
    open_as("/p.S/Unary", "application/proto");
    fake_body(&exchange, "send", 4);
    fake_body(&exchange, " you", 4);
    expect_heard("");
    fake_end(&exchange);
    expect_code(200);
    expect_body("you", 3);
    expect_field("content-type", "application/proto");
    expect_field("x-head", "h");
    expect_field("trailer-x-tail", "t1");
    close_heard("start send you end over");
}

Test(protocols, connect_unary_error)
{
    open_as("/p.S/Unary", "application/json; charset=utf-8");
    fake_body(&exchange, "fail", 4);
    fake_end(&exchange);
    static const char right[] = "{\"code\":\"failed_precondition\",\"message\":\"not \xc3\xa9\","
                                "\"details\":[{\"type\":\"a.B\",\"value\":\"CAE\"}]}";
    expect_code(400);
    expect_body(right, sizeof right - 1);
    expect_field("content-type", "application/json");
    close_heard("start fail over");
}

Test(protocols, connect_get)
{
    exchange.method = "GET";
    exchange.query = "connect=v1&encoding=json&base64=1&message=c2VuZCB5b3U&compression=";
    open_as("/p.S/Get", NULL);
    fake_end(&exchange);
    expect_code(200);
    expect_body("you", 3);
    expect_field("content-type", "application/json");
    close_heard("start send you end over");
    exchange.method = "GET";
    exchange.query = "message=send%20y%6fu+too&encoding=proto";
    open_as("/p.S/Get", NULL);
    fake_end(&exchange);
    expect_body("you too", 7);
    fake_close(&exchange);
}

Test(protocols, connect_get_compressed)
{
    struct buf packed = {0}, query = {0};
    compress_text(&packed, "send you", 8);
    buf_puts(&query, "encoding=proto&compression=gzip&base64=1&message=");
    rpc_base64_write(&query, packed.data, packed.len);
    for (size_t i = 0; i < query.len; i++)
        query.data[i] = query.data[i] == '+' ? '-' : query.data[i] == '/' ? '_' : query.data[i];
    buf_append(&query, "", 1);
    exchange.method = "GET";
    exchange.query = query.data;
    open_as("/p.S/Get", NULL);
    fake_end(&exchange);
    expect_body("you", 3);
    fake_close(&exchange);
    buf_finish(&packed);
    buf_finish(&query);
}

Test(protocols, connect_get_that_is_wrong)
{
    static const struct {
        const char *query;
        unsigned code;
    } rows[] = {{NULL, 400},
                {"encoding=json", 400},
                {"encoding=xml&message=a", 400},
                {"message=a", 400},
                {"encoding=json&message=a&connect=v2", 400},
                {"encoding=json&message=***&base64=1", 400},
                {"encoding=json&message=a&compression=br", 501}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        exchange.method = "GET";
        exchange.query = rows[i].query;
        open_as("/p.S/Get", NULL);
        fake_end(&exchange);
        expect_code(rows[i].code);
        close_heard("");
    }
}

Test(protocols, connect_stream)
{
    open_as("/p.S/Server", "application/connect+proto");
    put("send you");
    fake_end(&exchange);
    expect_code(200);
    expect_body("\0\0\0\0\3you\2\0\0\0\x23{\"metadata\":{\"x-tail\":[\"t1\",\"t2\"]}}", 48);
    expect_field("content-type", "application/connect+proto");
    close_heard("start send you end over");
    open_as("/p.S/Server", "application/connect+json");
    put("fail");
    fake_end(&exchange);
    expect_code(200);
    cr_expect(memmem(exchange.body.data, exchange.body.len, "{\"error\":{\"code\":\"failed_precondition\"", 38) ==
              exchange.body.data + 5);
    close_heard("start fail over");
}

Test(protocols, grpc_unary)
{
    open_as("/p.S/Unary", "application/grpc");
    put("send you");
    fake_end(&exchange);
    expect_code(200);
    expect_body("\0\0\0\0\3you", 8);
    expect_field("content-type", "application/grpc");
    expect_field("grpc-status", NULL);
    expect_field("x-head", "h");
    expect_trailer("grpc-status", "0");
    expect_trailer("grpc-message", NULL);
    expect_trailer("x-tail", "t1");
    close_heard("start send you end over");
}

Test(protocols, grpc_error_is_in_the_headers)
{
    open_as("/p.S/Unary", "application/grpc+proto");
    put("fail");
    fake_end(&exchange);
    expect_code(200);
    expect_body("", 0);
    expect_field("content-type", "application/grpc+proto");
    expect_field("grpc-status", "9");
    expect_field("grpc-message", "not %C3%A9");
    expect_field("grpc-status-details-bin", "CAkSBm5vdCDDqRodChd0eXBlLmdvb2dsZWFwaXMuY29tL2EuQhICCAE");
    close_heard("start fail over");
}

Test(protocols, grpc_streams_both_ways)
{
    open_as("/p.S/Bidi", "application/grpc");
    frees = true;
    expect_heard("start");
    put("send a");
    cr_expect(exchange.begun && !exchange.given);
    expect_body("\0\0\0\0\1a", 6);
    put("fail");
    cr_expect(exchange.given);
    expect_trailer("grpc-status", "9");
    expect_trailer("grpc-message", "not %C3%A9");
    expect_trailer("x-tail", "t1");
    close_heard("start send a fail over");
}

Test(protocols, grpc_web)
{
    open_as("/p.S/Unary", "application/grpc-web+proto");
    put("send you");
    fake_end(&exchange);
    static const char right[] = "\0\0\0\0\3you\x80\0\0\0\x28"
                                "grpc-status: 0\r\nx-tail: t1\r\nx-tail: t2\r\n";
    expect_body(right, sizeof right - 1);
    expect_field("content-type", "application/grpc-web+proto");
    close_heard("start send you end over");
}

Test(protocols, grpc_web_text)
{
    open_as("/p.S/Unary", "application/grpc-web-text");
    fake_body(&exchange, "AAAAAAhzZW5kIH", 14);
    fake_body(&exchange, "lvdQ==", 6);
    fake_end(&exchange);
    static const char right[] = "AAAAAAN5b3WAAAAAKGdycGMtc3RhdHVzOiAwDQp4LXRhaWw6IHQxDQp4LXRhaWw6IHQyDQo=";
    expect_body(right, sizeof right - 1);
    expect_field("content-type", "application/grpc-web-text");
    close_heard("start send you end over");
}

/* Compression ----------------------------------------------------------------------------------------------------- */

Test(protocols, answers_are_compressed_like_the_request)
{
    struct buf packed = {0}, out = {0};
    char text[5 + 1500] = "send ";
    memset(text + 5, 'x', 1500);
    compress_text(&packed, text, sizeof text);
    rpc_envelope_write(&out, RPC_ENVELOPE_COMPRESSED, packed.data, packed.len);
    header("grpc-encoding", "gzip");
    header("grpc-accept-encoding", "identity, gzip");
    open_as("/p.S/Unary", "application/grpc");
    fake_body(&exchange, out.data, out.len);
    fake_end(&exchange);
    expect_field("grpc-encoding", "gzip");
    cr_expect_eq(exchange.body.data[0], 1);
    cr_expect_lt(exchange.body.len, 200u);
    expect_trailer("grpc-status", "0");
    fake_close(&exchange);
    buf_finish(&packed);
    buf_finish(&out);
}

Test(protocols, what_is_compressed_keeps_to_the_limit)
{
    struct buf packed = {0};
    static char text[LIMIT + 1];
    compress_text(&packed, text, sizeof text);
    header("content-encoding", "gzip");
    open_as("/p.S/Unary", "application/proto");
    fake_body(&exchange, packed.data, packed.len);
    fake_end(&exchange);
    expect_code(429);
    close_heard("");
    packed.data[packed.len - 1] ^= 1;
    header("content-encoding", "gzip");
    open_as("/p.S/Unary", "application/proto");
    fake_body(&exchange, packed.data, packed.len / 2);
    fake_end(&exchange);
    expect_code(400);
    close_heard("");
    buf_finish(&packed);
}

Test(protocols, unknown_codings_are_refused_with_those_that_are_known)
{
    header("grpc-encoding", "br");
    open_as("/p.S/Bidi", "application/grpc");
    expect_field("grpc-status", "12");
    expect_field("grpc-accept-encoding", "gzip, deflate, zstd, identity");
    close_heard("");
    header("content-encoding", "br");
    open_as("/p.S/Unary", "application/json");
    expect_code(501);
    expect_field("accept-encoding", "gzip, deflate, zstd, identity");
    close_heard("");
}

/* What is wrong --------------------------------------------------------------------------------------------------- */

Test(protocols, http_says_what_no_protocol_can)
{
    static const struct {
        const char *method, *path, *type;
        unsigned version, code;
    } rows[] = {{"POST", "/p.S/Unary", "image/png", 20, 415},
                {"POST", "/p.S/Unary", NULL, 20, 415},
                {"POST", "/p.S/Unary", "application/xml", 20, 415},
                {"POST", "/p.S/Unary", "application/connect+proto", 20, 415},
                {"POST", "/p.S/Server", "application/proto", 20, 415},
                {"POST", "/p.S/Server", "application/connect+xml", 20, 415},
                {"POST", "/p.S/Server", "application/connect", 20, 415},
                {"GET", "/p.S/Unary", NULL, 20, 405},
                {"DELETE", "/p.S/Get", "application/grpc", 20, 405},
                {"OPTIONS", "/p.S/Get", NULL, 20, 204},
                {"POST", "/p.S/None", "application/proto", 20, 404},
                {"POST", "/p.S/None", NULL, 20, 404},
                {"POST", "/p.S/Unary", "application/grpc", 11, 505},
                {"POST", "/p.S/Bidi", "application/connect+json", 11, 505}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        exchange.method = rows[i].method;
        exchange.version = rows[i].version;
        open_as(rows[i].path, rows[i].type);
        cr_assert(exchange.given);
        cr_expect_eq(exchange.code, rows[i].code, "%s %s %s: %u", rows[i].method, rows[i].path, rows[i].type,
                     exchange.code);
        close_heard("");
    }
}

Test(protocols, requests_of_other_paths_are_not_taken)
{
    struct net_handler handler;
    rpc_server_handler(server, &handler);
    static const struct {
        const char *path, *type;
        bool taken;
    } rows[] = {{"/p.S/Unary", NULL, true},
                {"/p.S/None", NULL, true},
                {"/p.S", NULL, false},
                {"/p.Sx/Unary", NULL, false},
                {"/embed", "application/json", false},
                {"/q.S/Unary", "application/proto", false},
                {"/q.S/Unary", "application/grpc", true},
                {"/q.S/Unary", "application/grpc-web-text+proto", true},
                {"/q.S/Unary", "application/connect+json", true}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct net_exchange other = {.path = rows[i].path, .handler = handler};
        other.headers[0][0] = rows[i].type ? "content-type" : NULL;
        other.headers[0][1] = rows[i].type;
        cr_expect_eq(handler.takes(&other), rows[i].taken, "%s %s", rows[i].path, rows[i].type);
    }
}

/* A head that gRPC refuses with this status, before anything is heard. */
static void expect_refused(const char *path, const char *type, const char *status)
{
    open_as(path, type);
    fake_end(&exchange);
    expect_code(200);
    expect_field("grpc-status", status);
    close_heard("");
}

Test(protocols, heads_that_grpc_refuses)
{
    expect_refused("/p.S/None", "application/grpc", "12");
    expect_refused("/q.S/Unary", "application/grpc-web", "12");
    expect_refused("/p.S/Unary", "application/grpc+xml", "12");
    expect_refused("/p.S/Admin", "application/grpc", "7");
    header("grpc-timeout", "soon");
    expect_refused("/p.S/Bidi", "application/grpc", "3");
    exchange.side = NET_ADMIN;
    open_as("/p.S/Admin", "application/grpc");
    put("send you");
    fake_end(&exchange);
    expect_trailer("grpc-status", "0");
    fake_close(&exchange);
}

/* A body that gRPC refuses with this status, unary. */
static void expect_body_refused(const char *type, const char *bytes, size_t len, const char *status)
{
    for (size_t piece = 1; piece <= len + 1; piece += len + 1) { /* byte by byte, then at once */
        open_as("/p.S/Unary", type);
        for (size_t at = 0; at < len; at += piece)
            fake_body(&exchange, bytes + at, len - at < piece ? len - at : piece);
        fake_end(&exchange);
        expect_field("grpc-status", status);
        close_heard("");
    }
}

Test(protocols, bodies_that_grpc_refuses)
{
    expect_body_refused("application/grpc", "", 0, "12");
    expect_body_refused("application/grpc", "\0\0\0\0\1a\0\0\0\0\1b", 12, "12");
    expect_body_refused("application/grpc", "\0\0\0\0\2a", 6, "13");
    expect_body_refused("application/grpc", "\0\0\0", 3, "13");
    expect_body_refused("application/grpc", "\1\0\0\0\1a", 6, "13");
    expect_body_refused("application/grpc", "\x40\0\0\0\1a", 6, "13");
    expect_body_refused("application/grpc", "\0\0\0\x07\xd1", 5, "8");
    expect_body_refused("application/grpc-web-text", "AA*A", 4, "3");
    expect_body_refused("application/grpc-web-text", "AAAAA", 5, "3");
}

Test(protocols, a_message_of_no_bytes_is_one)
{
    open_as("/p.S/Client", "application/grpc");
    put("");
    put("wait");
    fake_end(&exchange);
    rpc_wake(last_stream);
    fake_poll(&exchange);
    expect_trailer("grpc-status", "0");
    close_heard("start  wait end wake over");
}

Test(protocols, a_stream_that_breaks_off_is_cancelled)
{
    open_as("/p.S/Client", "application/grpc");
    put("wait");
    fake_body(&exchange, "\0\0\0", 3);
    fake_end(&exchange);
    expect_field("grpc-status", "13");
    expect_field("grpc-message", "the request ends inside a message");
    close_heard("start wait cancel over");
    open_as("/p.S/Client", "application/grpc");
    fake_body(&exchange, "\0\0\1\0\0", 5);
    expect_field("grpc-status", "8");
    close_heard("start cancel over");
}

Test(protocols, methods_that_give_no_answer)
{
    open_as("/p.S/Unary", "application/grpc");
    put("nothing");
    fake_end(&exchange);
    expect_field("grpc-status", "13");
    fake_close(&exchange);
}

/* Time, flow, ends ------------------------------------------------------------------------------------------------ */

static void wait_for_wake(void)
{
    for (int tries = 0; atomic_load(&exchange.wakes) == 0; tries++) {
        cr_assert_lt(tries, 60000, "no wake");
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    fake_poll(&exchange);
}

Test(protocols, deadlines_cancel)
{
    header("grpc-timeout", "20m");
    open_as("/p.S/Bidi", "application/grpc");
    put("wait");
    while (!exchange.given)
        wait_for_wake();
    expect_field("grpc-status", "4");
    close_heard("start wait cancel over");
    header("connect-timeout-ms", "0");
    open_as("/p.S/Unary", "application/proto"); /* nothing of the body came */
    while (!exchange.given)
        wait_for_wake();
    expect_code(504);
    close_heard("");
}

Test(protocols, times_come_once)
{
    open_as("/p.S/Bidi", "application/grpc");
    rpc_set_time(last_stream, clock_now_ns() + 1000000);
    while (!strstr(heard, "time"))
        wait_for_wake();
    rpc_set_time(last_stream, clock_now_ns() + 3600000000000u);
    rpc_set_time(last_stream, 0);
    fake_poll(&exchange);
    fake_end(&exchange);
    close_heard("start time end over");
}

Test(protocols, clients_that_leave_cancel)
{
    open_as("/p.S/Bidi", "application/grpc");
    fake_gone(&exchange);
    close_heard("start cancel over");
    open_as("/p.S/Unary", "application/grpc-web"); /* before the service knows of it */
    fake_gone(&exchange);
    close_heard("");
}

Test(protocols, at_most_so_many_messages_are_in_hand)
{
    struct buf out = {0};
    for (int i = 0; i < 4; i++)
        rpc_envelope_write(&out, 0, "wait", 4);
    open_as("/p.S/Bidi", "application/grpc");
    cr_assert(exchange.hold);
    fake_body(&exchange, out.data, out.len);
    expect_heard("start wait wait");
    cr_expect_eq(exchange.consumed, 18u, "%zu", exchange.consumed);
    rpc_wake(last_stream);
    fake_poll(&exchange);
    expect_heard("start wait wait wake wait");
    cr_expect_eq(exchange.consumed, 27u, "%zu", exchange.consumed);
    fake_end(&exchange); /* comes after the message that still waits */
    rpc_wake(last_stream);
    fake_poll(&exchange);
    expect_heard("start wait wait wake wait wake wait");
    rpc_wake(last_stream);
    fake_poll(&exchange);
    expect_heard("start wait wait wake wait wake wait wake end");
    cr_expect_eq(exchange.consumed, out.len);
    fake_gone(&exchange);
    fake_close(&exchange);
    buf_finish(&out);
}

Test(protocols, half_a_message_may_always_go_on)
{
    open_as("/p.S/Bidi", "application/grpc");
    fake_body(&exchange, "\0\0\0\2\0wai", 8);
    cr_expect_eq(exchange.consumed, 8u);
    fake_gone(&exchange);
    close_heard("start cancel over");
}

Test(protocols, streams_are_of_their_state)
{
    open_as("/p.S/Bidi", "application/grpc");
    cr_expect_eq(rpc_stream_of_state(rpc_state(last_stream)), last_stream);
    cr_expect_eq((uintptr_t)rpc_state(last_stream) % 16, 0u);
    fake_gone(&exchange);
    fake_close(&exchange);
}

/* Each allocation fails in turn: the answer is always given, and nothing leaks. */
Test(protocols, memory_runs_out)
{
    static const char *const types[] = {"application/proto", "application/grpc", "application/grpc-web-text"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        for (long n = 0; n < 40; n++) {
            long before = mem_in_use();
            mem_fail_after(n);
            open_as("/p.S/Unary", types[i]);
            if (i == 0)
                fake_body(&exchange, "wait", 4);
            else
                fake_body(&exchange, i == 1 ? "\0\0\0\0\4wait" : "AAAAAAR3YWl0", i == 1 ? 9 : 12);
            fake_end(&exchange);
            if (!exchange.given && strstr(heard, "end"))
                rpc_finish(last_stream, 9, "no", NULL, 0);
            mem_fail_after(-1);
            fake_close(&exchange);
            cr_assert_eq(mem_in_use(), before, "%s, allocation %ld", types[i], n);
        }
    }
}
