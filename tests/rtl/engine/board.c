/* The board rtl-sim on a small simulated array: tasks over several layers of ragged batches, more sequences than one
 * command takes, parts of sequences; jobs that are cancelled and boards that are reset in the middle of a list. Bits
 * are compared with the reference engine's.
 *
 *     board
 */
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "accel/float_mode.h"
#include "tests/rtl/engine/case.h"

enum { LAYERS = 2, HIDDEN = 64, MANY = RTL_CASE_SEQUENCES };

static int failures;

static void check(bool good, const char *what, long value)
{
    if (good)
        return;
    printf("FAILED: %s (%ld)\n", what, value);
    failures++;
}

static const struct image_shape shape = {
    .layers = LAYERS, .hidden = HIDDEN, .heads = 2, .intermediate = 64, .layer_norm_eps = 1e-12f};

/* A task and how it ended. */
struct ended {
    struct board_task task;
    sem_t done;
    enum status status;
    struct error err;
};

static void on_done(struct board_task *task, enum status status, const struct error *err)
{
    struct ended *ended = task->cookie;
    ended->status = status;
    if (status)
        ended->err = *err;
    sem_post(&ended->done);
}

static void submit(struct board *board, struct ended *ended, struct board_task task)
{
    *ended = (struct ended){.task = task};
    sem_init(&ended->done, 0, 0);
    ended->task.on_done = on_done;
    ended->task.cookie = ended;
    board_submit(board, &ended->task);
}

static enum status await(struct ended *ended)
{
    while (sem_wait(&ended->done) != 0) {
    }
    sem_destroy(&ended->done);
    return ended->status;
}

static void run(struct board *board, struct board_task task)
{
    struct ended ended;
    submit(board, &ended, task);
    enum status status = await(&ended);
    check(status == STATUS_OK, ended.err.message, status);
}

/* A batch, the rows that the board computes of it, and a board that has its model. */
struct fixture {
    struct rtl_case test;
    struct board *board;
    struct board_job job;
    float *hidden;
};

static void open_fixture(struct fixture *f, const uint32_t *lengths, uint32_t n)
{
    struct rtl_random random = {n};
    struct error err = {0};
    memset(f, 0, sizeof *f);
    rtl_case_init_batch(&f->test, &random, shape, lengths, n);
    f->hidden = calloc((size_t)f->test.rows * HIDDEN, sizeof *f->hidden);
    f->job.image = f->test.image;
    f->job.n_seqs = n;
    f->job.n_rows = f->test.rows;
    f->job.cu_seqlens = f->test.cu_seqlens;
    f->job.ids = f->test.ids;
    f->job.hidden = f->hidden;
    f->job.kv = &f->test.kv;
    if (!f->hidden || board_open(&f->board, &(struct board_options){.kind = "rtl-sim"}, &err) ||
        board_load(f->board, f->test.image, 0, LAYERS, &err)) {
        fprintf(stderr, "board: %s\n", err.message);
        exit(1);
    }
}

static struct board_task task_of(struct fixture *f, enum board_task_kind kind, uint32_t layer_begin, uint32_t layer_end,
                                 uint32_t row_begin, uint32_t row_end)
{
    return (struct board_task){.job = &f->job,
                               .kind = kind,
                               .layer_begin = layer_begin,
                               .layer_end = layer_end,
                               .row_begin = row_begin,
                               .row_end = row_end};
}

static struct board_task whole(struct fixture *f)
{
    return task_of(f, BOARD_RUN, 0, LAYERS, 0, f->job.n_rows);
}

static void expect_equal(const struct fixture *f, uint32_t begin, uint32_t end, const char *what)
{
    size_t at = (size_t)begin * HIDDEN, n = (size_t)(end - begin) * HIDDEN;
    check(memcmp(f->hidden + at, f->test.expected + at, n * sizeof(float)) == 0, what, begin);
}

static void close_fixture(struct fixture *f)
{
    board_close(&f->board);
    free(f->hidden);
    rtl_case_finish(&f->test);
}

