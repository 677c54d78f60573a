#include "server/batch/flights.h"

#include "base/clock.h"
#include "server/batch/slots.h"

/* A batch that failed once runs again as it is: most likely the board was at fault. After that each text runs alone,
 * since one of them may be; and a text is at fault when it failed so often that so many boards in turn cannot be. */
enum { MAX_TOGETHER = 2, MAX_ATTEMPTS = 8 };

static bool is_older(const struct flight *a, const struct flight *b)
{
    return a->begun_ns < b->begun_ns || (a->begun_ns == b->begun_ns && a->number < b->number);
}

/* Most flights are the newest of a list when they enter it. */
static void list(struct batch *batch, enum flight_list list, struct flight *flight)
{
    struct flight *older = batch->newest[list], *newer = NULL;
    while (older && is_older(flight, older)) {
        newer = older;
        older = older->older[list];
    }
    flight->older[list] = older;
    flight->newer[list] = newer;
    *(older ? &older->newer[list] : &batch->oldest[list]) = flight;
    *(newer ? &newer->older[list] : &batch->newest[list]) = flight;
}

static void unlist(struct batch *batch, enum flight_list list, struct flight *flight)
{
    struct flight *older = flight->older[list], *newer = flight->newer[list];
    *(older ? &older->newer[list] : &batch->oldest[list]) = newer;
    *(newer ? &newer->older[list] : &batch->newest[list]) = older;
}

static bool needs_slot(const struct flight *flight, const struct flight_shard *shard)
{
    return flight->state == FLIGHT_RUNNING || (flight->state == FLIGHT_ABANDONED && atomic_load(&shard->busy));
}

void sched_release_slots(struct batch *batch, const struct flight *flight)
{
    for (uint32_t s = 0; s < flight->n_shards; s++) {
        const struct flight_shard *shard = &flight->shards[s];
        struct sched_slot *slot = &batch->slots[shard->board];
        if (slot->flight != flight || needs_slot(flight, shard))
            continue;
        slot->flight = NULL;
        sched_slot_changed(batch, shard->board);
    }
}

static void enter(struct batch *batch, struct flight *flight, enum flight_state state)
{
    if (flight->state == FLIGHT_SUSPENDED)
        unlist(batch, FLIGHTS_SUSPENDED, flight);
    flight->state = state;
    if (state == FLIGHT_SUSPENDED)
        list(batch, FLIGHTS_SUSPENDED, flight);
    sched_release_slots(batch, flight);
}

static void count_in(struct batch *batch, struct flight *flight)
{
    flight->number = batch->begun_flights++;
    list(batch, FLIGHTS_ALL, flight);
    list(batch, FLIGHTS_SUSPENDED, flight);
    batch->n_flights++;
    batch->running_items += flight->n_left;
}

static void count_out(struct batch *batch, struct flight *flight)
{
    batch->n_flights--;
    batch->running_items -= flight->n_left;
    flight->n_left = 0;
}

static void free_flight(struct batch *batch, struct flight *flight)
{
    if (flight->state == FLIGHT_SUSPENDED)
        unlist(batch, FLIGHTS_SUSPENDED, flight);
    unlist(batch, FLIGHTS_ALL, flight);
    flight_destroy(&flight);
}

static struct flight *create(struct batch *batch, struct sched_completions *completions,
                             const struct queue_entry *entries, uint32_t n, uint64_t begun_ns)
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
    flight->begun_ns = begun_ns;
    count_in(batch, flight);
    return flight;
}

struct flight *sched_begin_flight(struct batch *batch, struct sched_completions *completions,
                                  const struct queue_entry *entries, uint32_t n)
{
    return create(batch, completions, entries, n, clock_now_ns());
}

void sched_run_flight(struct batch *batch, struct flight *flight, const uint32_t *boards, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        struct sched_slot *slot = &batch->slots[boards[i]];
        slot->flight = flight;
        slot->used_ns = flight->launched_ns;
        slot->flights++;
        slot->splits += n > 1;
        sched_slot_changed(batch, boards[i]);
    }
    enter(batch, flight, FLIGHT_RUNNING);
}

void sched_end_flight(struct batch *batch, struct sched_completions *completions, struct flight *flight)
{
    for (uint32_t i = 0; i < flight->n_entries; i++)
        if (flight->entries[i].work)
            sched_complete_items(completions, flight->entries[i].work, 1);
    count_out(batch, flight);
    free_flight(batch, flight);
}

