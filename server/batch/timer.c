#include "server/batch/timer.h"

#include "base/clock.h"
#include "server/batch/dispatch.h"
#include "server/batch/flights.h"
#include "server/batch/slots.h"

#define TICK_NS      10000000ull
#define IDLE_TICK_NS 100000000ull

static void expire_waiting(struct batch *batch, struct sched_completions *completions, uint64_t now)
{
    for (int c = 0; c < BATCH_CLASSES; c++) {
        struct queue *queue = &batch->queues[c];
        for (struct batch_work *work = queue_first(queue), *next; work; work = next) {
            next = queue_after(queue, work);
            sched_expire_work(batch, completions, work, now, "waited for a board");
        }
    }
}

static bool has_hung(const struct batch *batch, const struct flight *flight, uint64_t now)
{
    double limit_ns = watchdog_limit_ns(&batch->watchdog, flight->predicted_ns, flight->timeout_scale);
    return (double)(now - flight->launched_ns) > limit_ns;
}

static void tick(struct batch *batch, struct sched_completions *completions)
{
    uint64_t now = clock_now_ns();
    sched_sample_boards(batch, now);
    expire_waiting(batch, completions, now);
    for (struct flight *flight = batch->oldest[FLIGHTS_ALL]; flight; flight = flight->newer[FLIGHTS_ALL]) {
        if (flight->state == FLIGHT_RUNNING || flight->state == FLIGHT_SUSPENDED)
            sched_expire_entries(batch, completions, flight, now);
        if (flight->state == FLIGHT_RUNNING && has_hung(batch, flight, now))
            sched_abandon(batch, completions, flight, now);
        if (flight->state == FLIGHT_ABANDONED)
            sched_release_slots(batch, flight);
    }
    if (sched_is_dead(batch, now)) {
        struct error err;
        sched_fail_waiting(batch, completions, sched_say_dead(&err), &err);
    }
    sched_dispatch(batch, completions);
}

void *sched_timer_main(void *cookie)
{
    struct batch *batch = cookie;
    pthread_mutex_lock(&batch->lock);
    while (!batch->stop_threads) {
        struct sched_completions completions = {0};
        tick(batch, &completions);
        if (completions.first) {
            pthread_mutex_unlock(&batch->lock);
            sched_run_completions(&completions);
            pthread_mutex_lock(&batch->lock);
            continue;
        }
        sched_wait_until(batch, clock_now_ns() + (sched_is_idle(batch) ? IDLE_TICK_NS : TICK_NS));
    }
    pthread_mutex_unlock(&batch->lock);
    return NULL;
}
