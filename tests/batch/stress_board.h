/* A board with a thread of its own that takes its time, fails, and hangs, by chance.
 *
 * Every layer adds one to the rows of the token ids, so that a layer left out or done twice shows; PROJECT stamps its
 * rows, and FINISH wants to see the stamps of all, so that a barrier left out shows. A team stamps what it exchanges.
 */
#ifndef TESTS_BATCH_STRESS_BOARD_H
#define TESTS_BATCH_STRESS_BOARD_H

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "accel/backend.h"

struct stress_board {
    struct board base;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake, interrupt, empty;
    struct board_task *first, **last;
    uint32_t with_it;
    bool closing, resetting;
    uint64_t random;
    uint32_t hang_at; /* so many tasks from now; 0: never */
    atomic_uint bad_stamps;
    atomic_uint failures, hangs;
};

enum { STRESS_FAIL_PERCENT = 2, STRESS_TEST_FAIL_PERCENT = 20, STRESS_MOST_US = 300 };

static uint32_t stress_random(struct stress_board *board, uint32_t below)
{
    board->random = board->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(board->random >> 33) % below;
}

static void stress_layer(struct stress_board *board, const struct board_task *task, uint32_t layer)
{
    const struct board_job *job = task->job;
    uint32_t width = job->image->shape.hidden;
    float stamp = (float)(layer + 1);
    if (task->kind == BOARD_PROJECT)
        for (uint32_t r = task->row_begin; r < task->row_end; r++)
            job->kv->key_scales[layer % 2][r] = stamp;
    for (uint32_t r = 0; task->kind == BOARD_FINISH && r < job->n_rows; r++)
        if (job->kv->key_scales[layer % 2][r] != stamp)
            atomic_fetch_add(&board->bad_stamps, 1);
    for (uint32_t r = task->row_begin; r < task->row_end && task->kind != BOARD_PROJECT; r++)
        for (uint32_t i = 0; i < width; i++)
            job->hidden[r * width + i] = (layer ? job->hidden[r * width + i] : (float)job->ids[r]) + 1;
}

/* Its part of the rows; then all members have stamped that they have done theirs. */
static bool stress_share(struct stress_board *board, const struct board_task *task, uint32_t layer)
{
    struct board_team *team = task->team;
    uint32_t *stamps = team->exchange;
    struct board_task own = *task;
    own.row_begin = task->row_end * task->member / team->n;
    own.row_end = task->row_end * (task->member + 1) / team->n;
    stress_layer(board, &own, layer);
    stamps[task->member] = layer + 1;
    if (!board_team_meet(team, task->member))
        return false;
    for (uint32_t m = 0; m < team->n; m++)
        if (stamps[m] != layer + 1)
            atomic_fetch_add(&board->bad_stamps, 1);
    return board_team_meet(team, task->member);
}

static enum status stress_hang(struct stress_board *board)
{
    atomic_fetch_add(&board->hangs, 1);
    pthread_mutex_lock(&board->lock);
    while (!board->closing && !board->resetting)
        pthread_cond_wait(&board->interrupt, &board->lock);
    pthread_mutex_unlock(&board->lock);
    return STATUS_BACKEND;
}

static enum status stress_compute(struct stress_board *board, const struct board_task *task)
{
    if (board->hang_at && --board->hang_at == 0)
        return stress_hang(board);
    for (uint32_t layer = task->layer_begin; layer < task->layer_end; layer++) {
        if (atomic_load(&task->job->cancelled))
            return STATUS_CANCELLED;
        if (stress_random(board, 4) == 0)
            usleep(stress_random(board, STRESS_MOST_US));
        if (stress_random(board, 100) < STRESS_FAIL_PERCENT) {
            atomic_fetch_add(&board->failures, 1);
            return STATUS_BACKEND;
        }
        if (task->kind != BOARD_TENSOR)
            stress_layer(board, task, layer);
        else if (!stress_share(board, task, layer))
            return STATUS_CANCELLED;
    }
    return STATUS_OK;
}

