#include "server/serve/pool.h"

#include <stddef.h>
#include <string.h>

#include "base/mem.h"

static struct serve_task *take(struct serve_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    while (!pool->first && !pool->stop)
        pthread_cond_wait(&pool->work, &pool->lock);
    struct serve_task *task = pool->first;
    if (task)
        pool->first = task->next;
    pthread_mutex_unlock(&pool->lock);
    return task;
}

static void *work(void *cookie)
{
    struct serve_task *task;
    while ((task = take(cookie)))
        task->run(task);
    return NULL;
}

enum status serve_pool_init(struct serve_pool *pool, uint32_t n, struct error *err)
{
    *pool = (struct serve_pool){.threads = mem_calloc(n, sizeof(pthread_t))};
    if (!pool->threads)
        return error_set(err, STATUS_NO_MEMORY, "no memory for %u workers", n);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    for (; pool->n < n; pool->n++) {
        int failed = pthread_create(&pool->threads[pool->n], NULL, work, pool);
        if (failed) {
            uint32_t started = pool->n;
            serve_pool_finish(pool);
            return error_set(err, STATUS_INTERNAL, "only %u of %u worker threads could be started: %s", started, n,
                             strerror(failed));
        }
    }
    return STATUS_OK;
}

void serve_pool_push(struct serve_pool *pool, struct serve_task *task)
{
    task->next = NULL;
    pthread_mutex_lock(&pool->lock);
    if (pool->first)
        pool->last->next = task;
    else
        pool->first = task;
    pool->last = task;
    pthread_cond_signal(&pool->work);
    pthread_mutex_unlock(&pool->lock);
}

void serve_pool_finish(struct serve_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->stop = true;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    for (uint32_t i = 0; i < pool->n; i++)
        pthread_join(pool->threads[i], NULL);
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->lock);
    mem_free(pool->threads);
    *pool = (struct serve_pool){0};
}
