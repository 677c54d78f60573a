/* Calls through the core without a transport: results, refusals, deadlines, clients that leave, and the end. */
#include <sched.h>
#include <sys/socket.h>

#include "server/serve/infer.h"
#include "server/serve/serve.h"
#include "tests/batch/emu_sched.h"
#include "tests/serve/vocab.h"

enum { MANY_MS = 600000 };

static struct emu_sched sched;
static struct token_vocab *vocab;
static struct metrics_registry *metrics;
static struct serve_server *server;

static void begin_with(uint32_t max_concurrent_requests)
{
    emu_sched_open(&sched, BATCH_REPLICATE, 0);
    vocab = letters_vocab();
    metrics = metrics_registry_create();
    const struct serve_options options = {.model_dir = "/nonexistent",
                                          .vocab = vocab,
                                          .batch = sched.batch,
                                          .n_boards = EMU_BOARDS,
                                          .width = EMU_HIDDEN,
                                          .max_input_length = 20,
                                          .max_chunks = 4,
                                          .max_concurrent_requests = max_concurrent_requests,
                                          .max_client_batch_size = 4,
                                          .max_memory = 1 << 20,
                                          .request_timeout_ms = 5000,
                                          .workers = 1,
                                          .metrics = metrics};
    struct error err;
    cr_assert_eq(serve_server_create(&server, &options, &err), STATUS_OK, "%s", err.message);
}

static void begin(void)
{
    begin_with(4);
}

static void end(void)
{
    serve_server_destroy(&server);
    emu_sched_close(&sched);
    metrics_registry_destroy(&metrics);
    token_vocab_destroy(&vocab);
}

TestSuite(call, .init = begin, .fini = end);

struct request {
    struct serve_call call;
    atomic_int ready;
};

static enum serve_progress start(struct serve_call *call)
{
    const struct serve_input inputs[] = {{.text = {"a b c", 5}}, {.text = {"d", 1}}};
    const struct serve_infer_spec spec = {
        .inputs = {inputs, 2, false}, .pooling = BATCH_POOL_MEAN, .dimensions = 8, .normalize = true};
    return serve_infer_start(call, &spec);
}

static void encode(struct serve_call *call)
{
    const float *rows = serve_infer_rows(call->infer);
    for (uint32_t i = 0; i < call->infer->n_inputs; i++)
        buf_append(&call->reply, rows + (size_t)i * call->infer->width, call->infer->keep * sizeof *rows);
}

static const struct serve_method method = {.start = start, .encode = encode, .value_cost = sizeof(float)};

static void on_ready(struct serve_call *call)
{
    atomic_fetch_add(&((struct request *)call)->ready, 1);
}

static void run(struct request *request, uint64_t deadline_ns, int socket)
{
    *request = (struct request){0};
    serve_call_init(&request->call, server);
    request->call.method = &method;
    request->call.on_ready = on_ready;
    request->call.deadline_ns = deadline_ns;
    request->call.socket = socket;
    serve_call_run(&request->call);
}

/* Ready once, with this status and these words. */
static void expect_end(struct request *request, enum status status, const char *words)
{
    EMU_WAIT_FOR(atomic_load(&request->ready) > 0);
    serve_call_answer(&request->call);
    cr_expect_eq(request->call.status, status, "%s: %s", status_name(request->call.status), request->call.err.message);
    if (status != STATUS_OK) {
        cr_expect(strstr(request->call.err.message, words), "%s", request->call.err.message);
        cr_expect_eq(request->call.reply.len, 0u);
    }
    serve_call_finish(&request->call);
    cr_expect_eq(atomic_load(&request->ready), 1);
}

/* Both boards take minutes for what they are given. */
static void slow_down(void)
{
    const struct board_fault fault = {.kind = BOARD_FAULT_SLOW, .factor = 1000000, .for_ns = MANY_MS * 1000000ull};
    for (uint32_t b = 0; b < EMU_BOARDS; b++)
        cr_assert_eq(batch_inject(sched.batch, b, &fault, NULL), STATUS_OK);
}

