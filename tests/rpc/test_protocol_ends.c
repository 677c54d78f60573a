/* Requests that are refused, break off, take too long, or whose client leaves; flow control; memory that runs out. */
#include <time.h>

#include "base/clock.h"
#include "tests/rpc/noting.h"

TestSuite(protocol_ends, .init = begin, .fini = end);

/* What is wrong --------------------------------------------------------------------------------------------------- */

static void wake_last(void)
{
    if (rpc_begin_wake(last_stream))
        rpc_end_wake(last_stream);
}

Test(protocol_ends, http_says_what_no_protocol_can)
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

Test(protocol_ends, requests_of_other_paths_are_not_taken)
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

Test(protocol_ends, heads_that_grpc_refuses)
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

Test(protocol_ends, bodies_that_grpc_refuses)
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

/* The limit is that of the whole body, not of its pieces. */
Test(protocol_ends, a_body_of_pieces_keeps_to_the_limit)
{
    static char piece[LIMIT / 2 + 1];
    open_as("/p.S/Unary", "application/proto");
    fake_body(&exchange, piece, sizeof piece);
    cr_expect_not(exchange.given);
    fake_body(&exchange, piece, sizeof piece);
    expect_code(429);
    close_heard("");
}

/* As gRPC's own libraries send it. */
Test(protocol_ends, no_bytes_that_are_said_to_be_compressed)
{
    header("grpc-encoding", "gzip");
    open_as("/p.S/Client", "application/grpc");
    fake_body(&exchange, "\1\0\0\0\0", 5);
    fake_end(&exchange);
    cr_expect_null(strstr(heard, "cancel"), "%s", heard);
    fake_close(&exchange);
}

Test(protocol_ends, a_message_of_no_bytes_is_one)
{
    open_as("/p.S/Client", "application/grpc");
    put("");
    put("wait");
    fake_end(&exchange);
    wake_last();
    fake_poll(&exchange);
    expect_trailer("grpc-status", "0");
    close_heard("start  wait end wake over");
}

Test(protocol_ends, a_stream_that_breaks_off_is_cancelled)
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

Test(protocol_ends, a_message_without_memory_cancels_after_the_callback)
{
    open_as("/p.S/Bidi", "application/grpc");
    put("lack");
    expect_field("grpc-status", "8");
    close_heard("start lack sent cancel over");
}

Test(protocol_ends, methods_that_give_no_answer)
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

Test(protocol_ends, deadlines_cancel)
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

Test(protocol_ends, times_come_once)
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

Test(protocol_ends, a_service_that_sees_a_wake_coming_is_woken_also_by_a_timer)
{
    open_as("/p.S/Bidi", "application/grpc");
    put("wait");
    cr_expect_not(rpc_is_waking(last_stream));
    rpc_set_time(last_stream, clock_now_ns() + 1000000);
    for (int tries = 0; !rpc_is_waking(last_stream); tries++) {
        cr_assert_lt(tries, 60000, "no timer");
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    wait_for_wake();
    cr_expect_not(rpc_is_waking(last_stream));
    fake_gone(&exchange);
    close_heard("start wait wake time cancel over");
}

Test(protocol_ends, clients_that_leave_cancel)
{
    open_as("/p.S/Bidi", "application/grpc");
    fake_gone(&exchange);
    close_heard("start cancel over");
    open_as("/p.S/Unary", "application/grpc-web"); /* before the service knows of it */
    fake_gone(&exchange);
    close_heard("");
}

Test(protocol_ends, at_most_so_many_messages_are_in_hand)
{
    struct buf out = {0};
    for (int i = 0; i < 4; i++)
        rpc_envelope_write(&out, 0, "wait", 4);
    open_as("/p.S/Bidi", "application/grpc");
    cr_assert(exchange.hold);
    fake_body(&exchange, out.data, out.len);
    expect_heard("start wait wait");
    cr_expect_eq(exchange.consumed, 18u, "%zu", exchange.consumed);
    wake_last();
    fake_poll(&exchange);
    expect_heard("start wait wait wake wait");
    cr_expect_eq(exchange.consumed, 27u, "%zu", exchange.consumed);
    fake_end(&exchange); /* comes after the message that still waits */
    wake_last();
    fake_poll(&exchange);
    expect_heard("start wait wait wake wait wake wait");
    wake_last();
    fake_poll(&exchange);
    expect_heard("start wait wait wake wait wake wait wake end");
    cr_expect_eq(exchange.consumed, out.len);
    fake_gone(&exchange);
    fake_close(&exchange);
    buf_finish(&out);
}

Test(protocol_ends, half_a_message_may_always_go_on)
{
    open_as("/p.S/Bidi", "application/grpc");
    fake_body(&exchange, "\0\0\0\2\0wai", 8);
    cr_expect_eq(exchange.consumed, 8u);
    fake_gone(&exchange);
    close_heard("start cancel over");
}

Test(protocol_ends, streams_are_of_their_state)
{
    open_as("/p.S/Bidi", "application/grpc");
    cr_expect_eq(rpc_stream_of_state(rpc_state(last_stream)), last_stream);
    cr_expect_eq((uintptr_t)rpc_state(last_stream) % 16, 0u);
    fake_gone(&exchange);
    fake_close(&exchange);
}

/* Each allocation fails in turn: the answer is always given, and nothing leaks. */
Test(protocol_ends, memory_runs_out)
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