static void *stress_main(void *cookie)
{
    struct stress_board *board = cookie;
    pthread_mutex_lock(&board->lock);
    for (;;) {
        while (!board->first && !board->closing)
            pthread_cond_wait(&board->wake, &board->lock);
        struct board_task *task = board->first;
        if (!task)
            break;
        board->first = task->next;
        if (!board->first)
            board->last = &board->first;
        enum status status = board->closing ? STATUS_CANCELLED : board->resetting ? STATUS_BACKEND : STATUS_OK;
        pthread_mutex_unlock(&board->lock);
        if (status == STATUS_OK)
            status = stress_compute(board, task);
        struct error err;
        error_set(&err, status, "by chance");
        if (status && task->kind == BOARD_TENSOR)
            status = board_team_leave(task->team, task->member, status, &err);
        pthread_mutex_lock(&board->lock);
        if (--board->with_it == 0)
            pthread_cond_broadcast(&board->empty);
        pthread_mutex_unlock(&board->lock);
        task->on_done(task, status, &err);
        pthread_mutex_lock(&board->lock);
    }
    pthread_mutex_unlock(&board->lock);
    return NULL;
}

static void stress_submit(struct board *base, struct board_task *task)
{
    struct stress_board *board = (struct stress_board *)base;
    task->next = NULL;
    pthread_mutex_lock(&board->lock);
    *board->last = task;
    board->last = &task->next;
    board->with_it++;
    pthread_cond_signal(&board->wake);
    pthread_mutex_unlock(&board->lock);
}

static void stress_cancel(struct board *base, struct board_job *job)
{
    (void)base;
    atomic_store(&job->cancelled, true);
}

static enum status stress_load(struct board *base, struct image *image, uint32_t layer_begin, uint32_t layer_end,
                               struct error *err)
{
    (void)base;
    (void)image;
    (void)layer_begin;
    (void)layer_end;
    (void)err;
    return STATUS_OK;
}

static enum status stress_reset(struct board *base, struct error *err)
{
    struct stress_board *board = (struct stress_board *)base;
    (void)err;
    pthread_mutex_lock(&board->lock);
    board->resetting = true;
    pthread_cond_broadcast(&board->interrupt);
    while (board->with_it > 0)
        pthread_cond_wait(&board->empty, &board->lock);
    board->resetting = false;
    pthread_mutex_unlock(&board->lock);
    return STATUS_OK;
}

static enum status stress_selftest(struct board *base, struct error *err)
{
    static atomic_uint calls;
    (void)base;
    uint32_t mixed = (atomic_fetch_add(&calls, 1) + 1) * 2654435761u;
    return (mixed >> 16) % 100 < STRESS_TEST_FAIL_PERCENT ? error_set(err, STATUS_BACKEND, "by chance") : STATUS_OK;
}

static void stress_stats(struct board *base, struct board_stats *ret)
{
    (void)base;
    *ret = (struct board_stats){.state = BOARD_READY};
}

static void stress_close(struct board *base)
{
    struct stress_board *board = (struct stress_board *)base;
    pthread_mutex_lock(&board->lock);
    board->closing = true;
    pthread_cond_broadcast(&board->wake);
    pthread_cond_broadcast(&board->interrupt);
    pthread_mutex_unlock(&board->lock);
    pthread_join(board->thread, NULL);
    free(board);
}

static size_t stress_exchange_size(const struct image *image, uint32_t rows, uint32_t n)
{
    (void)image;
    (void)rows;
    return n * sizeof(uint32_t);
}

static const struct board_backend stress_backend = {.kind = "stress",
                                                    .close = stress_close,
                                                    .load = stress_load,
                                                    .submit = stress_submit,
                                                    .cancel = stress_cancel,
                                                    .reset = stress_reset,
                                                    .selftest = stress_selftest,
                                                    .stats = stress_stats,
                                                    .exchange_size = stress_exchange_size};

static inline struct board *stress_board_create(uint64_t seed, uint32_t hang_at)
{
    struct stress_board *board = calloc(1, sizeof *board);
    board->base.backend = &stress_backend;
    snprintf(board->base.name, sizeof board->base.name, "stress%u", (unsigned)(seed % 1000));
    board->last = &board->first;
    board->random = seed * 2654435761u + 1;
    board->hang_at = hang_at;
    pthread_mutex_init(&board->lock, NULL);
    pthread_cond_init(&board->wake, NULL);
    pthread_cond_init(&board->interrupt, NULL);
    pthread_cond_init(&board->empty, NULL);
    pthread_create(&board->thread, NULL, stress_main, board);
    return &board->base;
}

#endif
