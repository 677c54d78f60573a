/* Requests whose results are shared: out of the cache, and by equal ones that are being computed. The boards hold each
 * task until the test lets it go, and a text's values are the mean of its token ids. */
#include <stdio.h>
#include <sys/socket.h>

#include "server/serve/compute.h"
#include "server/serve/server.h"
#include "tests/batch/sched_fixture.h"
#include "tests/serve/vocab.h"

enum { CACHE = 1 << 16, MAX_TEXTS = 4, LONG_MS = 600000 };
enum { A = 4, B = 5 }; /* tokens */

static struct sched sched;
static struct token_vocab *vocab;
static struct metrics_registry *metrics;
static struct serve_server *server;

static struct serve_options options_of(uint32_t n_boards)
{
    return (struct serve_options){.model_dir = "/nonexistent",
                                  .vocab = vocab,
                                  .batch = sched.batch,
                                  .n_boards = n_boards,
                                  .width = WIDTH,
                                  .max_input_length = 20,
                                  .max_chunks = 4,
                                  .max_concurrent_requests = 32,
                                  .max_client_batch_size = MAX_TEXTS,
                                  .max_memory = 1 << 20,
                                  .cache_bytes = CACHE,
                                  .workers = 1,
                                  .metrics = metrics};
}

static void begin_with(uint32_t n_boards, bool cache_shared)
{
    struct error err;
    open_sched(&sched, n_boards, 100, 100);
    vocab = letters_vocab();
    metrics = metrics_registry_create();
    struct serve_options options = options_of(n_boards);
    options.cache_shared = cache_shared;
    cr_assert_eq(serve_server_create(&server, &options, &err), STATUS_OK, "%s", err.message);
}

static void begin(void)
{
    begin_with(2, false);
}

static void end(void)
{
    cr_expect_eq(atomic_load(&server->memory), 0u);
    serve_server_destroy(&server);
    close_sched(&sched);
    metrics_registry_destroy(&metrics);
    token_vocab_destroy(&vocab);
}

TestSuite(share, .init = begin, .fini = end);

/* Asking ------------------------------------------------------------------------------------------------------------*/

struct ask {
    struct serve_call call;
    const char *texts[MAX_TEXTS];
    uint32_t n;
    enum batch_pooling pooling;
    int sockets[2]; /* [1]: the client's end */
    atomic_int ready;
};

static enum serve_progress start(struct serve_call *call)
{
    struct ask *ask = (struct ask *)call;
    struct serve_input inputs[MAX_TEXTS];
    for (uint32_t i = 0; i < ask->n; i++)
        inputs[i] = (struct serve_input){.text = {ask->texts[i], strlen(ask->texts[i])}};
    const struct serve_infer_spec spec = {.inputs = {inputs, ask->n, false}, .pooling = ask->pooling};
    return serve_infer_start(call, &spec);
}

static void encode(struct serve_call *call)
{
    const float *rows = serve_infer_rows(call->infer);
    buf_append(&call->reply, rows, call->infer->n_inputs * WIDTH * sizeof *rows);
}

static const struct serve_method method = {.start = start, .encode = encode, .value_cost = sizeof(float)};

static void on_ready(struct serve_call *call)
{
    atomic_fetch_add(&((struct ask *)call)->ready, 1);
}

/* Texts with commas between them. */
static struct ask *ask_for(const char *texts)
{
    static char words[64][64];
    static int next;
    char *rest = strcpy(words[next++ % 64], texts);
    struct ask *ask = calloc(1, sizeof *ask);
    for (char *text; (text = strsep(&rest, ","));)
        ask->texts[ask->n++] = text;
    ask->pooling = BATCH_POOL_MEAN;
    serve_call_init(&ask->call, server);
    ask->call.method = &method;
    ask->call.on_ready = on_ready;
    ask->call.client = 1;
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ask->sockets), 0);
    ask->call.socket = ask->sockets[0];
    return ask;
}

static struct ask *run(struct ask *ask)
{
    serve_call_run(&ask->call);
    return ask;
}

static struct ask *run_until(struct ask *ask, uint64_t ms)
{
    ask->call.deadline_ns = clock_now_ns() + ms * 1000000;
    return run(ask);
}

