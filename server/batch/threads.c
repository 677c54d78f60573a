/* The room's own threads, and how they wait for something to do. */
#include "server/base/clock.h"
#include "server/batch/room.h"

void room_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

void room_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t at_ns)
{
    struct timespec until = {(time_t)(at_ns / 1000000000u), (long)(at_ns % 1000000000u)};
    if (at_ns == UINT64_MAX)
        pthread_cond_wait(cond, lock);
    else
        pthread_cond_timedwait(cond, lock, &until);
}

void room_wait_until(struct batch *batch, uint64_t at_ns)
{
    if (batch->stop_threads || at_ns <= clock_now_ns())
        return;
    room_cond_wait(&batch->wake, &batch->lock, at_ns);
}

static bool start(struct batch *batch, void *(*main)(void *cookie), void *cookie)
{
    bool started = pthread_create(&batch->threads[batch->n_threads], NULL, main, cookie) == 0;
    batch->n_threads += started;
    return started;
}

enum status room_start_threads(struct batch *batch, struct error *err)
{
    bool started = start(batch, room_keeper_main, batch) && start(batch, room_scrubber_main, batch);
    for (uint32_t b = 0; b < batch->options.n_boards && started; b++)
        started = start(batch, room_medic_main, &batch->slots[b]);
    if (started)
        return STATUS_OK;
    room_stop_threads(batch);
    return error_set(err, STATUS_INTERNAL, "could not start the batch room's threads");
}

void room_stop_threads(struct batch *batch)
{
    pthread_mutex_lock(&batch->lock);
    batch->stop_threads = true;
    pthread_cond_broadcast(&batch->wake);
    pthread_mutex_unlock(&batch->lock);
    while (batch->n_threads > 0)
        pthread_join(batch->threads[--batch->n_threads], NULL);
}
