/* A request core over emulated boards with a small random model. */
#ifndef TESTS_RPC_EMU_SERVER_H
#define TESTS_RPC_EMU_SERVER_H

#include "server/serve/infer.h"
#include "server/serve/serve.h"
#include "tests/batch/emu_sched.h"
#include "tests/serve/vocab.h"

static struct emu_sched sched;
static struct token_vocab *vocab;
static struct metrics_registry *metrics;
static struct serve_server *server;

static inline void begin_with(uint32_t max_concurrent_requests, uint32_t timeout_ms)
{
    emu_sched_open(&sched, BATCH_REPLICATE, 0);
    vocab = letters_vocab();
    metrics = metrics_registry_create();
    const struct serve_options options = {.model_dir = "/nonexistent",
                                          .model_id = "a model",
                                          .model_dtype = "int8",
                                          .compute_type = "cpu",
                                          .version = "1.2",
                                          .vocab = vocab,
                                          .batch = sched.batch,
                                          .n_boards = emu_n_boards,
                                          .width = EMU_HIDDEN,
                                          .pooling = BATCH_POOL_MEAN,
                                          .max_input_length = 20,
                                          .auto_truncate = true,
                                          .max_chunks = 4,
                                          .chunk_overlap = 2,
                                          .max_concurrent_requests = max_concurrent_requests,
                                          .max_client_batch_size = 4,
                                          .max_batch_tokens = 100,
                                          .max_memory = 1 << 20,
                                          .request_timeout_ms = timeout_ms,
                                          .workers = 2,
                                          .metrics = metrics};
    struct error err;
    cr_assert_eq(serve_server_create(&server, &options, &err), STATUS_OK, "%s", err.message);
}

static inline void begin(void)
{
    begin_with(200, 600000);
}

static inline void end(void)
{
    serve_server_destroy(&server);
    emu_sched_close(&sched);
    metrics_registry_destroy(&metrics);
    token_vocab_destroy(&vocab);
}

/* The boards take minutes for what they are given. */
static inline void slow_down(void)
{
    const struct board_fault fault = {.kind = BOARD_FAULT_SLOW, .factor = 1000000, .for_ns = 600000000000ull};
    for (uint32_t b = 0; b < emu_n_boards; b++)
        cr_assert_eq(batch_inject(sched.batch, b, &fault, NULL), STATUS_OK);
}

/* What the request core says a text's vector is. */
struct direct {
    struct serve_call call;
    const char *text;
    bool tokens;
    bool normalize;
    atomic_int ready;
};

static enum serve_progress direct_start(struct serve_call *call)
{
    const struct direct *direct = (const struct direct *)call;
    const struct serve_input input = {.text = {direct->text, strlen(direct->text)}};
    const struct serve_infer_spec spec = {.inputs = {&input, 1, true},
                                          .truncate = true,
                                          .pooling = direct->tokens ? BATCH_POOL_NONE : BATCH_POOL_MEAN,
                                          .normalize = direct->normalize};
    return serve_infer_start(call, &spec);
}

static void direct_encode(struct serve_call *call)
{
    struct serve_infer *infer = call->infer;
    bool tokens = ((struct direct *)call)->tokens;
    const float *rows = tokens ? serve_infer_tokens(infer, 0) : serve_infer_rows(infer);
    buf_append(&call->reply, rows, (tokens ? infer->inputs[0].n_tokens : 1) * infer->width * sizeof *rows);
}

static void direct_ready(struct serve_call *call)
{
    atomic_store(&((struct direct *)call)->ready, 1);
}

/* New: rows of EMU_HIDDEN; free. */
static inline float *direct_rows(const char *text, bool tokens, bool normalize)
{
    static const struct serve_method method = {.start = direct_start, .encode = direct_encode, .value_cost = 4};
    struct direct direct = {.text = text, .tokens = tokens, .normalize = normalize};
    serve_call_init(&direct.call, server);
    direct.call.method = &method;
    direct.call.on_ready = direct_ready;
    serve_call_run(&direct.call);
    EMU_WAIT_FOR(atomic_load(&direct.ready));
    serve_call_answer(&direct.call);
    cr_assert_eq(direct.call.status, STATUS_OK, "%s", direct.call.err.message);
    float *rows = malloc(direct.call.reply.len);
    memcpy(rows, direct.call.reply.data, direct.call.reply.len);
    serve_call_finish(&direct.call);
    return rows;
}

#endif
