#include "server/batch/completion.h"

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
    if (work->status != STATUS_OK)
        return;
    work->status = status;
    if (err)
        work->err = *err;
    work->err.status = status;
    batch->sweep_due = true;
    sched_complete_items(completions, work, queue_remove(&batch->queues[work->class], work));
}

void sched_expire_work(struct batch *batch, struct sched_completions *completions, struct batch_work *work,
                       uint64_t now_ns, const char *where)
{
    if (work->deadline_ns == 0 || work->deadline_ns > now_ns)
        return;
    struct error err;
    error_set(&err, STATUS_TIMEOUT, "the time limit passed while the request %s", where);
    sched_fail_work(batch, completions, work, STATUS_TIMEOUT, &err);
}
