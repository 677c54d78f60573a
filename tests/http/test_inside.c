/* A server in this process, over boards and an image that the test can reach: a text that no board can compute, and an
 * image that is damaged while requests run. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "accel/backend.h"
#include "server/model/model.h"
#include "server/serve/serve.h"
#include "tests/http/client.h"
#include "tests/http/process.h"
#include "tests/http/serving.h"

enum { BOARDS = 3, TEXTS = 48, POISONED = 17, CLIENTS = 3 };
enum { HELLO = 7592, UNUSED = 29000 }; /* tokens of BERT's vocabulary */

/* A board that fails every batch with the token HELLO ---------------------------------------------------------------*/

struct picky {
    struct board base;
    struct board *inner;
};

struct picky_task {
    struct board_task task; /* as the inner board sees it */
    struct board_task *outer;
};

static bool is_poisoned(const struct board_job *job)
{
    for (uint32_t r = 0; r < job->n_rows; r++)
        if (job->ids[r] == HELLO)
            return true;
    return false;
}

static void on_inner_done(struct board_task *task, enum status status, const struct error *err)
{
    struct board_task *outer = ((struct picky_task *)task)->outer;
    struct error own;
    free(task);
    if (status == STATUS_OK && is_poisoned(outer->job))
        outer->on_done(outer, error_set(&own, STATUS_BACKEND, "it does not like this text"), &own);
    else
        outer->on_done(outer, status, err);
}

static void picky_submit(struct board *board, struct board_task *task)
{
    struct picky_task *inner = malloc(sizeof *inner);
    inner->task = *task;
    inner->task.on_done = on_inner_done;
    inner->outer = task;
    board_submit(((struct picky *)board)->inner, &inner->task);
}

static void picky_close(struct board *board)
{
    board_close(&((struct picky *)board)->inner);
    free(board);
}

static enum status picky_load(struct board *board, struct image *image, uint32_t layer_begin, uint32_t layer_end,
                              struct error *err)
{
    return board_load(((struct picky *)board)->inner, image, layer_begin, layer_end, err);
}

static void picky_cancel(struct board *board, struct board_job *job)
{
    board_cancel(((struct picky *)board)->inner, job);
}

static enum status picky_reset(struct board *board, struct error *err)
{
    return board_reset(((struct picky *)board)->inner, err);
}

static enum status picky_selftest(struct board *board, struct error *err)
{
    return board_selftest(((struct picky *)board)->inner, err);
}

static void picky_stats(struct board *board, struct board_stats *ret)
{
    board_stats(((struct picky *)board)->inner, ret);
}

static const struct board_backend picky_backend = {.kind = "picky",
                                                   .close = picky_close,
                                                   .load = picky_load,
                                                   .submit = picky_submit,
                                                   .cancel = picky_cancel,
                                                   .reset = picky_reset,
                                                   .selftest = picky_selftest,
                                                   .stats = picky_stats};

static struct board *picky_open(uint32_t index)
{
    struct picky *picky = calloc(1, sizeof *picky);
    struct error err;
    picky->base.backend = &picky_backend;
    snprintf(picky->base.name, sizeof picky->base.name, "picky%u", index);
    cr_assert_eq(board_open(&picky->inner, &(struct board_options){.index = index}, &err), STATUS_OK, "%s",
                 err.message);
    return &picky->base;
}

/* The server --------------------------------------------------------------------------------------------------------*/

struct inside {
    struct model_info info;
    struct token_vocab *vocab;
    struct image *image;
    struct batch *batch;
    struct metrics_registry *metrics;
    struct serve_server *serve;
    struct serving serving;
    atomic_int repaired;
};

static void on_event(void *cookie, const struct batch_event *event)
{
    struct inside *inside = cookie;
    if (event->kind == BATCH_IMAGE_REPAIRED)
        atomic_fetch_add(&inside->repaired, 1);
}

static enum status rebuild(void *cookie, struct image **ret, struct error *err)
{
    struct inside *inside = cookie;
    return model_load_image(ret, process_model(), &inside->info, IMAGE_INT8, board_sections("emu"), err);
}

static void open_batch(struct inside *inside)
{
    struct error err;
    struct board *boards[BOARDS];
    for (uint32_t b = 0; b < BOARDS; b++)
        boards[b] = picky_open(b);
    struct batch_options options = {.image = inside->image,
                                    .boards = boards,
                                    .n_boards = BOARDS,
                                    .max_tokens = 4096,
                                    .max_queued_items = 100,
                                    .scrub_interval_ns = 100000000,
                                    .timeout_scale = 10, /* sanitizers are slow */
                                    .on_event = on_event,
                                    .rebuild = rebuild,
                                    .cookie = inside};
    cr_assert_eq(batch_create(&inside->batch, &options, &err), STATUS_OK, "%s", err.message);
}

static void open_inside(struct inside *inside)
{
    struct error err;
    const char *model = process_model();
    if (!model)
        cr_skip_test("no model");
    cr_assert_eq(model_read_info(&inside->info, model, false, &err), STATUS_OK, "%s", err.message);
    cr_assert_eq(token_vocab_load(&inside->vocab, model, &err), STATUS_OK, "%s", err.message);
    cr_assert_eq(model_load_image(&inside->image, model, &inside->info, IMAGE_INT8, board_sections("emu"), &err),
                 STATUS_OK, "%s", err.message);
    open_batch(inside);
    inside->metrics = metrics_registry_create();
    struct serve_options options = {.model_dir = model,
                                    .model_id = "m",
                                    .served_model_name = "m",
                                    .model_dtype = "int8",
                                    .compute_type = "cpu",
                                    .instruction_set = "c",
                                    .version = "0",
                                    .vocab = inside->vocab,
                                    .batch = inside->batch,
                                    .n_boards = BOARDS,
                                    .width = inside->info.shape.hidden,
                                    .pooling = BATCH_POOL_MEAN,
                                    .max_input_length = 256,
                                    .max_chunks = 8,
                                    .max_concurrent_requests = 8,
                                    .max_client_batch_size = TEXTS,
                                    .max_memory = 1 << 28,
                                    .workers = 2,
                                    .metrics = inside->metrics};
    cr_assert_eq(serve_server_create(&inside->serve, &options, &err), STATUS_OK, "%s", err.message);
    const struct http_options http = {.payload_limit = 100000, .max_connections = 64, .idle_timeout_s = 60};
    cr_assert_eq(serving_start(&inside->serving, inside->serve, &http, &err), STATUS_OK, "%s", err.message);
}