static void wait_until_it_runs(void)
{
    EMU_WAIT_FOR(emu_stats(&sched).running_items > 0);
}

Test(call, an_answer_and_what_it_took)
{
    static struct request request;
    run(&request, 0, -1);
    EMU_WAIT_FOR(atomic_load(&request.ready) > 0);
    serve_call_answer(&request.call);
    cr_assert_eq(request.call.status, STATUS_OK, "%s", request.call.err.message);
    cr_assert_eq(request.call.reply.len, 2 * 8 * sizeof(float));
    float rows[2][8];
    memcpy(rows, request.call.reply.data, sizeof rows);
    for (int i = 0; i < 2; i++) {
        double sum = 0;
        for (int k = 0; k < 8; k++)
            sum += (double)rows[i][k] * rows[i][k];
        cr_expect_float_eq(sum, 1, 1e-6);
    }
    struct serve_infer_report report;
    serve_infer_report(request.call.infer, &report);
    cr_expect_eq(report.chars, 6u);
    cr_expect_eq(report.tokens, 5u + 3);
    cr_expect_eq(report.n_truncated, 0u);
    cr_expect_geq(report.total_ns, report.tokenization_ns);
    cr_expect_eq(serve_call_retry_after_s(&request.call), 0u);
    serve_call_answer(&request.call);
    cr_expect_eq(request.call.reply.len, sizeof rows, "answered once");
    serve_call_finish(&request.call);
}

/* Tokenising and waiting for a worker may take longer than is left. */
Test(call, a_deadline_that_has_passed_already)
{
    static struct request request;
    run(&request, 1, -1);
    expect_end(&request, STATUS_TIMEOUT, "0 ms are left of the time limit");
}

Test(call, a_deadline_that_passes_on_a_board)
{
    static struct request request;
    slow_down();
    run(&request, clock_now_ns() + 300000000, -1); /* on a machine that is slow enough it passes earlier */
    expect_end(&request, STATUS_TIMEOUT, "time limit");
}

