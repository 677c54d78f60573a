/* Many requests at once for few texts, over emulated boards and a cache that is too small for them: each answer has the
 * bits that a server without a cache gives, whoever leaves, is late or fails meanwhile.
 *
 * BERTD_STRESS_SECONDS=60 goes on for so long, each round with another seed.
 */
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>

#include "server/serve/infer.h"
#include "server/serve/server.h"
#include "tests/batch/emu_sched.h"
#include "tests/serve/vocab.h"

enum { LETTERS = 10, TEXTS = LETTERS * LETTERS, MAX_INPUTS = 12, THREADS = 4, REQUESTS = 150, LIVE = 6 };
enum { CACHE = 22000 };

struct client {
    pthread_t thread;
    uint64_t random;
    struct serve_server *server;
    uint32_t ok, late, left, failed, wrong, unexpected;
};

struct ask {
    struct serve_call call;
    char texts[MAX_INPUTS][4];
    uint32_t numbers[MAX_INPUTS];
    uint32_t n;
    bool leaves;
    int sockets[2];
    atomic_int ready;
};

static struct emu_sched sched;
static struct token_vocab *vocab;
static struct metrics_registry *metrics;
static float right[TEXTS][EMU_HIDDEN];

static enum serve_progress start(struct serve_call *call)
{
    struct ask *ask = (struct ask *)call;
    struct serve_input inputs[MAX_INPUTS];
    for (uint32_t i = 0; i < ask->n; i++)
        inputs[i] = (struct serve_input){.text = {ask->texts[i], 3}};
    const struct serve_infer_spec spec = {
        .inputs = {inputs, ask->n, false}, .pooling = BATCH_POOL_MEAN, .normalize = true};
    return serve_infer_start(call, &spec);
}

static void encode(struct serve_call *call)
{
    const float *rows = serve_infer_rows(call->infer);
    buf_append(&call->reply, rows, call->infer->n_inputs * EMU_HIDDEN * sizeof *rows);
}

static const struct serve_method method = {.start = start, .encode = encode, .value_cost = sizeof(float)};

static void on_ready(struct serve_call *call)
{
    atomic_store(&((struct ask *)call)->ready, 1);
}

static struct ask *make_ask(struct serve_server *server)
{
    struct ask *ask = calloc(1, sizeof *ask);
    serve_call_init(&ask->call, server);
    ask->call.method = &method;
    ask->call.on_ready = on_ready;
    ask->call.client = 1;
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ask->sockets), 0);
    ask->call.socket = ask->sockets[0];
    return ask;
}

static void add_text(struct ask *ask, uint32_t number)
{
    ask->numbers[ask->n] = number;
    snprintf(ask->texts[ask->n++], sizeof ask->texts[0], "%c %c", 'a' + (char)(number / LETTERS),
             'a' + (char)(number % LETTERS));
}

static struct serve_server *make_server(uint64_t cache_bytes)
{
    const struct serve_options options = {.model_dir = "/nonexistent",
                                          .vocab = vocab,
                                          .batch = sched.batch,
                                          .n_boards = EMU_BOARDS,
                                          .width = EMU_HIDDEN,
                                          .max_input_length = 20,
                                          .max_chunks = 4,
                                          .max_concurrent_requests = 1000,
                                          .max_client_batch_size = MAX_INPUTS,
                                          .max_memory = 1 << 24,
                                          .cache_bytes = cache_bytes,
                                          .workers = 2,
                                          .metrics = metrics};
    struct serve_server *server = NULL;
    struct error err;
    cr_assert_eq(serve_server_create(&server, &options, &err), STATUS_OK, "%s", err.message);
    return server;
}

static void end_ask(struct ask *ask)
{
    serve_call_finish(&ask->call);
    close(ask->sockets[0]);
    if (ask->sockets[1] >= 0)
        close(ask->sockets[1]);
    free(ask);
}

/* By a server that keeps nothing. */
static void learn(void)
{
    metrics = metrics_registry_create();
    struct serve_server *server = make_server(0);
    for (uint32_t number = 0; number < TEXTS; number++) {
        struct ask *ask = make_ask(server);
        add_text(ask, number);
        serve_call_run(&ask->call);
        EMU_WAIT_FOR(atomic_load(&ask->ready));
        serve_call_answer(&ask->call);
        cr_assert_eq(ask->call.status, STATUS_OK, "%s", ask->call.err.message);
        memcpy(right[number], ask->call.reply.data, sizeof right[number]);
        end_ask(ask);
    }
    serve_server_destroy(&server);
    metrics_registry_destroy(&metrics);
}

static uint32_t random_below(struct client *client, uint32_t below)
{
    client->random = client->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(client->random >> 33) % below;
}

