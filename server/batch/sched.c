#include "server/batch/sched.h"

#include "base/clock.h"
#include "base/cond.h"

enum status sched_say_dead(struct error *err)
{
    return error_set(err, STATUS_UNHEALTHY, "no board is in service; they are being tested, try again soon");
}

void sched_announce(struct batch *batch, enum batch_event_kind kind, const char *board, const char *words)
{
    if (batch->options.on_event)
        batch->options.on_event(batch->options.cookie, &(struct batch_event){kind, board, words});
}

void sched_wait_until(struct batch *batch, uint64_t at_ns)
{
    if (batch->stop_threads || at_ns <= clock_now_ns())
        return;
    cond_wait_until(&batch->wake, &batch->lock, at_ns);
}

uint64_t sched_next_scrub(const struct batch *batch)
{
    uint64_t interval = batch->options.scrub_interval_ns;
    return interval ? clock_now_ns() + interval : UINT64_MAX;
}
