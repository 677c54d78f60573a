/* A worker from inside: what its thread (worker.c; awake.c), its tasks (task.c), its self-test (selftest.c) and its
 * kinds (kinds.c) share. Private to the folder. */
#ifndef BERTD_ACCEL_WORKER_BOARD_H
#define BERTD_ACCEL_WORKER_BOARD_H

#include <pthread.h>

#include "accel/backend.h"
#include "accel/engine.h"
#include "accel/worker/awake.h"
#include "accel/worker/faults.h"

struct worker {
    struct board base;
    const struct engine_ops *ops;
    void *device; /* that its engines are created on; NULL: none */
    uint32_t index;
    bool verify; /* what its engines are made with */
    uint32_t patience;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_cond_t empty;      /* for a reset: no task is with the board */
    pthread_cond_t interrupt;  /* for a task that hangs */
    atomic_uint arrivals;      /* counts submissions and the close: what a spinning thread looks at */
    atomic_bool interrupted;   /* closing or resetting: what a running task looks at between layers */
    struct worker_awake awake; /* the thread's own */
    /* Under the lock: */
    bool asleep, closing, resetting;
    bool in_split;                    /* the last task was a shard of a layer with more to come */
    struct board_task *first, **last; /* last: where the next one is linked */
    struct image *image;
    struct image *copy; /* the board's own, once a fault has damaged it; NULL: it shares `image` */
    struct engine *engine;
    uint32_t layer_begin, layer_end;
    struct board_stats stats;
    struct worker_faults faults;
};

/** A new engine for an image. Errors: those of engine_ops. */
enum status worker_create_engine(struct worker *worker, struct engine **ret, const struct image *image,
                                 struct error *err);
/** Why nothing is computed now: CANCELLED (closing), BACKEND (resetting), OK. With the lock. */
enum status worker_refusal(const struct worker *worker);
/** Compute a task's layers, counting them, and suffer the faults that are due. From the board's thread. Errors:
 *  BACKEND, CANCELLED, NO_MEMORY. */
enum status worker_task_compute(struct worker *worker, struct board_task *task, uint32_t *layers, struct error *err);
/** Flip a bit of the image, in a copy of the board's own. From one of its tasks, or where it has none: a busy board
 *  stays as it is, and the fault waits for the next task. Errors: NO_MEMORY. */
enum status worker_damage(struct worker *worker, uint64_t seed, bool from_task, struct error *err);
/** Where the task is a self-test, the engine it brings; else NULL. */
struct engine *worker_selftest_engine(const struct board_task *task);

/** A board of this kind around engines of `ops`, with its thread. `ret`: new. Errors: NO_MEMORY, IO. */
enum status worker_open(struct board **ret, const struct board_backend *backend, const struct engine_ops *ops,
                        const struct board_options *options, struct error *err);

/* Of the backend's functions: */
void worker_close(struct board *board);
enum status worker_load(struct board *board, struct image *image, uint32_t layer_begin, uint32_t layer_end,
                        struct error *err);
void worker_submit(struct board *board, struct board_task *task);
void worker_cancel(struct board *board, struct board_job *job);
enum status worker_reset(struct board *board, struct error *err);
enum status worker_selftest(struct board *board, struct error *err);
void worker_stats(struct board *board, struct board_stats *ret);
enum status worker_scrub(struct board *board, struct error *err);
enum status worker_inject(struct board *board, const struct board_fault *fault, struct error *err);
/** End all that is with the board, with BACKEND. Blocks. */
void worker_give_up(struct worker *worker);

#endif