static void more_sequences_than_a_command_takes(void)
{
    struct fixture f;
    uint32_t lengths[MANY];
    for (uint32_t s = 0; s < MANY; s++)
        lengths[s] = 1 + s % 3;
    open_fixture(&f, lengths, MANY);
    run(f.board, whole(&f));
    expect_equal(&f, 0, f.job.n_rows, "a batch of several commands differs");
    struct board_stats stats;
    board_stats(f.board, &stats);
    check(stats.layers == LAYERS, "layers are not counted", (long)stats.layers);
    close_fixture(&f);
}

static void layers_and_rows_apart(void)
{
    static const uint32_t lengths[] = {7, 1, 18};
    struct fixture f;
    open_fixture(&f, lengths, 3);
    run(f.board, task_of(&f, BOARD_RUN, 0, 1, 8, 26));
    run(f.board, task_of(&f, BOARD_RUN, 1, 2, 8, 26));
    run(f.board, task_of(&f, BOARD_RUN, 0, 2, 0, 8));
    expect_equal(&f, 0, f.job.n_rows, "layers and rows in tasks of their own differ");
    memset(f.hidden, 0, (size_t)f.job.n_rows * HIDDEN * sizeof(float));
    static const uint32_t cuts[] = {0, 3, 14, 26};
    for (uint32_t layer = 0; layer < LAYERS; layer++)
        for (int k = 0; k < 2; k++)
            for (int c = 0; c < 3; c++)
                run(f.board, task_of(&f, k ? BOARD_FINISH : BOARD_PROJECT, layer, layer + 1, cuts[c], cuts[c + 1]));
    expect_equal(&f, 0, f.job.n_rows, "parts differ");
    close_fixture(&f);
}

/* Until the board's thread has begun: what follows then meets a list that runs. */
static void let_it_begin(struct board *board)
{
    struct board_stats stats;
    do {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        board_stats(board, &stats);
    } while (stats.state != BOARD_BUSY && stats.queued > 0);
}

/* The list would take a million cycles. */
static void given_up_in_the_middle(void)
{
    enum { LONG = 490, SHORT = 20 };
    static const uint32_t lengths[] = {LONG, SHORT};
    struct fixture f;
    struct ended ended;
    struct error err = {0};
    open_fixture(&f, lengths, 2);
    submit(f.board, &ended, whole(&f));
    let_it_begin(f.board);
    board_cancel(f.board, &f.job);
    enum status status = await(&ended);
    check(status == STATUS_CANCELLED, "a cancelled job ends otherwise", status);
    f.job.cancelled = false;
    submit(f.board, &ended, whole(&f));
    let_it_begin(f.board);
    check(board_reset(f.board, &err) == STATUS_OK, "the board does not come back", 0);
    status = await(&ended);
    check(status == STATUS_BACKEND, "a reset board's task ends otherwise", status);
    run(f.board, task_of(&f, BOARD_RUN, 0, LAYERS, LONG, LONG + SHORT));
    expect_equal(&f, LONG, LONG + SHORT, "behind a cancelled list and a reset the bits differ");
    close_fixture(&f);
}

static void too_long(void)
{
    static const uint32_t lengths[] = {3};
    struct fixture f;
    struct ended ended;
    open_fixture(&f, lengths, 1);
    uint32_t cu_seqlens[] = {0, CARD_MAX_TOKENS + 1};
    uint32_t *ids = calloc(CARD_MAX_TOKENS + 1, sizeof *ids);
    f.job.cu_seqlens = cu_seqlens;
    f.job.n_rows = CARD_MAX_TOKENS + 1;
    f.job.ids = ids;
    submit(f.board, &ended, whole(&f));
    check(await(&ended) == STATUS_BACKEND && strstr(ended.err.message, "takes up to 512"), ended.err.message, 0);
    free(ids);
    close_fixture(&f);
}

int main(void)
{
    float_mode_set(); /* for the reference and the models of floating-point units */
    more_sequences_than_a_command_takes();
    layers_and_rows_apart();
    given_up_in_the_middle();
    too_long();
    printf("%s\n", failures ? "FAILED" : "passed");
    return failures != 0;
}
