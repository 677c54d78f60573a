/* Every error of servers in every protocol: keys, limits, boards, time, clients that go; with one board and several. */
#include "tests/rpc/faults.h"

Test(server_errors, of_keys, .fini = stop)
{
    static const char *const headers[] = {NULL, "authorization: Bearer open", "authorization: sesame"};
    serve_with(200, false, "sesame");
    for (int h = 0; h < 3; h++) {
        struct fault fault = {"no key",
                              EMBED,
                              STREAM,
                              PROTO(A),
                              "{\"inputs\":\"a\"}",
                              headers[h],
                              AT_HEAD,
                              RPC_UNAUTHENTICATED,
                              401,
                              "API key",
                              "UNAUTHENTICATED"};
        expect_everywhere(&fault, expect_fault);
    }
    for (int w = 0; w < WAYS; w++) {
        struct question question = good(&ways[w]);
        question.headers[0] = "authorization: Bearer sesame";
        struct told told = ask_by(&askers[w], port, &ways[w], &question);
        cr_expect_eq(told.code, 0u, "%s: %s", ways[w].type, told.message);
        cr_expect_eq(asker_connects(askers[w]), 0);
        told_free(&told);
    }
}

Test(server_errors, of_methods_for_operators, .fini = stop)
{
    const struct fault fault = {"for operators", "/bertd.v1.Boards/List", NULL, PROTO(""),        "{}",       NULL,
                                AT_HEAD,         RPC_PERMISSION_DENIED,   403,  "admin listener", "FORBIDDEN"};
    serve_with(200, true, NULL);
    expect_everywhere(&fault, expect_and_go_on);
}

static bool becomes_active(double n, struct asking *asking)
{
    char wanted[60];
    snprintf(wanted, sizeof wanted, "\nbertd_active_requests %g\n", n);
    for (int tries = 0; tries < 30000; tries++) {
        struct buf text = {0};
        metrics_registry_write(metrics, &text);
        buf_append(&text, "", 1);
        bool found = strstr(text.data, wanted) != NULL;
        buf_finish(&text);
        if (found)
            return true;
        if (asking)
            asking_drive(asking);
        else
            usleep(1000);
    }
    return false;
}

static void expect_retry(int w, const struct fault *fault, bool streams)
{
    struct told told = ask_for(w, fault, streams);
    expect_told(&told, &ways[w], fault, streams);
    cr_expect_geq(told.retry_s, 1, "%s, %s", ways[w].type, fault->name);
    told_free(&told);
}

static void check_busy(uint32_t n_boards)
{
    const struct fault fault = {"a busy server",
                                EMBED,
                                STREAM,
                                PROTO(A),
                                "{\"inputs\":\"a\"}",
                                NULL,
                                AT_CALL,
                                RPC_RESOURCE_EXHAUSTED,
                                429,
                                "--max-concurrent-requests",
                                "OVERLOADED"};
    emu_n_boards = n_boards;
    serve_with(1, false, NULL);
    slow_down();
    struct question question = good(&ways[0]);
    struct asking *asking = asking_begin(port, &ways[0], &question);
    cr_assert(becomes_active(1, asking));
    expect_everywhere(&fault, expect_retry);
    cr_expect(becomes_active(1, NULL));
    asking_give_up(asking);
    cr_expect(becomes_active(0, NULL));
    stop();
}

Test(server_errors, of_a_busy_server)
{
    check_busy(1);
    check_busy(2);
}

static void check_without_board(uint32_t n_boards)
{
    const struct board_fault load = {.kind = BOARD_FAULT_LOAD, .count = 1000000};
    const struct fault fault = {"no board", EMBED,           STREAM, PROTO(A),   "{\"inputs\":\"a\"}", NULL,
                                AT_CALL,    RPC_UNAVAILABLE, 503,    "no board", "UNHEALTHY"};
    emu_n_boards = n_boards;
    serve_with(200, false, NULL);
    for (uint32_t b = 0; b < n_boards; b++)
        cr_assert_eq(batch_inject(sched.batch, b, &load, NULL), STATUS_OK);
    emu_expect_unhealthy(&sched);
    expect_everywhere(&fault, expect_retry);
    stop();
}

Test(server_errors, without_a_board)
{
    check_without_board(1);
    check_without_board(2);
}

/* Either the call's own limit ends it or the stream's: the words are those of one of them. */
static void expect_late(int w, const struct fault *fault, bool streams)
{
    struct told told = ask_for(w, fault, streams);
    struct fault seen = *fault;
    seen.words = "";
    seen.reason = told.reason[0] ? "TIMEOUT" : NULL;
    expect_told(&told, &ways[w], &seen, streams);
    told_free(&told);
}

static void check_time(uint32_t n_boards)
{
    emu_n_boards = n_boards;
    serve_with(200, false, NULL);
    slow_down();
    for (int w = 0; w < WAYS; w++) {
        char header[40];
        snprintf(header, sizeof header, "time: %s", ways[w].soon);
        const struct fault fault = {
            "no time left",        EMBED, STREAM, PROTO(A), "{\"inputs\":\"a\"}", header, AT_CALL,
            RPC_DEADLINE_EXCEEDED, 504,   NULL,   NULL};
        if (!ways[w].streams)
            expect_late(w, &fault, false);
        if (ways[w].h2)
            expect_late(w, &fault, true);
    }
    cr_expect(becomes_active(0, NULL));
    stop();
}

Test(server_errors, of_time)
{
    check_time(1);
    check_time(2);
}

/* The client goes: nothing is computed for it any more, and it is counted as cancelled. */
static void check_cancelled(uint32_t n_boards)
{
    emu_n_boards = n_boards;
    serve_with(200, false, NULL);
    slow_down();
    for (int w = 0; w < WAYS; w++) {
        struct question question = good(&ways[w]);
        struct asking *asking = asking_begin(port, &ways[w], &question);
        cr_assert(becomes_active(1, asking), "%s", ways[w].type);
        asking_give_up(asking);
        cr_expect(becomes_active(0, NULL), "%s: it is still computed", ways[w].type);
    }
    EMU_WAIT_FOR(emu_stats(&sched).running_items == 0 && emu_stats(&sched).queued_items == 0);
    EMU_WAIT_FOR(net_server_active(net) == 0);
    struct buf text = {0};
    metrics_registry_write(metrics, &text);
    buf_append(&text, "", 1);
    cr_expect(strstr(text.data, "{method=\"tei.v1.Embed/Embed\",code=\"CANCELLED\"} 7\n"), "%s", text.data);
    cr_expect(strstr(text.data, "{method=\"tei.v1.Embed/EmbedStream\",code=\"CANCELLED\"} 2\n"));
    buf_finish(&text);
    stop();
}

Test(server_errors, of_clients_that_go)
{
    check_cancelled(1);
    check_cancelled(2);
}

Test(server_errors, while_it_ends, .fini = stop)
{
    serve_with(200, false, NULL);
    const struct fault fault = {
        "a server that ends", EMBED, STREAM,          PROTO(A),   "{\"inputs\":\"a\"}", NULL, AT_CALL,
        RPC_UNAVAILABLE,      503,   "shutting down", "UNHEALTHY"};
    serve_server_close(server, false);
    expect_everywhere(&fault, expect_retry);
}
