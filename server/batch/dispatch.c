#include "server/batch/dispatch.h"

#include "base/clock.h"
#include "server/batch/flights.h"

enum { BACKLOG_TOKENS = 256 }; /* a board */

/* `suspended` gets the flight behind each of the snapshot's. */
static void fill_work(const struct batch *batch, struct planner_snapshot *out, struct flight **suspended)
{
    out->n_flights = 0;
    struct flight *f = batch->oldest[FLIGHTS_SUSPENDED];
    for (; f && out->n_flights < PLANNER_MAX_FLIGHTS; f = f->newer[FLIGHTS_SUSPENDED]) {
        const struct board_set *avoid = f->avoid.n_words ? &f->avoid : NULL;
        suspended[out->n_flights] = f;
        out->flights[out->n_flights++] = (struct planner_flight){f->class, f->load, f->layer, avoid, f->last_board};
    }
    uint32_t n_free = board_set_count(&out->free);
    for (int c = 0; c < BATCH_CLASSES; c++) {
        uint32_t tokens = planner_batch_tokens((enum batch_class)c, out->max_tokens, out->moves_rows);
        out->queues[c].n = queue_peek(&batch->queues[c], out->queues[c].lengths, PLANNER_WINDOW, n_free, tokens);
        out->queues[c].tokens = batch->queues[c].load.tokens;
    }
}

/* False where there is nothing to plan: no board is free, or nothing waits. */
static bool fill_snapshot(struct batch *batch, struct flight **suspended)
{
    struct planner_snapshot *out = &batch->snapshot;
    bool work = batch->oldest[FLIGHTS_SUSPENDED] || sched_queued_items(batch) > 0;
    if (!work || board_set_is_empty(&batch->free))
        return false;
    out->n_boards = batch->options.n_boards;
    out->boards = batch->loaded;
    out->usable = batch->usable;
    out->free = batch->free;
    out->placement = batch->options.placement;
    out->cost = batch->cost;
    out->bandit = batch->bandit;
    out->kinds = batch->kinds;
    out->concurrency = sched_concurrency(batch, clock_now_ns());
    out->layers = batch->options.image->shape.layers;
    out->max_tokens = batch->options.max_tokens;
    out->max_sequences = sched_max_sequences(batch);
    out->moves_rows = batch->moves_rows;
    out->bulk_owed = batch->interactive_ns > PLANNER_BULK_WAIT_FACTOR * batch->bulk_quantum_ns;
    fill_work(batch, out, suspended);
    return true;
}

/* Whose service it was, so that bulk work is not starved. */
static void account(struct batch *batch, const struct flight *flight)
{
    if (flight->class == BATCH_BULK) {
        batch->interactive_ns = 0;
        batch->bulk_quantum_ns = flight->predicted_ns;
    } else if (batch->queues[BATCH_BULK].load.items > 0 || batch->oldest[FLIGHTS_SUSPENDED]) {
        batch->interactive_ns += flight->predicted_ns * flight->choice.boards;
    }
}

static enum batch_placement placement_of(const struct batch *batch, const struct planner_action *action)
{
    if (batch->options.placement == BATCH_PIPELINE)
        return BATCH_PIPELINE;
    return action->choice.placement;
}

/* A board's thread has done all that a launch asked for. */
static void on_returned(struct flight *flight, void *cookie)
{
    struct batch *batch = cookie;
    struct sched_completions completions = {0};
    uint64_t now = clock_now_ns();
    pthread_mutex_lock(&batch->lock);
    if (sched_end_launch(batch, &completions, flight, now)) {
        sched_dispatch(batch, &completions);
        pthread_mutex_unlock(&batch->lock);
        flight_deliver(flight, clock_now_ns());
        pthread_mutex_lock(&batch->lock);
        sched_end_flight(batch, &completions, flight);
    }
    sched_dispatch(batch, &completions);
    pthread_mutex_unlock(&batch->lock);
    sched_run_completions(&completions);
}

static bool launch(struct batch *batch, struct sched_completions *completions, struct flight *flight,
                   const struct planner_action *action)
{
    const struct flight_plan plan = {.pool = batch->options.boards,
                                     .boards = action->boards,
                                     .n = action->choice.boards,
                                     .placement = action->choice.placement};
    enum status status = flight_reserve(flight, &plan);
    if (status != STATUS_OK) {
        struct error err;
        error_set(&err, status, "no memory to split a batch of %u rows", flight->job.n_rows);
        sched_fail_entries(batch, completions, flight, status, &err);
        return false;
    }
    flight->launched_ns = clock_now_ns();
    if (flight->layer == 0)
        batch->begun[placement_of(batch, action)][flight->class]++;
    flight->launched_layers = action->layers;
    flight->choice = action->choice;
    flight->timeout_scale = batch->watchdog.scale;
    flight->predicted_ns = sched_predict(batch, action->boards[0], flight->load, action->layers, action->choice);
    const struct cost_model *cost = &batch->cost[planner_kind(batch->kinds, action->boards[0])];
    flight->pair_weight = cost->pair_ns / cost->row_ns;
    flight->layer_weight = cost->layer_ns / cost->row_ns;
    flight->paces = batch->paces;
    sched_run_flight(batch, flight, action->boards, action->choice.boards);
    account(batch, flight);
    flight_launch(flight, &plan, flight->layer + action->layers, on_returned, batch);
    return true;
}

static bool begin(struct batch *batch, struct sched_completions *completions, const struct planner_action *action)
{
    struct queue_entry entries[PLANNER_WINDOW];
    uint32_t n = queue_take(&batch->queues[action->class], entries, action->n_sequences);
    struct flight *flight = n > 0 ? sched_begin_flight(batch, completions, entries, n) : NULL;
    if (!flight)
        return n == 0;
    if (batch->hook)
        batch->hook(batch->hook_cookie, n, flight->job.n_rows);
    return launch(batch, completions, flight, action);
}

/* False where another plan is to follow: this one was too short; or an action failed, and works with it, so that the
 * actions behind it were about a queue that is no longer there. */
static bool carry_out_plan(struct batch *batch, struct sched_completions *completions)
{
    struct planner_action actions[PLANNER_MAX_ACTIONS];
    struct flight *suspended[PLANNER_MAX_FLIGHTS];
    bool lone = batch->n_flights == 0 && sched_queued_items(batch) == 1;
    uint32_t n = fill_snapshot(batch, suspended) ? planner_plan(&batch->snapshot, actions, PLANNER_MAX_ACTIONS) : 0;
    bool done = true, begun = false;
    for (uint32_t i = 0; i < n && done; i++) {
        begun |= !actions[i].resume;
        done = actions[i].resume ? launch(batch, completions, suspended[actions[i].flight], &actions[i])
                                 : begin(batch, completions, &actions[i]);
    }
    if (begun) {
        batch->concurrency = planner_concurrency(batch->snapshot.concurrency, batch->n_flights, lone);
        batch->idle_since_ns = 0;
    }
    return done && !planner_was_short(&batch->snapshot, n);
}

void sched_dispatch(struct batch *batch, struct sched_completions *completions)
{
    do {
        sched_sweep(batch, completions);
    } while (!carry_out_plan(batch, completions));
    uint64_t tokens = batch->queues[BATCH_INTERACTIVE].load.tokens;
    atomic_store_explicit(&batch->backlog, tokens > (uint64_t)BACKLOG_TOKENS * batch->n_usable, memory_order_relaxed);
    if (!sched_is_idle(batch))
        return;
    if (batch->idle_since_ns == 0)
        batch->idle_since_ns = clock_now_ns();
    pthread_cond_broadcast(&batch->quiet);
}