void sched_fail_entries(struct batch *batch, struct sched_completions *completions, const struct flight *flight,
                        enum status status, const struct error *err)
{
    for (uint32_t i = 0; i < flight->n_entries; i++)
        if (flight->entries[i].work)
            sched_fail_work(batch, completions, flight->entries[i].work, status, err);
}

void sched_fail_waiting(struct batch *batch, struct sched_completions *completions, enum status status,
                        const struct error *err)
{
    for (int c = 0; c < BATCH_CLASSES; c++)
        for (struct batch_work *work; (work = queue_first(&batch->queues[c]));)
            sched_fail_work(batch, completions, work, status, err);
    for (struct flight *flight = batch->oldest[FLIGHTS_SUSPENDED]; flight; flight = flight->newer[FLIGHTS_SUSPENDED])
        sched_fail_entries(batch, completions, flight, status, err);
}

/* Nobody looks at an entry's item before its results are delivered: the flight has copies. */
static void drop_failed(struct batch *batch, struct sched_completions *completions, struct flight *flight)
{
    for (uint32_t i = 0; i < flight->n_entries; i++) {
        struct queue_entry *entry = &flight->entries[i];
        if (!entry->work || entry->work->status == STATUS_OK)
            continue;
        sched_complete_items(completions, entry->work, 1);
        *entry = (struct queue_entry){0};
        flight->n_left--;
        batch->running_items--;
    }
}

void sched_expire_entries(struct batch *batch, struct sched_completions *completions, const struct flight *flight,
                          uint64_t now_ns)
{
    for (uint32_t i = 0; i < flight->n_entries; i++)
        if (flight->entries[i].work)
            sched_expire_work(batch, completions, flight->entries[i].work, now_ns, "was computed");
}

void sched_sweep(struct batch *batch, struct sched_completions *completions)
{
    if (!batch->sweep_due)
        return;
    batch->sweep_due = false;
    for (struct flight *flight = batch->oldest[FLIGHTS_ALL], *next; flight; flight = next) {
        next = flight->newer[FLIGHTS_ALL];
        if (flight->state != FLIGHT_RUNNING && flight->state != FLIGHT_SUSPENDED)
            continue;
        drop_failed(batch, completions, flight);
        if (flight->n_left > 0)
            continue;
        if (flight->state == FLIGHT_RUNNING)
            flight_cancel(flight);
        else
            sched_end_flight(batch, completions, flight);
    }
}

/* Fail a text for good, by its place in its request. */
static void give_up(struct batch *batch, struct sched_completions *completions, const struct flight *flight,
                    const struct error *err)
{
    for (uint32_t i = 0; i < flight->n_entries; i++) {
        const struct queue_entry *entry = &flight->entries[i];
        if (!entry->work)
            continue;
        struct error own = *err;
        error_prefix(&own, err->status, "`inputs[%u]` failed %u times, the last time: ", entry->item->input,
                     flight->attempts);
        sched_fail_work(batch, completions, entry->work, err->status, &own);
        sched_complete_items(completions, entry->work, 1);
    }
}

/* These entries of a flight in a new one, from the first layer. */
static void again(struct batch *batch, struct sched_completions *completions, const struct flight *from,
                  const struct queue_entry *entries, uint32_t n)
{
    struct flight *flight = n > 0 ? create(batch, completions, entries, n, from->begun_ns) : NULL;
    if (!flight)
        return;
    flight->attempts = from->attempts;
    flight->avoid = from->avoid;
}

static uint32_t entries_left(const struct flight *flight, struct queue_entry *ret)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < flight->n_entries; i++)
        if (flight->entries[i].work)
            ret[n++] = flight->entries[i];
    return n;
}

/* The flight failed on `board`: compute it again from the first layer, or fail its works. Takes the flight, unless it
 * is abandoned: its memory is still in use then. */
static void retry(struct batch *batch, struct sched_completions *completions, struct flight *flight, uint32_t board,
                  const struct error *err)
{
    struct queue_entry left[PLANNER_WINDOW];
    uint32_t n = entries_left(flight, left);
    flight->attempts++;
    if (flight->avoid.n_words == 0)
        flight->avoid = board_set_of(batch->options.n_boards);
    board_set_put(&flight->avoid, board, true);
    count_out(batch, flight);
    if (n == 1 && flight->attempts >= MAX_ATTEMPTS)
        give_up(batch, completions, flight, err);
    else if (flight->attempts < MAX_TOGETHER)
        again(batch, completions, flight, left, n);
    else
        for (uint32_t i = 0; i < n; i++)
            again(batch, completions, flight, &left[i], 1);
    if (flight->state != FLIGHT_ABANDONED)
        free_flight(batch, flight);
}

