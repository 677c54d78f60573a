/* The timer looks after time: it drops what is past its deadline and gives up on boards that hang.
 *
 * Invariants: a work past its deadline is told within a tick, or when its layer is done; a flight that does not come
 * back is given up once, and its slot stays taken until the board has let go of it.
 */
#include "base/clock.h"
#include "server/batch/sched.h"

#define TICK_NS      10000000ull
#define IDLE_TICK_NS 100000000ull

static void drop_expired_waiting(struct batch *batch, struct sched_completions *completions, uint64_t now)
{
    struct error err;
    error_set(&err, STATUS_TIMEOUT, "the time limit passed while the request waited for a board");
    for (int c = 0; c < BATCH_CLASSES; c++) {
        struct queue *queue = &batch->queues[c];
        for (struct batch_work *work = queue_first(queue), *next; work; work = next) {
            next = queue_after(queue, work);
            if (work->deadline_ns && work->deadline_ns <= now)
                sched_fail_work(batch, completions, work, STATUS_TIMEOUT, &err);
        }
    }
}

static void drop_expired_running(struct batch *batch, struct sched_completions *completions, struct flight *flight,
                                 uint64_t now)
{
    struct error err;
    error_set(&err, STATUS_TIMEOUT, "the time limit passed while the request was computed");
    for (uint32_t i = 0; i < flight->n_entries; i++) {
        struct batch_work *work = flight->entries[i].work;
        if (work->deadline_ns && work->deadline_ns <= now)
            sched_fail_work(batch, completions, work, STATUS_TIMEOUT, &err);
    }
    sched_cancel_unwanted(batch, flight);
}

static void keep(struct batch *batch, struct sched_completions *completions)
{
    uint64_t now = clock_now_ns();
    sched_sample_boards(batch, now);
    drop_expired_waiting(batch, completions, now);
    for (uint32_t b = 0; b < batch->options.n_boards; b++) {
        struct flight *flight = batch->slots[b].flight;
        if (!flight)
            continue;
        if (flight->abandoned) { /* a shard of it that came back late */
            for (uint32_t p = 0; p < flight->n_shards; p++)
                if (flight->shards[p].board == b && !atomic_load(&flight->shards[p].busy))
                    batch->slots[b].flight = NULL;
            continue;
        }
        drop_expired_running(batch, completions, flight, now);
        if ((double)(now - flight->launched_ns) >
            watchdog_limit_ns(&batch->watchdog, flight->predicted_ns, flight->timeout_scale))
            sched_abandon(batch, completions, flight, now);
    }
    if (sched_is_dead(batch, now)) {
        struct error err;
        sched_fail_waiting(batch, completions, sched_say_dead(&err), &err);
    }
    sched_plan(batch, completions);
}

void *sched_timer_main(void *cookie)
{
    struct batch *batch = cookie;
    pthread_mutex_lock(&batch->lock);
    while (!batch->stop_threads) {
        struct sched_completions completions = {0};
        keep(batch, &completions);
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
