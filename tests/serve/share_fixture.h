/* A server with a cache over boards that hold each task until the test lets it go. A text's values are the mean of its
 * token ids. */
#ifndef TESTS_SERVE_SHARE_FIXTURE_H
#define TESTS_SERVE_SHARE_FIXTURE_H

#include <sys/socket.h>

#include "server/serve/compute.h"
#include "server/serve/server.h"
#include "tests/batch/sched_fixture.h"
#include "tests/serve/vocab.h"

enum { CACHE = 1 << 16, MAX_TEXTS = 12, LONG_MS = 600000 };
enum { A = 4, B = 5 }; /* tokens */

static struct sched sched;
static struct token_vocab *vocab;
static struct metrics_registry *metrics;
static struct serve_server *server;

static inline struct serve_options options_of(uint32_t n_boards)
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

static inline void begin_with(uint32_t n_boards, bool cache_shared)
{
    struct error err;
    open_sched(&sched, n_boards, 100, 100);
    vocab = letters_vocab();
    metrics = metrics_registry_create();
    struct serve_options options = options_of(n_boards);
    options.cache_shared = cache_shared;
    cr_assert_eq(serve_server_create(&server, &options, &err), STATUS_OK, "%s", err.message);
}

static inline void begin(void)
{
    begin_with(2, false);
}

static inline void end(void)
{
    cr_expect_eq(atomic_load(&server->memory), 0u);
    serve_server_destroy(&server);
    finish_all(&sched); /* what was cancelled is still on its board */
    close_sched(&sched);
    metrics_registry_destroy(&metrics);
    token_vocab_destroy(&vocab);
}

/* Asking ------------------------------------------------------------------------------------------------------------*/

struct ask {
    struct serve_call call;
    const char *texts[MAX_TEXTS];
    uint32_t n;
    enum batch_pooling pooling;
    int sockets[2]; /* [1]: the client's end */
    atomic_int ready;
};

static inline enum serve_progress start(struct serve_call *call)
{
    struct ask *ask = (struct ask *)call;
    struct serve_input inputs[MAX_TEXTS];
    for (uint32_t i = 0; i < ask->n; i++)
        inputs[i] = (struct serve_input){.text = {ask->texts[i], strlen(ask->texts[i])}};
    const struct serve_infer_spec spec = {.inputs = {inputs, ask->n, false}, .pooling = ask->pooling};
    return serve_infer_start(call, &spec);
}

static inline void encode(struct serve_call *call)
{
    const float *rows = serve_infer_rows(call->infer);
    buf_append(&call->reply, rows, call->infer->n_inputs * WIDTH * sizeof *rows);
}

static const struct serve_method method = {.start = start, .encode = encode, .value_cost = sizeof(float)};

static inline void on_ready(struct serve_call *call)
{
    atomic_fetch_add(&((struct ask *)call)->ready, 1);
}

/* Texts with commas between them. */
static inline struct ask *ask_for(const char *texts)
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

static inline struct ask *run(struct ask *ask)
{
    serve_call_run(&ask->call);
    return ask;
}

static inline struct ask *run_until(struct ask *ask, uint64_t ms)
{
    ask->call.deadline_ns = clock_now_ns() + ms * 1000000;
    return run(ask);
}

static inline void leave(struct ask *ask)
{
    close(ask->sockets[1]);
    ask->sockets[1] = -1;
}

static inline bool is_ready(struct ask *ask)
{
    return atomic_load(&ask->ready) > 0;
}

static inline void finish(struct ask *ask)
{
    cr_expect_eq(atomic_load(&ask->ready), 1);
    serve_call_finish(&ask->call);
    close(ask->sockets[0]);
    if (ask->sockets[1] >= 0)
        close(ask->sockets[1]);
    free(ask);
}

/* Letters are single tokens, from A on; [CLS] 2 and [SEP] 3 are around them. */
static inline float value_of(const char *text)
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

static inline struct serve_infer_report expect_ok(struct ask *ask)
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

static inline void expect_failure(struct ask *ask, enum status status, const char *words)
{
    WAIT_FOR(is_ready(ask));
    serve_call_answer(&ask->call);
    cr_expect_eq(ask->call.status, status, "%s: %s", status_name(ask->call.status), ask->call.err.message);
    cr_expect(strstr(ask->call.err.message, words), "%s", ask->call.err.message);
    finish(ask);
}

/* Boards ------------------------------------------------------------------------------------------------------------*/

static inline uint32_t held(void)
{
    uint32_t n = 0;
    for (int b = 0; b < MAX_BOARDS && sched.boards[b]; b++)
        n += fake_board_held(sched.boards[b]);
    return n;
}

/* Let the boards work until the request is ready; a task that has the token `poison` fails. */
static inline void work_for(struct ask *ask, uint32_t poison)
{
    for (int tries = 0; !is_ready(ask); tries++) {
        cr_assert_lt(tries, 300000);
        for (int b = 0; b < MAX_BOARDS && sched.boards[b]; b++)
            fake_board_finish_unless(sched.boards[b], poison);
        usleep(100);
    }
}

static inline struct serve_infer_report compute(const char *texts)
{
    struct ask *ask = run(ask_for(texts));
    work_for(ask, 0);
    return expect_ok(ask);
}

/* Answered without any board. */
static inline struct serve_infer_report expect_cached(struct ask *ask)
{
    run(ask);
    cr_assert(is_ready(ask));
    cr_expect_eq(held(), 0u);
    return expect_ok(ask);
}

static inline uint64_t hits(void)
{
    return metrics_counter_value(server->telemetry.cache_hits);
}

static inline uint64_t misses(void)
{
    return metrics_counter_value(server->telemetry.cache_misses);
}

static inline uint64_t coalesced(void)
{
    return metrics_counter_value(server->telemetry.coalesced);
}

static inline void expect_counts(uint64_t want_hits, uint64_t want_misses, uint64_t want_coalesced)
{
    cr_expect_eq(hits(), want_hits, "hits: %llu", (unsigned long long)hits());
    cr_expect_eq(misses(), want_misses, "misses: %llu", (unsigned long long)misses());
    cr_expect_eq(coalesced(), want_coalesced, "coalesced: %llu", (unsigned long long)coalesced());
}

#endif
