/* Works come in, or are refused; works are cancelled. */
#include "base/clock.h"
#include "server/batch/dispatch.h"
#include "server/batch/forecast.h"

enum { BULK_ITEMS = 8, BULK_TOKENS = 2048 };

const char *batch_class_name(enum batch_class class)
{
    static const char *const names[BATCH_CLASSES] = {"interactive", "bulk"};
    return names[class];
}

enum batch_class batch_class_of(uint32_t n_items, uint64_t tokens)
{
    return n_items >= BULK_ITEMS || tokens >= BULK_TOKENS ? BATCH_BULK : BATCH_INTERACTIVE;
}

/* A prediction may be a quarter too long: what can be done in time is not refused. */
#define LEAST_PART 0.8

/* Nothing is learnt of what is refused. So an estimate that was taken in a bad moment would refuse for ever: each
 * refusal of a pool without work halves what is believed of it, until something has run. */
#define DOUBT 0.5

static enum status refuse_late(struct batch *batch, double need_ns, double left_ns, struct error *err)
{
    if (left_ns > 0 && !batch->oldest[FLIGHTS_ALL] && sched_queued_items(batch) == 0)
        batch->belief *= DOUBT;
    return error_set(err, STATUS_TIMEOUT, "about %.0f ms are needed and %.0f ms are left of the time limit",
                     need_ns / 1e6, left_ns / 1e6);
}

static enum status admit(struct batch *batch, const struct batch_work *work, struct error *err)
{
    if (batch->closing)
        return error_set(err, STATUS_UNHEALTHY, "the server is shutting down");
    if (sched_is_dead(batch, clock_now_ns()))
        return sched_say_dead(err);
    uint32_t taken = batch->queues[BATCH_INTERACTIVE].space + batch->queues[BATCH_BULK].space;
    if (queue_space(&batch->queues[work->class], work->n_items) > batch->options.max_queued_items - taken)
        return error_set(err, STATUS_OVERLOADED, "%u texts are waiting and the limit is %u: try again later",
                         sched_queued_items(batch), batch->options.max_queued_items);
    if (work->deadline_ns) {
        uint64_t now = clock_now_ns();
        double left = work->deadline_ns > now ? (double)(work->deadline_ns - now) : 0;
        double need = sched_is_surely_in_time(batch, work, left) ? 0 : sched_forecast_ns(batch, work);
        if (LEAST_PART * batch->belief * need > left)
            return refuse_late(batch, need, left, err);
    }
    return STATUS_OK;
}

enum status batch_submit(struct batch *batch, struct batch_work *work, struct error *err)
{
    struct sched_completions completions = {0};
    pthread_mutex_lock(&batch->lock);
    enum status status = admit(batch, work, err);
    if (status == STATUS_OK) {
        work->submitted_ns = clock_now_ns();
        work->items_left = work->n_items;
        work->status = STATUS_OK;
        work->err = (struct error){0};
        queue_push(&batch->queues[work->class], work);
        sched_dispatch(batch, &completions);
    }
    pthread_mutex_unlock(&batch->lock);
    sched_run_completions(&completions);
    return status;
}

static bool waits(const struct batch *batch, const struct batch_work *work)
{
    for (int c = 0; c < BATCH_CLASSES; c++)
        for (struct batch_work *w = queue_first(&batch->queues[c]); w; w = queue_after(&batch->queues[c], w))
            if (w == work)
                return true;
    return false;
}

static bool has_work(const struct flight *flight, const struct batch_work *work)
{
    for (uint32_t i = 0; i < flight->n_entries; i++)
        if (flight->entries[i].work == work)
            return true;
    return false;
}

static bool in_flight(const struct batch *batch, const struct batch_work *work)
{
    for (const struct flight *flight = batch->oldest[FLIGHTS_ALL]; flight; flight = flight->newer[FLIGHTS_ALL])
        if ((flight->state == FLIGHT_RUNNING || flight->state == FLIGHT_SUSPENDED) && has_work(flight, work))
            return true;
    return false;
}

void batch_cancel(struct batch *batch, struct batch_work *work)
{
    struct sched_completions completions = {0};
    struct error err;
    error_set(&err, STATUS_CANCELLED, "the client has gone");
    pthread_mutex_lock(&batch->lock);
    if (waits(batch, work) || in_flight(batch, work)) {
        sched_fail_work(batch, &completions, work, STATUS_CANCELLED, &err);
        sched_dispatch(batch, &completions);
    }
    pthread_mutex_unlock(&batch->lock);
    sched_run_completions(&completions);
}

void batch_set_on_dispatch(struct batch *batch, batch_on_dispatch *hook, void *cookie)
{
    pthread_mutex_lock(&batch->lock);
    batch->hook = hook;
    batch->hook_cookie = cookie;
    pthread_mutex_unlock(&batch->lock);
}
