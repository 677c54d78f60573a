#include "server/batch/threads.h"

#include "server/batch/health_worker.h"
#include "server/batch/scrubber.h"
#include "server/batch/timer.h"

static bool start(struct batch *batch, void *(*main)(void *cookie), void *cookie)
{
    bool started = pthread_create(&batch->threads[batch->n_threads], NULL, main, cookie) == 0;
    batch->n_threads += started;
    return started;
}

enum status sched_start_threads(struct batch *batch, struct error *err)
{
    bool started = start(batch, sched_timer_main, batch) && start(batch, sched_scrubber_main, batch);
    for (uint32_t b = 0; b < batch->options.n_boards && started; b++)
        started = start(batch, sched_health_worker_main, &batch->slots[b]);
    if (started)
        return STATUS_OK;
    sched_stop_threads(batch);
    return error_set(err, STATUS_INTERNAL, "could not start the scheduler's threads");
}

void sched_stop_threads(struct batch *batch)
{
    pthread_mutex_lock(&batch->lock);
    batch->stop_threads = true;
    pthread_cond_broadcast(&batch->wake);
    pthread_mutex_unlock(&batch->lock);
    while (batch->n_threads > 0)
        pthread_join(batch->threads[--batch->n_threads], NULL);
}