static void leave(struct ask *ask)
{
    close(ask->sockets[1]);
    ask->sockets[1] = -1;
}

static bool is_ready(struct ask *ask)
{
    return atomic_load(&ask->ready) > 0;
}

static void finish(struct ask *ask)
{
    cr_expect_eq(atomic_load(&ask->ready), 1);
    serve_call_finish(&ask->call);
    close(ask->sockets[0]);
    if (ask->sockets[1] >= 0)
        close(ask->sockets[1]);
    free(ask);
}

/* Letters are single tokens, from A on; [CLS] 2 and [SEP] 3 are around them. */
static float value_of(const char *text)
{
    uint32_t sum = 2 + 3, n = 2;
    for (; *text; text++) {
        if (*text == ' ')
            continue;
        sum += A + (uint32_t)(*text - 'a');
        n++;
    }
    return (float)sum / (float)n;
}

static struct serve_infer_report expect_ok(struct ask *ask)
{
    struct serve_infer_report report;
    WAIT_FOR(is_ready(ask));
    serve_call_answer(&ask->call);
    cr_assert_eq(ask->call.status, STATUS_OK, "%s", ask->call.err.message);
    const float *rows = (const float *)(const void *)ask->call.reply.data;
    for (uint32_t i = 0; i < ask->n; i++)
        for (int k = 0; k < WIDTH; k++)
            cr_expect_float_eq(rows[i * WIDTH + k], value_of(ask->texts[i]), 1e-5, "%s", ask->texts[i]);
    serve_infer_report(ask->call.infer, &report);
    finish(ask);
    return report;
}

static void expect_failure(struct ask *ask, enum status status, const char *words)
{
    WAIT_FOR(is_ready(ask));
    serve_call_answer(&ask->call);
    cr_expect_eq(ask->call.status, status, "%s: %s", status_name(ask->call.status), ask->call.err.message);
    cr_expect(strstr(ask->call.err.message, words), "%s", ask->call.err.message);
    finish(ask);
}

/* Boards ------------------------------------------------------------------------------------------------------------*/

static uint32_t held(void)
{
    uint32_t n = 0;
    for (int b = 0; b < MAX_BOARDS && sched.boards[b]; b++)
        n += fake_board_held(sched.boards[b]);
    return n;
}

/* Let the boards work until the request is ready; a task that has the token `poison` fails. */
static void work_for(struct ask *ask, uint32_t poison)
{
    for (int tries = 0; !is_ready(ask); tries++) {
        cr_assert_lt(tries, 300000);
        for (int b = 0; b < MAX_BOARDS && sched.boards[b]; b++)
            fake_board_finish_unless(sched.boards[b], poison);
        usleep(100);
    }
}

static struct serve_infer_report compute(const char *texts)
{
    struct ask *ask = run(ask_for(texts));
    work_for(ask, 0);
    return expect_ok(ask);
}

/* Answered without any board. */
static struct serve_infer_report expect_cached(struct ask *ask)
{
    run(ask);
    cr_assert(is_ready(ask));
    cr_expect_eq(held(), 0u);
    return expect_ok(ask);
}

static uint64_t hits(void)
{
    return metrics_counter_value(server->telemetry.cache_hits);
}

static uint64_t misses(void)
{
    return metrics_counter_value(server->telemetry.cache_misses);
}

static uint64_t coalesced(void)
{
    return metrics_counter_value(server->telemetry.coalesced);
}

static void expect_counts(uint64_t want_hits, uint64_t want_misses, uint64_t want_coalesced)
{
    cr_expect_eq(hits(), want_hits, "hits: %llu", (unsigned long long)hits());
    cr_expect_eq(misses(), want_misses, "misses: %llu", (unsigned long long)misses());
    cr_expect_eq(coalesced(), want_coalesced, "coalesced: %llu", (unsigned long long)coalesced());
}

/* The cache ---------------------------------------------------------------------------------------------------------*/

Test(share, an_answer_out_of_the_cache)
{
    struct serve_infer_report first = compute("a b");
    struct serve_infer_report second = expect_cached(ask_for("a b"));
    cr_expect_eq(first.tokens, 4u);
    cr_expect_eq(second.tokens, 4u, "what they cost does not depend on the cache");
    cr_expect_eq(first.n_cached, 0u);
    cr_expect_eq(first.n_computed, 1u);
    cr_expect_eq(second.n_cached, 1u);
    cr_expect_eq(second.n_computed, 0u);
    cr_expect_eq(second.queue_ns + second.inference_ns, 0u);
    expect_counts(1, 1, 0);
}

