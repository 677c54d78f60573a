/* Threads that run tasks in the order they came. Private to the room. */
#ifndef BERTD_HTTP_POOL_H
#define BERTD_HTTP_POOL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

/** Part of what is to be run; the pool keeps no memory of its own, so pushing cannot fail. */
struct http_task {
    void (*run)(struct http_task *task); /* may free the task */
    struct http_task *next;
};

struct http_pool {
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct http_task *first;
    struct http_task *last;
    bool stop;
    pthread_t *threads; /* [n] */
    uint32_t n;
};

/** Start `n` threads. Errors: NO_MEMORY, INTERNAL; then nothing is left to stop. */
enum status http_pool_init(struct http_pool *pool, uint32_t n, struct error *err);
/** Thread: any. */
void http_pool_push(struct http_pool *pool, struct http_task *task);
/** Run what was pushed, then end the threads. */
void http_pool_finish(struct http_pool *pool);

#endif
