/* A board for tests of the scheduler: it holds tasks until the test lets them finish. */
#ifndef TESTS_BATCH_FAKE_BOARD_H
#define TESTS_BATCH_FAKE_BOARD_H

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "accel/backend.h"

struct fake_board {
    struct board base;
    pthread_mutex_t lock;
    struct board_task *held[64];
    uint32_t n_held;
    atomic_bool broken;  /* its self-test fails */
    atomic_bool stuck;   /* its self-test does not end */
    atomic_bool slow;    /* what it is reset in ends by itself */
    atomic_bool damaged; /* the next scrub finds its memory so */
    atomic_uint selftests;
};

static void fake_close(struct board *board)
{
    free(board);
}

static void fake_submit(struct board *board, struct board_task *task)
{
    struct fake_board *fake = (struct fake_board *)board;
    pthread_mutex_lock(&fake->lock);
    fake->held[fake->n_held++] = task;
    pthread_mutex_unlock(&fake->lock);
}

static void fake_cancel(struct board *board, struct board_job *job)
{
    (void)board;
    atomic_store(&job->cancelled, true);
}

static enum status fake_load(struct board *board, struct image *image, uint32_t layer_begin, uint32_t layer_end,
                             struct error *err)
{
    (void)board;
    (void)image;
    (void)layer_begin;
    (void)layer_end;
    (void)err;
    return STATUS_OK;
}

static inline struct board_task *fake_board_pop(struct board *board)
{
    struct fake_board *fake = (struct fake_board *)board;
    pthread_mutex_lock(&fake->lock);
    struct board_task *task = fake->n_held ? fake->held[0] : NULL;
    if (task)
        memmove(fake->held, fake->held + 1, --fake->n_held * sizeof fake->held[0]);
    pthread_mutex_unlock(&fake->lock);
    return task;
}

static enum status fake_reset(struct board *board, struct error *err)
{
    for (struct board_task *task; (task = fake_board_pop(board));) { /* what it was stuck in comes back failed */
        enum status status = atomic_load(&((struct fake_board *)board)->slow) ? STATUS_CANCELLED : STATUS_BACKEND;
        error_set(err, status, "reset");
        task->on_done(task, status, err);
    }
    return STATUS_OK;
}

static enum status fake_selftest(struct board *board, struct error *err)
{
    struct fake_board *fake = (struct fake_board *)board;
    atomic_fetch_add(&fake->selftests, 1);
    while (atomic_load(&fake->stuck))
        usleep(1000);
    return atomic_load(&fake->broken) ? error_set(err, STATUS_BACKEND, "broken") : STATUS_OK;
}

static void fake_stats(struct board *board, struct board_stats *ret)
{
    (void)board;
    *ret = (struct board_stats){.state = BOARD_READY};
}

static enum status fake_scrub(struct board *board, struct error *err)
{
    struct fake_board *fake = (struct fake_board *)board;
    return atomic_exchange(&fake->damaged, false) ? error_set(err, STATUS_BACKEND, "damaged") : STATUS_OK;
}

/* Of TENSOR tasks; 0: it does none. */
static size_t fake_exchange;
static uint32_t fake_exchange_boards; /* for how many it was asked last */

static size_t fake_exchange_size(const struct image *image, uint32_t rows, uint32_t n)
{
    (void)image;
    (void)rows;
    fake_exchange_boards = n;
    return fake_exchange;
}

static const struct board_backend fake_backend = {.kind = "fake",
                                                  .close = fake_close,
                                                  .load = fake_load,
                                                  .submit = fake_submit,
                                                  .cancel = fake_cancel,
                                                  .reset = fake_reset,
                                                  .selftest = fake_selftest,
                                                  .stats = fake_stats,
                                                  .scrub = fake_scrub,
                                                  .exchange_size = fake_exchange_size};

static inline struct board *fake_board_create(void)
{
    struct fake_board *fake = calloc(1, sizeof *fake);
    fake->base.backend = &fake_backend;
    pthread_mutex_init(&fake->lock, NULL);
    return &fake->base;
}

static inline uint32_t fake_board_held(struct board *board)
{
    struct fake_board *fake = (struct fake_board *)board;
    pthread_mutex_lock(&fake->lock);
    uint32_t n = fake->n_held;
    pthread_mutex_unlock(&fake->lock);
    return n;
}

/* The rows of its "model": each row's values are its token id, so that a test knows what to expect. */
static inline void fake_board_compute(const struct board_task *task)
{
    struct board_job *job = task->job;
    uint32_t width = job->image->shape.hidden;
    for (uint32_t r = task->row_begin; r < task->row_end && task->kind != BOARD_PROJECT; r++)
        for (uint32_t i = 0; i < width; i++)
            job->hidden[r * width + i] = (float)job->ids[r] + (job->type_ids ? 1000.0f * job->type_ids[r] : 0);
}

/* A copy of the oldest held task; zeroed when there is none. */
static inline struct board_task fake_board_peek(struct board *board)
{
    struct fake_board *fake = (struct fake_board *)board;
    struct board_task task = {0};
    pthread_mutex_lock(&fake->lock);
    if (fake->n_held)
        task = *fake->held[0];
    pthread_mutex_unlock(&fake->lock);
    return task;
}

static inline bool fake_board_cancelled(struct board *board)
{
    struct board_task task = fake_board_peek(board);
    return task.job && atomic_load(&task.job->cancelled);
}

static inline void fake_board_end(struct board_task *task, enum status status)
{
    struct error err;
    error_set(&err, status, "the fake board says so");
    if (atomic_load(&task->job->cancelled))
        status = STATUS_CANCELLED;
    if (status == STATUS_OK)
        fake_board_compute(task);
    task->on_done(task, status, &err);
}

/* Finish the oldest held task with `status`; a cancelled job ends as CANCELLED as on a real board. */
static inline bool fake_board_finish(struct board *board, enum status status)
{
    struct board_task *task = fake_board_pop(board);
    if (task)
        fake_board_end(task, status);
    return task != NULL;
}

/* Finish the oldest held task as if it was done just before its job was cancelled. */
static inline bool fake_board_finish_before_cancel(struct board *board)
{
    struct board_task *task = fake_board_pop(board);
    if (!task)
        return false;
    fake_board_compute(task);
    task->on_done(task, STATUS_OK, NULL);
    return true;
}

/* Finish the oldest held task, OK unless the job holds the token `poison`. */
static inline bool fake_board_finish_unless(struct board *board, uint32_t poison)
{
    struct board_task *task = fake_board_pop(board);
    enum status status = STATUS_OK;
    for (uint32_t r = 0; task && r < task->job->n_rows; r++)
        if (task->job->ids[r] == poison)
            status = STATUS_BACKEND;
    if (task)
        fake_board_end(task, status);
    return task != NULL;
}

#endif