Test(share, only_the_rest_is_computed)
{
    compute("a,b");
    struct ask *ask = run(ask_for("b,c d e,a"));
    cr_expect_eq(fake_board_peek(sched.boards[0]).job->n_rows, 5u, "c d e alone");
    work_for(ask, 0);
    struct serve_infer_report report = expect_ok(ask);
    cr_expect_eq(report.n_cached, 2u);
    cr_expect_eq(report.n_computed, 1u);
    cr_expect_eq(report.tokens, 3u + 5 + 3);
    expect_counts(2, 3, 0);
}

Test(share, poolings_are_kept_apart_and_token_vectors_are_not_kept)
{
    compute("a");
    struct ask *cls = ask_for("a");
    cls->pooling = BATCH_POOL_CLS;
    run(cls);
    cr_expect_not(is_ready(cls));
    work_for(cls, 0);
    serve_call_answer(&cls->call);
    cr_expect_eq(*(const float *)(const void *)cls->call.reply.data, 2.0f);
    finish(cls);
    expect_counts(0, 2, 0);
    struct ask *tokens = ask_for("a");
    tokens->pooling = BATCH_POOL_NONE;
    run(tokens);
    cr_expect_not(is_ready(tokens));
    work_for(tokens, 0);
    cr_expect_eq(serve_infer_tokens(tokens->call.infer, 0)[WIDTH], (float)A);
    finish(tokens);
    expect_counts(0, 2, 0);
}

static struct ask *ask_of(uint64_t owner, const char *texts)
{
    struct ask *ask = ask_for(texts);
    ask->call.owner = owner;
    return ask;
}

Test(share, nobody_profits_from_another_credential)
{
    struct ask *one = run(ask_of(1, "a"));
    struct ask *two = run(ask_of(2, "a"));
    cr_expect_eq(held(), 2u, "not while it is computed");
    work_for(one, 0);
    expect_ok(one);
    work_for(two, 0);
    expect_ok(two);
    struct ask *three = run(ask_of(3, "a"));
    cr_expect_not(is_ready(three), "and not afterwards");
    work_for(three, 0);
    expect_ok(three);
    expect_cached(ask_of(2, "a"));
    expect_counts(1, 3, 0);
}

Test(shared, unless_it_is_allowed, .fini = end)
{
    begin_with(1, true);
    struct ask *one = run(ask_of(1, "a"));
    struct ask *two = run(ask_of(2, "a"));
    cr_expect_eq(held(), 1u);
    work_for(one, 0);
    expect_ok(one);
    expect_ok(two);
    expect_cached(ask_of(3, "a"));
    expect_counts(1, 1, 1);
}

Test(share, no_board_is_needed)
{
    struct error err;
    compute("a");
    for (int b = 0; b < 2; b++)
        atomic_store(&((struct fake_board *)sched.boards[b])->broken, true);
    struct ask *last = run(ask_for("b"));
    for (int tries = 0; serve_server_check(server, &err) == STATUS_OK; tries++) {
        cr_assert_lt(tries, 300000);
        for (int b = 0; b < 2; b++)
            fake_board_finish(sched.boards[b], STATUS_BACKEND);
        usleep(1000);
    }
    expect_failure(last, STATUS_UNHEALTHY, "no board");
    expect_cached(ask_for("a"));
    expect_failure(run(ask_for("a,b")), STATUS_UNHEALTHY, "no board");
}

/* In flight ---------------------------------------------------------------------------------------------------------*/

static const uint32_t boards[] = {1, 2, 5};

Test(flight, equal_ones_are_computed_once)
{
    for (int i = 0; i < 3; i++) {
        begin_with(boards[i], false);
        struct ask *asks[10];
        for (int k = 0; k < 10; k++)
            asks[k] = run(ask_for("a b c"));
        cr_expect_eq(held(), 1u);
        for (int k = 0; k < 10; k++)
            cr_expect_not(is_ready(asks[k]));
        work_for(asks[0], 0);
        for (int k = 0; k < 10; k++) {
            struct serve_infer_report report = expect_ok(asks[k]);
            cr_expect_eq(report.n_computed, 1u);
            cr_expect_leq(report.queue_ns + report.inference_ns, report.total_ns);
            cr_expect_gt(report.inference_ns, 0u);
        }
        expect_counts(0, 1, 9);
        end();
    }
}