static struct ask *begin_ask(struct client *client)
{
    struct ask *ask = make_ask(client->server);
    uint32_t n = random_below(client, 4) ? 1 + random_below(client, 3) : 1 + random_below(client, MAX_INPUTS);
    for (uint32_t i = 0; i < n; i++)
        add_text(ask, random_below(client, 1 + random_below(client, TEXTS)));
    uint32_t kind = random_below(client, 8);
    ask->call.credential = random_below(client, 2);
    ask->call.client = 1 + random_below(client, 4) / 3;
    if (kind < 3)
        ask->call.deadline_ns = clock_now_ns() + (kind == 0 ? 200000 + random_below(client, 3000000) : 600000000000);
    ask->leaves = kind == 7;
    serve_call_run(&ask->call);
    if (ask->leaves)
        close(ask->sockets[1]);
    if (ask->leaves)
        ask->sockets[1] = -1;
    return ask;
}

static bool is_right(const struct ask *ask)
{
    for (uint32_t i = 0; i < ask->n; i++)
        if (memcmp(ask->call.reply.data + i * sizeof right[0], right[ask->numbers[i]], sizeof right[0]) != 0)
            return false;
    return true;
}

static void judge(struct client *client, struct ask *ask)
{
    serve_call_answer(&ask->call);
    enum status status = ask->call.status;
    if (status == STATUS_OK && is_right(ask))
        client->ok++;
    else if (status == STATUS_OK)
        client->wrong++;
    else if (status == STATUS_TIMEOUT && ask->call.deadline_ns)
        client->late++;
    else if (status == STATUS_CANCELLED && ask->leaves)
        client->left++;
    else if (status == STATUS_BACKEND || status == STATUS_UNHEALTHY)
        client->failed++;
    else
        client->unexpected++;
    end_ask(ask);
}

static void *ask_on(void *cookie)
{
    struct client *client = cookie;
    struct ask *live[LIVE] = {0};
    for (int r = 0; r < REQUESTS + LIVE; r++) {
        struct ask **place = &live[r % LIVE];
        for (int tries = 0; *place && !atomic_load(&(*place)->ready) && tries < 600000; tries++)
            usleep(100);
        if (*place && !atomic_load(&(*place)->ready))
            abort();
        if (*place)
            judge(client, *place);
        *place = r < REQUESTS ? begin_ask(client) : NULL;
    }
    return NULL;
}

static void round_of(uint64_t seed)
{
    struct client clients[THREADS];
    struct client sum = {0};
    metrics = metrics_registry_create();
    struct serve_server *server = make_server(CACHE);
    for (int t = 0; t < THREADS; t++) {
        clients[t] = (struct client){.random = seed * 1000 + (uint64_t)t, .server = server};
        cr_assert_eq(pthread_create(&clients[t].thread, NULL, ask_on, &clients[t]), 0);
    }
    emu_inject_kind(&sched, (uint32_t)(seed % EMU_BOARDS), seed % 2 ? BOARD_FAULT_FAIL : BOARD_FAULT_SLOW, 3);
    for (int t = 0; t < THREADS; t++) {
        pthread_join(clients[t].thread, NULL);
        sum.ok += clients[t].ok;
        sum.late += clients[t].late;
        sum.left += clients[t].left;
        sum.failed += clients[t].failed;
        sum.wrong += clients[t].wrong;
        sum.unexpected += clients[t].unexpected;
    }
    struct serve_cache_stats stats;
    serve_cache_get_stats(server->cache, &stats);
    uint64_t coalesced = metrics_counter_value(server->telemetry.coalesced);
    uint64_t hits = metrics_counter_value(server->telemetry.cache_hits);
    cr_expect_eq(sum.wrong, 0u);
    cr_expect_eq(sum.unexpected, 0u);
    cr_expect_gt(sum.ok, (uint32_t)(THREADS * REQUESTS / 4), "%u late, %u left, %u failed", sum.late, sum.left,
                 sum.failed);
    cr_expect_gt(hits, 0u);
    cr_expect_gt(coalesced, 0u);
    cr_expect_gt(stats.evictions, 0u);
    cr_expect_leq(stats.bytes, (uint64_t)CACHE);
    cr_expect_eq(atomic_load(&server->memory), 0u);
    cr_expect_null(server->watch.first);
    serve_server_destroy(&server);
    metrics_registry_destroy(&metrics);
}

Test(sharing, the_right_bits_whatever_happens)
{
    const char *seconds = getenv("BERTD_STRESS_SECONDS");
    uint64_t end = clock_now_ns() + (seconds ? strtoull(seconds, NULL, 10) * 1000000000u : 0);
    emu_sched_open(&sched, BATCH_REPLICATE, 0);
    vocab = letters_vocab();
    learn();
    uint64_t seed = 1;
    do
        round_of(seed++);
    while (seed <= 4 || clock_now_ns() < end);
    token_vocab_destroy(&vocab);
    emu_sched_close(&sched);
}
