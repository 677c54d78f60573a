#include "server/rpc/timer.h"

#include <string.h>

#include "base/clock.h"
#include "base/cond.h"

static void unlink_timer(struct rpc_timers *timers, struct rpc_timer *timer)
{
    if (!timer->set)
        return;
    if (timer->next)
        timer->next->previous = timer->previous;
    if (timer->previous)
        timer->previous->next = timer->next;
    else
        timers->first = timer->next;
    timer->set = false;
}

/* All are looked at, which is done about as often as the earliest of them changes: most are cleared long before. */
static void fire(struct rpc_timers *timers)
{
    uint64_t now = clock_now_ns();
    uint64_t next_ns = COND_FOREVER;
    for (struct rpc_timer *timer = timers->first, *next; timer; timer = next) {
        next = timer->next;
        if (timer->at_ns <= now) {
            unlink_timer(timers, timer);
            timer->on_time(timer);
        } else if (timer->at_ns < next_ns) {
            next_ns = timer->at_ns;
        }
    }
    timers->next_ns = next_ns;
}

static void *run(void *cookie)
{
    struct rpc_timers *timers = cookie;
    pthread_mutex_lock(&timers->lock);
    while (!timers->stop) {
        if (timers->next_ns > clock_now_ns())
            cond_wait_until(&timers->wake, &timers->lock, timers->next_ns);
        else
            fire(timers);
    }
    pthread_mutex_unlock(&timers->lock);
    return NULL;
}

enum status rpc_timers_start(struct rpc_timers *timers, struct error *err)
{
    *timers = (struct rpc_timers){.next_ns = COND_FOREVER};
    pthread_mutex_init(&timers->lock, NULL);
    cond_init(&timers->wake);
    int failed = pthread_create(&timers->thread, NULL, run, timers);
    if (failed) {
        pthread_cond_destroy(&timers->wake);
        pthread_mutex_destroy(&timers->lock);
        return error_set(err, STATUS_INTERNAL, "the timers' thread could not be started: %s", strerror(failed));
    }
    return STATUS_OK;
}

void rpc_timers_finish(struct rpc_timers *timers)
{
    pthread_mutex_lock(&timers->lock);
    timers->stop = true;
    pthread_cond_signal(&timers->wake);
    pthread_mutex_unlock(&timers->lock);
    pthread_join(timers->thread, NULL);
    pthread_cond_destroy(&timers->wake);
    pthread_mutex_destroy(&timers->lock);
}

void rpc_timer_set(struct rpc_timers *timers, struct rpc_timer *timer, uint64_t at_ns,
                   void (*on_time)(struct rpc_timer *timer))
{
    pthread_mutex_lock(&timers->lock);
    unlink_timer(timers, timer);
    *timer = (struct rpc_timer){.at_ns = at_ns, .on_time = on_time, .next = timers->first, .set = true};
    if (timers->first)
        timers->first->previous = timer;
    timers->first = timer;
    if (at_ns < timers->next_ns) {
        timers->next_ns = at_ns;
        pthread_cond_signal(&timers->wake);
    }
    pthread_mutex_unlock(&timers->lock);
}

void rpc_timer_clear(struct rpc_timers *timers, struct rpc_timer *timer)
{
    pthread_mutex_lock(&timers->lock);
    unlink_timer(timers, timer);
    pthread_mutex_unlock(&timers->lock);
}