Test(share, equal_ones_of_one_request)
{
    struct ask *ask = run(ask_for("a,b c,a,a"));
    uint32_t rows = fake_board_peek(sched.boards[0]).job->n_rows;
    if (held() == 2)
        rows += fake_board_peek(sched.boards[1]).job->n_rows;
    cr_expect_eq(rows, 3u + 4);
    work_for(ask, 0);
    expect_ok(ask);
    expect_counts(0, 2, 2);
}

/* Each has something that the other computes. */
Test(share, two_that_wait_for_each_other)
{
    struct ask *one = run(ask_for("a,b"));
    struct ask *two = run(ask_for("b,c,a"));
    struct ask *three = run(ask_for("c,a"));
    work_for(one, 0);
    work_for(two, 0);
    expect_ok(one);
    expect_ok(two);
    expect_ok(three);
    expect_counts(0, 3, 4);
}

Test(share, not_behind_another_class_or_client)
{
    struct ask *bulk = ask_for("a");
    bulk->call.has_class = true;
    bulk->call.class = BATCH_BULK;
    run(bulk);
    struct ask *interactive = run(ask_for("a"));
    cr_expect_eq(held(), 2u);
    struct ask *other = ask_for("a");
    other->call.client = 2;
    run(other);
    expect_counts(0, 3, 0);
    work_for(bulk, 0);
    work_for(interactive, 0);
    work_for(other, 0);
    expect_ok(bulk);
    expect_ok(interactive);
    expect_ok(other);
}

Test(share, a_leader_whose_client_leaves)
{
    struct ask *leader = run(ask_for("a"));
    struct ask *waiters[3] = {run(ask_for("a")), run(ask_for("b,a")), run(ask_for("a"))};
    expect_counts(0, 2, 3);
    leave(leader);
    WAIT_FOR(fake_board_cancelled(sched.boards[0]) || fake_board_cancelled(sched.boards[1]));
    work_for(waiters[0], 0);
    expect_failure(leader, STATUS_CANCELLED, "the client has gone");
    for (int i = 0; i < 3; i++) {
        work_for(waiters[i], 0);
        expect_ok(waiters[i]);
    }
    expect_counts(0, 2, 3);
}

Test(share, a_waiter_whose_client_leaves)
{
    struct ask *leader = run(ask_for("a"));
    struct ask *waiter = run(ask_for("a"));
    struct ask *both = run(ask_for("a,b"));
    leave(waiter);
    leave(both);
    WAIT_FOR(is_ready(waiter));
    cr_expect_not(is_ready(leader));
    expect_failure(waiter, STATUS_CANCELLED, "the client has gone");
    work_for(both, 0);
    WAIT_FOR(is_ready(both));
    serve_call_answer(&both->call); /* its own text may be done just before */
    finish(both);
    work_for(leader, 0);
    expect_ok(leader);
}

Test(share, a_leader_past_its_deadline)
{
    struct ask *leader = run_until(ask_for("a"), 200);
    struct ask *waiter = run_until(ask_for("a"), LONG_MS);
    WAIT_FOR(is_ready(leader) || fake_board_cancelled(sched.boards[0]) || fake_board_cancelled(sched.boards[1]));
    work_for(waiter, 0);
    expect_failure(leader, STATUS_TIMEOUT, "time limit");
    expect_ok(waiter);
}