static void close_inside(struct inside *inside)
{
    serving_stop(&inside->serving);
    serve_server_destroy(&inside->serve);
    metrics_registry_destroy(&inside->metrics);
    batch_destroy(&inside->batch, true);
    image_release(&inside->image);
    token_vocab_destroy(&inside->vocab);
}

/* -------------------------------------------------------------------------------------------------------------------*/

static struct answer ask_many(const struct inside *inside, int poisoned)
{
    char body[TEXTS * 32], *to = body + sprintf(body, "{\"inputs\":[");
    for (int i = 0; i < TEXTS; i++)
        to += i == poisoned ? sprintf(to, ",\"hello\"") : sprintf(to, "%s\"text %d of many\"", i ? "," : "", i);
    sprintf(to, "]}");
    return client_post(inside->serving.port, "/embed", body);
}

/* The batch is shared out over the boards, each of which fails the part with that text, then the text alone. */
Test(inside, a_text_that_no_board_computes_is_named)
{
    static struct inside inside;
    open_inside(&inside);
    client_expect_ok(ask_many(&inside, -1));
    client_expect_error(ask_many(&inside, POISONED), 424, "Backend", "`inputs[17]` failed 8 times");
    client_expect_error(ask_many(&inside, POISONED), 424, "Backend", "it does not like this text");
    client_expect_ok(ask_many(&inside, -1));
    cr_expect(client_becomes(inside.serving.port, "bertd_boards_ready", BOARDS));
    close_inside(&inside);
}

struct asking {
    pthread_t thread;
    struct inside *inside;
    const char *right;
    atomic_bool stop;
    atomic_int good, waiting, bad;
};

static const char body[] = "{\"inputs\":[\"the image is damaged\",\"and repaired\"]}";

static void *ask_on(void *cookie)
{
    struct asking *asking = cookie;
    while (!atomic_load(&asking->stop)) {
        struct answer answer = client_post(asking->inside->serving.port, "/embed", body);
        if (answer.code == 200 && strcmp(answer.body, asking->right) == 0)
            atomic_fetch_add(&asking->good, 1);
        else if (answer.code == 503 && strcasestr(answer.headers, "\nretry-after: "))
            atomic_fetch_add(&asking->waiting, 1);
        else
            atomic_fetch_add(&asking->bad, 1);
        client_free(&answer);
    }
    return NULL;
}

/* As cosmic rays do it, without a lock; in the vector of a token that nobody uses. */
__attribute__((no_sanitize("thread"))) static void damage(struct inside *inside)
{
    size_t width = inside->info.shape.hidden;
    unsigned char *byte = (unsigned char *)(uintptr_t)(inside->image->word_embeddings + UNUSED * width);
    *byte ^= 16;
}

static int total(struct asking *asking, const char *what)
{
    int sum = 0;
    for (int c = 0; c < CLIENTS; c++)
        sum += atomic_load(*what == 'g' ? &asking[c].good : *what == 'b' ? &asking[c].bad : &asking[c].waiting);
    return sum;
}

#define WAIT_FOR(condition)                                                                                            \
    do {                                                                                                               \
        for (int tries = 0; !(condition); tries++) {                                                                   \
            cr_assert_lt(tries, 60000, "never: " #condition);                                                          \
            usleep(1000);                                                                                              \
        }                                                                                                              \
    } while (0)

Test(inside, a_shared_image_is_repaired_while_requests_run)
{
    static struct inside inside;
    static struct asking asking[CLIENTS];
    open_inside(&inside);
    struct answer right = client_post(inside.serving.port, "/embed", body);
    cr_assert_eq(right.code, 200, "%s", right.body);
    for (int c = 0; c < CLIENTS; c++) {
        asking[c] = (struct asking){.inside = &inside, .right = right.body};
        pthread_create(&asking[c].thread, NULL, ask_on, &asking[c]);
    }
    for (int times = 1; times <= 3; times++) {
        int before = total(asking, "good");
        WAIT_FOR(total(asking, "good") > before + CLIENTS);
        damage(&inside);
        WAIT_FOR(atomic_load(&inside.repaired) == times);
        before = total(asking, "good");
        WAIT_FOR(total(asking, "good") > before + CLIENTS);
    }
    for (int c = 0; c < CLIENTS; c++)
        atomic_store(&asking[c].stop, true);
    for (int c = 0; c < CLIENTS; c++)
        pthread_join(asking[c].thread, NULL);
    cr_expect_eq(total(asking, "bad"), 0, "each answer has the right bits, or says when to come again");
    cr_expect_eq(client_metric(inside.serving.port, "bertd_scrub_failures_total"), 3);
    cr_expect(image_verify(inside.image));
    cr_expect(client_becomes(inside.serving.port, "bertd_boards_ready", BOARDS));
    client_free(&right);
    close_inside(&inside);
}