void sched_restart_suspended(struct batch *batch)
{
    for (struct flight *flight = batch->oldest[FLIGHTS_SUSPENDED]; flight; flight = flight->newer[FLIGHTS_SUSPENDED])
        flight_restart(flight);
}

/* Its entries run elsewhere already; only its memory was still in use. What hung does not end by itself. */
static void bury(struct batch *batch, struct flight *flight)
{
    if (flight->status == STATUS_OK || flight->status == STATUS_CANCELLED)
        watchdog_was_slow(&batch->watchdog, flight->predicted_ns, flight->timeout_scale);
    sched_release_slots(batch, flight);
    free_flight(batch, flight);
}

/* A board of it was taken out of service meanwhile: not by its doing, so by the scrub. */
static bool distrusted(const struct batch *batch, const struct flight *flight)
{
    for (uint32_t s = 0; s < flight->n_shards; s++)
        if (batch->slots[flight->shards[s].board].health.state != HEALTH_IN_SERVICE)
            return true;
    return false;
}

static void learn(struct batch *batch, const struct flight *flight, uint64_t now_ns)
{
    double took_ns = (double)(now_ns - flight->launched_ns);
    uint32_t kind = planner_kind(batch->kinds, flight->shards[0].board);
    struct cost_model *cost = &batch->cost[kind];
    bandit_observe(&batch->bandit[kind], cost, flight->load, flight->launched_layers, flight->choice, took_ns);
    if (flight->n_shards == 1)
        cost_observe(cost, flight->load, flight->launched_layers, took_ns);
    if (flight->choice.placement == BATCH_SPLIT && flight->comparable)
        for (uint32_t s = 0; s < flight->n_shards; s++)
            pace_note(&batch->paces[flight->shards[s].board], flight->shards[s].pace, now_ns);
    batch->belief = 1;
    watchdog_was_fine(&batch->watchdog);
}

bool sched_end_launch(struct batch *batch, struct sched_completions *completions, struct flight *flight,
                      uint64_t now_ns)
{
    if (flight->state == FLIGHT_ABANDONED) {
        bury(batch, flight);
        return false;
    }
    enter(batch, flight, FLIGHT_SUSPENDED);
    if (flight->status == STATUS_CANCELLED && flight->n_left == 0) {
        sched_end_flight(batch, completions, flight);
        return false;
    }
    if (distrusted(batch, flight)) {
        flight_restart(flight);
    } else if (flight->status != STATUS_OK) {
        struct error err = flight->err;
        sched_quarantine(batch, flight->failed_board, now_ns, &err);
        retry(batch, completions, flight, flight->failed_board, &err);
        return false;
    } else if (flight->layer == flight->until) {
        learn(batch, flight, now_ns);
    }
    /* The timer looks now and then; a result is late from the moment of its deadline. */
    sched_expire_entries(batch, completions, flight, now_ns);
    drop_failed(batch, completions, flight);
    if (flight->n_left == 0) {
        sched_end_flight(batch, completions, flight);
        return false;
    }
    bool computed = flight->layer == batch->options.image->shape.layers;
    if (computed)
        enter(batch, flight, FLIGHT_DELIVERING);
    return computed;
}

void sched_abandon(struct batch *batch, struct sched_completions *completions, struct flight *flight, uint64_t now_ns)
{
    uint32_t hung = flight->shards[0].board;
    struct error err = {.status = STATUS_BACKEND, .message = "no board answered in time"};
    bool waits[PLANNER_MAX_SPLIT];
    for (uint32_t s = 0; s < flight->n_shards; s++)
        waits[s] = flight_waits(flight, &flight->shards[s]);
    enter(batch, flight, FLIGHT_ABANDONED);
    flight_cancel(flight);
    for (uint32_t s = 0; s < flight->n_shards; s++) {
        uint32_t b = flight->shards[s].board;
        if (batch->slots[b].flight != flight || waits[s])
            continue;
        hung = b;
        error_set(&err, STATUS_BACKEND, "board %s did not answer in time", board_name(batch->options.boards[b]));
        sched_quarantine(batch, b, now_ns, &err);
    }
    retry(batch, completions, flight, hung, &err);
}