/* It must not find out only when the leader is done. */
Test(share, a_waiter_with_an_earlier_deadline)
{
    struct ask *leader = run_until(ask_for("a"), LONG_MS);
    struct ask *endless = run(ask_for("a"));
    struct ask *hasty = run_until(ask_for("a"), 200);
    struct ask *first = run(ask_for("b"));
    struct ask *second = run_until(ask_for("b"), LONG_MS);
    cr_expect_eq(coalesced(), 1u, "only the endless one waits for the leader");
    for (int tries = 0; !is_ready(hasty); tries++) {
        cr_assert_lt(tries, 300000);
        for (int b = 0; b < 2; b++)
            if (fake_board_cancelled(sched.boards[b]))
                fake_board_finish(sched.boards[b], STATUS_OK);
        usleep(1000);
    }
    expect_failure(hasty, STATUS_TIMEOUT, "time limit");
    work_for(second, 0);
    work_for(first, 0);
    work_for(leader, 0);
    work_for(endless, 0);
    expect_ok(second);
    expect_ok(first);
    expect_ok(leader);
    expect_ok(endless);
}

/* The text that no board computes fails all who asked for it, each by itself, and nobody else. */
Test(share, a_leader_that_fails)
{
    struct ask *leader = run(ask_for("a,b"));
    struct ask *innocent = run(ask_for("a"));
    struct ask *guilty = run(ask_for("c,b"));
    struct ask *twins = run(ask_for("b,b"));
    expect_counts(0, 3, 4);
    for (int tries = 0; !is_ready(leader) || !is_ready(innocent) || !is_ready(guilty) || !is_ready(twins); tries++) {
        cr_assert_lt(tries, 300000);
        for (int b = 0; b < 2; b++)
            fake_board_finish_unless(sched.boards[b], B);
        usleep(100);
    }
    expect_failure(leader, STATUS_BACKEND, "`inputs[1]` failed 8 times");
    expect_failure(guilty, STATUS_BACKEND, "`inputs[1]` failed 8 times");
    expect_failure(twins, STATUS_BACKEND, "`inputs[0]` failed 8 times");
    expect_ok(innocent);
    struct ask *again = run(ask_for("b"));
    work_for(again, 0);
    expect_ok(again);
}

Test(share, the_end_of_the_server)
{
    struct ask *asks[8];
    for (int i = 0; i < 8; i++)
        asks[i] = run(ask_for(i % 2 ? "a" : "a,b"));
    serve_server_close(server, true);
    for (int i = 0; i < 8; i++) {
        for (int tries = 0; !is_ready(asks[i]); tries++) {
            cr_assert_lt(tries, 300000);
            for (int b = 0; b < 2; b++)
                if (fake_board_cancelled(sched.boards[b]))
                    fake_board_finish(sched.boards[b], STATUS_OK);
            usleep(1000);
        }
        expect_failure(asks[i], STATUS_CANCELLED, "the client has gone");
    }
}

/* What was computed before memory was found damaged may be wrong. */
Test(share, nothing_is_kept_from_before_damage)
{
    compute("a");
    expect_cached(ask_for("a"));
    atomic_fetch_add(&sched.batch->scrub_failures, 1);
    struct ask *ask = run(ask_for("a"));
    cr_expect_not(is_ready(ask));
    work_for(ask, 0);
    expect_ok(ask);
    expect_cached(ask_for("a"));
}

/* A request of many texts is put into the cache by a worker. */
Test(many, more_than_a_few, .fini = end)
{
    open_sched(&sched, 2, 100, 100);
    vocab = letters_vocab();
    metrics = metrics_registry_create();
    struct serve_options options = options_of(2);
    options.max_input_length = 4;
    options.max_chunks = 16;
    options.auto_chunk = true;
    struct error err;
    cr_assert_eq(serve_server_create(&server, &options, &err), STATUS_OK, "%s", err.message);
    compute("a,b,c,d");
    compute("e,f,g,h");
    struct ask *ask = run(ask_for("a,e,i,j"));
    work_for(ask, 0);
    cr_expect_eq(expect_ok(ask).n_cached, 2u);
}

Test(share, memory_counts_and_may_run_out)
{
    compute("a");
    bool done = false;
    int failures = 0;
    for (long n = 0; n < 100 && !done; n++) {
        struct ask *ask = ask_for("b,c,a,b");
        mem_fail_after(n);
        run(ask);
        mem_fail_after(-1);
        work_for(ask, 0);
        serve_call_answer(&ask->call);
        cr_assert(ask->call.status == STATUS_OK || ask->call.status == STATUS_NO_MEMORY, "%s", ask->call.err.message);
        done = ask->call.status == STATUS_OK;
        failures += !done;
        finish(ask);
    }
    cr_expect(done && failures > 3, "%d", failures);
}
