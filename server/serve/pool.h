/* Threads that run tasks in the order they came. Private to the room. */
#ifndef BERTD_SERVE_POOL_H
#define BERTD_SERVE_POOL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

/** Part of what is to be run; the pool keeps no memory of its own, so pushing cannot fail. */
struct serve_task {
    void (*run)(struct serve_task *task); /* may free the task */
    struct serve_task *next;
};

struct serve_pool {
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct serve_task *first;
    struct serve_task *last;
    bool stop;
    pthread_t *threads; /* [n] */
    uint32_t n;
};

/** Start `n` threads. Errors: NO_MEMORY, INTERNAL; then nothing is left to stop. */
enum status serve_pool_init(struct serve_pool *pool, uint32_t n, struct error *err);
/** Thread: any. */
void serve_pool_push(struct serve_pool *pool, struct serve_task *task);
/** Run what was pushed, then end the threads. */
void serve_pool_finish(struct serve_pool *pool);

#endif