Test(call, a_client_that_leaves)
{
    static struct request request;
    int sockets[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
    slow_down();
    run(&request, 0, sockets[0]);
    wait_until_it_runs();
    cr_expect_eq(atomic_load(&request.ready), 0);
    close(sockets[1]);
    expect_end(&request, STATUS_CANCELLED, "the client has gone");
    close(sockets[0]);
}

Test(call, one_that_is_cancelled)
{
    static struct request running, late;
    slow_down();
    run(&running, 0, -1);
    wait_until_it_runs();
    cr_expect_eq(atomic_load(&running.ready), 0);
    serve_call_cancel(&running.call);
    expect_end(&running, STATUS_CANCELLED, "the client has gone");
    serve_call_init(&late.call, server);
    late.call.method = &method;
    late.call.on_ready = on_ready;
    serve_call_cancel(&late.call);
    serve_call_run(&late.call);
    expect_end(&late, STATUS_CANCELLED, "the client has gone");
}

static void forget(struct batch_work *work, enum status status, const struct error *err)
{
    (void)work;
    (void)status;
    (void)err;
}

Test(call, its_thread_waits_for_its_turn_while_much_waits_for_boards)
{
    static struct request request;
    static const uint32_t ids[EMU_TOKENS];
    static struct batch_item items[100];
    static float out[EMU_HIDDEN];
    for (size_t i = 0; i < sizeof items / sizeof *items; i++)
        items[i] = (struct batch_item){.ids = ids, .n_tokens = EMU_TOKENS, .pooling = BATCH_POOL_MEAN, .out = out};
    struct batch_work work = {
        .items = items, .n_items = sizeof items / sizeof *items, .class = BATCH_INTERACTIVE, .on_done = forget};
    slow_down();
    run(&request, 0, -1);
    cr_expect_eq(sched_getscheduler(0), SCHED_OTHER);
    serve_call_cancel(&request.call);
    expect_end(&request, STATUS_CANCELLED, "the client has gone");
    cr_assert_eq(batch_submit(sched.batch, &work, NULL), STATUS_OK);
    run(&request, 0, -1);
    cr_expect_eq(sched_getscheduler(0), SCHED_BATCH);
    serve_call_cancel(&request.call);
    EMU_WAIT_FOR(atomic_load(&request.ready) > 0);
    serve_call_answer(&request.call);
    cr_expect_eq(sched_getscheduler(0), SCHED_BATCH, "much waits still");
    batch_cancel(sched.batch, &work);
    serve_call_answer(&request.call); /* where a worker has encoded a long result, it is all that is left to do */
    cr_expect_eq(sched_getscheduler(0), SCHED_OTHER, "nothing waits any more");
    serve_call_finish(&request.call);
}

Test(call, the_end_of_the_server)
{
    static struct request running, late;
    slow_down();
    run(&running, 0, -1);
    wait_until_it_runs();
    struct error err;
    cr_expect_eq(serve_server_check(server, &err), STATUS_OK);
    serve_server_drain(server);
    cr_expect_eq(serve_server_check(server, &err), STATUS_UNHEALTHY);
    cr_expect_eq(atomic_load(&running.ready), 0);
    serve_server_close(server, true);
    expect_end(&running, STATUS_CANCELLED, "");
    run(&late, 0, -1);
    cr_expect_geq(serve_call_retry_after_s(&late.call), 1u);
    expect_end(&late, STATUS_UNHEALTHY, "shutting down");
}

static enum serve_progress start_nothing(struct serve_call *call)
{
    buf_puts(&call->reply, "here");
    return SERVE_DONE;
}

Test(full, only_immediate_calls, .fini = end)
{
    static const struct serve_method nothing = {.start = start_nothing};
    static struct request request;
    begin_with(0);
    run(&request, 0, -1);
    cr_expect_geq(serve_call_retry_after_s(&request.call), 1u);
    expect_end(&request, STATUS_OVERLOADED, "0 requests are being worked on");
    request = (struct request){0};
    serve_call_init(&request.call, server);
    request.call.method = &nothing;
    serve_call_run_immediate(&request.call);
    serve_call_answer(&request.call);
    cr_expect_eq(request.call.status, STATUS_OK);
    cr_expect_eq(request.call.reply.len, 4u);
    serve_call_finish(&request.call);
}

Test(call, limits_of_time)
{
    struct serve_call call;
    static const uint64_t asked_and_set[][2] = {{0, 5000}, {4999, 4999}, {5001, 5000}, {UINT64_MAX, 5000}};
    for (int i = 0; i < 4; i++) {
        serve_call_init(&call, server);
        serve_call_limit_time(&call, asked_and_set[i][0]);
        cr_expect_eq(call.deadline_ns - call.started_ns, asked_and_set[i][1] * 1000000);
    }
}

static enum serve_progress start_wrong(struct serve_call *call)
{
    const struct serve_input inputs[] = {{.text = {"a", 1}}, {.text = {"b", 1}}};
    const struct serve_infer_spec wide = {.inputs = {inputs, 2, false}, .dimensions = EMU_HIDDEN + 1};
    const struct serve_infer_spec none = {.inputs = {inputs, 0, false}};
    return serve_infer_start(call, call->has_class ? &wide : &none);
}

Test(call, refusals_of_inference)
{
    static const struct serve_method wrong = {.start = start_wrong};
    static struct request request;
    for (int wide = 0; wide < 2; wide++) {
        request = (struct request){0};
        serve_call_init(&request.call, server);
        request.call.method = &wrong;
        request.call.on_ready = on_ready;
        request.call.has_class = wide;
        serve_call_run(&request.call);
        expect_end(&request, wide ? STATUS_VALIDATION : STATUS_EMPTY,
                   wide ? "`dimensions`: 33 is more than the 32 of the model" : "`inputs` cannot be empty");
    }
}
