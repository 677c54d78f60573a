/* Flights of the scheduler: made, suspended between layers, computed again after a failure, ended.
 *
 * Invariants: whatever becomes of a flight, its entries end exactly once: in it, or in the flights that run them again.
 * Only results of boards that were in service all the while are delivered.
 */
#include "base/clock.h"
#include "server/batch/sched.h"

/* A batch that failed once runs again as it is: most likely the board was at fault. After that each text runs alone,
 * since one of them may be; and a text is at fault when it failed so often that so many boards in turn cannot be. */
enum { MAX_TOGETHER = 2, MAX_ATTEMPTS = 8 };

struct flight *sched_new_flight(struct batch *batch, struct sched_completions *completions,
                                const struct queue_entry *entries, uint32_t n)
{
    struct flight *flight = flight_create(batch->options.image, entries, n);
    if (!flight) {
        struct error err;
        error_set(&err, STATUS_NO_MEMORY, "no memory for a batch of %u sequences", n);
        for (uint32_t i = 0; i < n; i++)
            sched_fail_work(batch, completions, entries[i].work, STATUS_NO_MEMORY, &err);
        for (uint32_t i = 0; i < n; i++)
            sched_complete_items(completions, entries[i].work, 1);
        return NULL;
    }
    flight->begun_ns = clock_now_ns();
    flight->pair_weight = batch->cost.pair_ns / batch->cost.row_ns;
    batch->n_flights++;
    batch->running_items += n;
    return flight;
}

void sched_end_flight(struct batch *batch, struct sched_completions *completions, struct flight *flight)
{
    for (uint32_t i = 0; i < flight->n_entries; i++)
        sched_complete_items(completions, flight->entries[i].work, 1);
    batch->n_flights--;
    batch->running_items -= flight->n_entries;
    flight_destroy(&flight);
}

void sched_fail_flight(struct batch *batch, struct sched_completions *completions, struct flight *flight,
                       enum status status, const struct error *err)
{
    for (uint32_t i = 0; i < flight->n_entries; i++)
        sched_fail_work(batch, completions, flight->entries[i].work, status, err);
    sched_end_flight(batch, completions, flight);
}

void sched_suspend(struct batch *batch, struct flight *flight)
{
    struct flight **link = &batch->suspended;
    while (*link && (*link)->begun_ns <= flight->begun_ns)
        link = &(*link)->next;
    flight->next = *link;
    *link = flight;
}

static void unlink_flight(struct flight **list, const struct flight *flight)
{
    while (*list != flight)
        list = &(*list)->next;
    *list = flight->next;
}

void sched_resume(struct batch *batch, struct flight *flight)
{
    unlink_flight(&batch->suspended, flight);
}

static bool wanted(const struct flight *flight)
{
    for (uint32_t i = 0; i < flight->n_entries; i++)
        if (flight->entries[i].work->status == STATUS_OK)
            return true;
    return false;
}

void sched_cancel_unwanted(struct batch *batch, struct flight *flight)
{
    if (flight->abandoned || wanted(flight))
        return;
    for (uint32_t p = 0; p < flight->n_shards; p++)
        board_cancel(batch->options.boards[flight->shards[p].board], &flight->job);
}

void sched_drop_unwanted(struct batch *batch, struct sched_completions *completions)
{
    for (struct flight *flight = batch->suspended, *next; flight; flight = next) {
        next = flight->next;
        if (wanted(flight))
            continue;
        sched_resume(batch, flight);
        sched_end_flight(batch, completions, flight);
    }
}

/* Entries [first, first + n) of a flight in a new one, from the first layer. */
static void again(struct batch *batch, struct sched_completions *completions, const struct flight *from, uint32_t first,
                  uint32_t n)
{
    struct flight *flight = sched_new_flight(batch, completions, from->entries + first, n);
    if (!flight)
        return;
    flight->begun_ns = from->begun_ns;
    flight->attempts = from->attempts;
    flight->avoid = from->avoid;
    sched_suspend(batch, flight);
}

/* Fail a text for good, by its place in its request. */
static void give_up(struct batch *batch, struct sched_completions *completions, const struct flight *flight,
                    const struct error *err)
{
    const struct queue_entry *entry = &flight->entries[0];
    struct error own = *err;
    error_prefix(&own, err->status, "`inputs[%u]` failed %u times, the last time: ", entry->item->input,
                 flight->attempts);
    sched_fail_work(batch, completions, entry->work, err->status, &own);
    sched_complete_items(completions, entry->work, 1);
}

static void leave(struct batch *batch, struct flight *flight)
{
    batch->n_flights--;
    batch->running_items -= flight->n_entries;
    if (!flight->abandoned)
        flight_destroy(&flight);
}

void sched_restart(struct batch *batch, struct sched_completions *completions, struct flight *flight)
{
    again(batch, completions, flight, 0, flight->n_entries);
    leave(batch, flight);
}

