/* The emulated board from inside: what its thread (emu.c), its tasks (task.c) and its self-test (selftest.c) share.
 * Private to the folder. */
#ifndef BERTD_ACCEL_EMU_EMU_BOARD_H
#define BERTD_ACCEL_EMU_EMU_BOARD_H

#include <pthread.h>

#include "accel/backend.h"
#include "accel/emu/faults.h"
#include "accel/engine.h"

struct emu {
    struct board base;
    const struct engine_ops *ops;
    uint32_t index;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_cond_t empty;     /* for a reset: no task is with the board */
    pthread_cond_t interrupt; /* for a task that hangs */
    atomic_uint arrivals;     /* counts submissions and the close: what a spinning thread looks at */
    atomic_bool interrupted;  /* closing or resetting: what a running task looks at between layers */
    /* Under the lock: */
    bool asleep, closing, resetting;
    bool in_split;                    /* the last task was a part of a split with more to come */
    struct board_task *first, **last; /* last: where the next one is linked */
    struct image *image;
    struct image *copy; /* the board's own, once a fault has damaged it; NULL: it shares `image` */
    struct engine *engine;
    uint32_t layer_begin, layer_end;
    struct board_stats stats;
    struct emu_faults faults;
};

/** Why nothing is computed now: CANCELLED (closing), BACKEND (resetting), OK. With the lock. */
enum status emu_refusal(const struct emu *emu);
/** Compute a task's layers, counting them, and suffer the faults that are due. From the board's thread. Errors:
 *  BACKEND, CANCELLED, NO_MEMORY. */
enum status emu_task_compute(struct emu *emu, struct board_task *task, uint32_t *layers, struct error *err);
/** Flip a bit of the image, in a copy of the board's own. From one of its tasks, or where it has none: a busy board
 *  stays as it is, and the fault waits for the next task. Errors: NO_MEMORY. */
enum status emu_damage(struct emu *emu, uint64_t seed, bool from_task, struct error *err);
/** Where the task is a self-test, the engine it brings; else NULL. */
struct engine *emu_selftest_engine(const struct board_task *task);

/* Of the backend's functions: */
void emu_submit(struct board *board, struct board_task *task);
enum status emu_selftest(struct board *board, struct error *err);
/** End all that is with the board, with BACKEND. Blocks. */
void emu_give_up(struct emu *emu);

#endif
