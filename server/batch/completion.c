/* How works end: exactly once each, on_done called without the lock. */
#include "server/batch/sched.h"

void sched_complete_items(struct sched_completions *completions, struct batch_work *work, uint32_t n)
{
    if (n == 0)
        return;
    work->items_left -= n;
    if (work->items_left > 0)
        return;
    work->next = completions->first;
    completions->first = work;
}

void sched_run_completions(struct sched_completions *completions)
{
    while (completions->first) {
        struct batch_work *work = completions->first;
        completions->first = work->next;
        struct error err = work->err;
        work->on_done(work, work->status, &err);
    }
}

void sched_fail_work(struct batch *batch, struct sched_completions *completions, struct batch_work *work,
                     enum status status, const struct error *err)
{
    if (work->status == STATUS_OK) {
        work->status = status;
        if (err)
            work->err = *err;
        work->err.status = status;
    }
    sched_complete_items(completions, work, queue_remove(&batch->queues[work->class], work));
}

void sched_fail_waiting(struct batch *batch, struct sched_completions *completions, enum status status,
                        const struct error *err)
{
    for (int c = 0; c < BATCH_CLASSES; c++)
        for (struct batch_work *work; (work = queue_first(&batch->queues[c]));)
            sched_fail_work(batch, completions, work, status, err);
    for (struct flight *flight; (flight = batch->suspended);) {
        sched_resume(batch, flight);
        sched_fail_flight(batch, completions, flight, status, err);
    }
}

enum status sched_say_dead(struct error *err)
{
    return error_set(err, STATUS_UNHEALTHY, "no board is in service; they are being tested, try again soon");
}