void sched_restart_suspended(struct batch *batch, struct sched_completions *completions)
{
    struct flight *suspended = batch->suspended;
    batch->suspended = NULL; /* the new ones are suspended there */
    for (struct flight *next; suspended; suspended = next) {
        next = suspended->next;
        sched_restart(batch, completions, suspended);
    }
}

void sched_retry(struct batch *batch, struct sched_completions *completions, struct flight *flight, uint32_t board,
                 const struct error *err)
{
    uint32_t n = flight->n_entries;
    flight->attempts++;
    flight->avoid |= 1ull << board;
    if (n == 1 && flight->attempts >= MAX_ATTEMPTS)
        give_up(batch, completions, flight, err);
    else if (flight->attempts < MAX_TOGETHER)
        again(batch, completions, flight, 0, n);
    else
        for (uint32_t i = 0; i < n; i++)
            again(batch, completions, flight, i, 1);
    leave(batch, flight);
}

static void free_slots(struct batch *batch, const struct flight *flight)
{
    for (uint32_t b = 0; b < batch->options.n_boards; b++)
        if (batch->slots[b].flight == flight)
            batch->slots[b].flight = NULL;
}

/* Its entries run elsewhere already; only its memory was still in use. What hung does not end by itself. */
static void bury(struct batch *batch, struct flight *flight)
{
    if (flight->status == STATUS_OK || flight->status == STATUS_CANCELLED)
        watchdog_was_slow(&batch->watchdog, flight->predicted_ns, flight->timeout_scale);
    unlink_flight(&batch->abandoned, flight);
    flight_destroy(&flight);
}

static void deliver(struct batch *batch, struct sched_completions *completions, struct flight *flight)
{
    sched_plan(batch, completions);
    pthread_mutex_unlock(&batch->lock);
    flight_deliver(flight, clock_now_ns());
    pthread_mutex_lock(&batch->lock);
    sched_end_flight(batch, completions, flight);
}

/* A board of it was taken out of service meanwhile: not by its doing, so by the scrub. */
static bool distrusted(const struct batch *batch, const struct flight *flight)
{
    for (uint32_t p = 0; p < flight->n_shards; p++)
        if (batch->slots[flight->shards[p].board].health.state != HEALTH_IN_SERVICE)
            return true;
    return false;
}

static void learn(struct batch *batch, const struct flight *flight, double took_ns)
{
    bandit_observe(&batch->bandit, &batch->cost, flight->load, flight->launched_layers, flight->choice, took_ns);
    if (flight->n_shards == 1)
        cost_observe(&batch->cost, flight->load, flight->launched_layers, took_ns);
    watchdog_was_fine(&batch->watchdog);
}

void sched_on_returned(struct flight *flight, void *cookie)
{
    struct batch *batch = cookie;
    struct sched_completions completions = {0};
    uint64_t now = clock_now_ns();
    pthread_mutex_lock(&batch->lock);
    free_slots(batch, flight);
    if (flight->abandoned) {
        bury(batch, flight);
    } else if (flight->status == STATUS_CANCELLED) {
        sched_end_flight(batch, &completions, flight);
    } else if (distrusted(batch, flight)) {
        sched_restart(batch, &completions, flight);
    } else if (flight->status != STATUS_OK) {
        struct error err = flight->err;
        sched_quarantine(batch, flight->failed_board, now, &err);
        sched_retry(batch, &completions, flight, flight->failed_board, &err);
    } else {
        if (flight->layer == flight->until)
            learn(batch, flight, (double)(now - flight->launched_ns));
        if (flight->layer == batch->options.image->shape.layers)
            deliver(batch, &completions, flight);
        else
            sched_suspend(batch, flight);
    }
    sched_plan(batch, &completions);
    pthread_mutex_unlock(&batch->lock);
    sched_run_completions(&completions);
}

void sched_abandon(struct batch *batch, struct sched_completions *completions, struct flight *flight, uint64_t now_ns)
{
    uint32_t hung = flight->shards[0].board;
    struct error err = {.status = STATUS_BACKEND, .message = "no board answered in time"};
    flight->abandoned = true;
    flight->next = batch->abandoned;
    batch->abandoned = flight;
    for (uint32_t p = 0; p < flight->n_shards; p++) {
        struct flight_shard *shard = &flight->shards[p];
        board_cancel(batch->options.boards[shard->board], &flight->job);
        if (!atomic_load(&shard->busy)) {
            batch->slots[shard->board].flight = NULL;
            continue;
        }
        hung = shard->board;
        error_set(&err, STATUS_BACKEND, "board %s did not answer in time", board_name(batch->options.boards[hung]));
        sched_quarantine(batch, hung, now_ns, &err);
    }
    sched_retry(batch, completions, flight, hung, &err);
}
