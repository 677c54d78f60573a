/* Carry out the plan: a snapshot for the planner, then its actions. */
#include "base/clock.h"
#include "server/batch/sched.h"

/* Bulk work that waits is owed a quantum once interactive work has had this many times the service of one. */
#define BULK_WAIT_FACTOR 8
/* Interactive requests are expected for so long after one. */
#define LATELY_NS 1000000000ull

static bool fill_boards(const struct batch *batch, struct planner_snapshot *out)
{
    bool any_free = false;
    out->n_boards = batch->options.n_boards;
    for (uint32_t b = 0; b < batch->options.n_boards; b++) {
        const struct sched_slot *slot = &batch->slots[b];
        bool usable = slot->health.state == HEALTH_IN_SERVICE;
        bool is_free = !slot->flight && !slot->probing;
        out->boards[b] = (struct planner_board){usable, is_free, slot->layer_begin, slot->layer_end};
        any_free |= usable && is_free;
    }
    return any_free;
}

static void fill_work(const struct batch *batch, struct planner_snapshot *out)
{
    out->n_flights = 0;
    for (const struct flight *f = batch->suspended; f && out->n_flights < PLANNER_MAX_BOARDS; f = f->next)
        out->flights[out->n_flights++] = (struct planner_flight){f->class, f->load, f->layer, f->avoid, f->last_board};
    for (int c = 0; c < BATCH_CLASSES; c++) {
        out->queues[c].n = queue_peek(&batch->queues[c], out->queues[c].lengths, PLANNER_WINDOW);
        out->queues[c].tokens = batch->queues[c].tokens;
    }
}

/* False where there is nothing to plan: no board is free, or nothing waits. */
static bool fill_snapshot(struct batch *batch)
{
    struct planner_snapshot *out = &batch->snapshot;
    if (!fill_boards(batch, out) || (!batch->suspended && sched_queued_items(batch) == 0))
        return false;
    fill_work(batch, out);
    out->placement = batch->options.placement;
    out->cost = &batch->cost;
    out->bandit = &batch->bandit;
    out->concurrency = batch->concurrency;
    out->layers = batch->options.image->shape.layers;
    out->max_tokens = batch->options.max_tokens;
    out->max_sequences = batch->options.max_sequences ? batch->options.max_sequences : PLANNER_WINDOW;
    out->interactive_lately = clock_now_ns() - batch->last_interactive_ns < LATELY_NS;
    out->bulk_owed = batch->interactive_ns > BULK_WAIT_FACTOR * batch->bulk_quantum_ns;
    return true;
}

static struct flight *begin_flight(struct batch *batch, struct sched_completions *completions, struct queue *queue,
                                   uint32_t n)
{
    struct queue_entry entries[PLANNER_WINDOW];
    queue_take(queue, entries, n);
    struct flight *flight = sched_new_flight(batch, completions, entries, n);
    if (flight && batch->hook)
        batch->hook(batch->hook_cookie, n, flight->job.n_rows);
    return flight;
}

/* Whose service it was, so that bulk work is not starved. */
static void account(struct batch *batch, const struct flight *flight)
{
    if (flight->class == BATCH_BULK) {
        batch->interactive_ns = 0;
        batch->bulk_quantum_ns = flight->predicted_ns;
    } else if (batch->queues[BATCH_BULK].items > 0 || batch->suspended) {
        batch->interactive_ns += flight->predicted_ns * flight->n_shards;
    }
}

static enum batch_placement placement_of(const struct batch *batch, const struct planner_action *action)
{
    if (batch->options.placement == BATCH_PIPELINE)
        return BATCH_PIPELINE;
    return action->choice.boards > 1 ? BATCH_SPLIT : BATCH_REPLICATE;
}

static void launch(struct batch *batch, struct sched_completions *completions, struct flight *flight,
                   const struct planner_action *action)
{
    flight->launched_ns = clock_now_ns();
    if (flight->layer == 0)
        batch->begun[placement_of(batch, action)][flight->class]++;
    flight->launched_layers = action->layers;
    flight->choice = action->choice;
    flight->timeout_scale = batch->watchdog.scale;
    flight->predicted_ns =
        bandit_predict(&batch->bandit, &batch->cost, flight->load, action->layers, action->choice.boards);
    for (uint32_t i = 0; i < action->choice.boards; i++) {
        struct sched_slot *slot = &batch->slots[action->boards[i]];
        slot->flight = flight;
        slot->used_ns = flight->launched_ns;
        slot->flights++;
        slot->splits += action->choice.boards > 1;
    }
    uint32_t until = flight->layer + action->layers;
    enum status status = flight_launch(flight, batch->options.boards, action->boards, action->choice.boards, until,
                                       sched_on_returned, batch);
    if (status == STATUS_OK) {
        account(batch, flight);
        return;
    }
    for (uint32_t i = 0; i < action->choice.boards; i++)
        batch->slots[action->boards[i]].flight = NULL;
    struct error err;
    error_set(&err, status, "no memory to split a batch of %u rows", flight->job.n_rows);
    sched_fail_flight(batch, completions, flight, status, &err);
}

void sched_plan(struct batch *batch, struct sched_completions *completions)
{
    struct planner_action actions[PLANNER_MAX_BOARDS];
    struct flight *flights[PLANNER_MAX_BOARDS];
    sched_drop_unwanted(batch, completions);
    bool lone = batch->n_flights == 0 && sched_queued_items(batch) == 1;
    uint32_t n = fill_snapshot(batch) ? planner_plan(&batch->snapshot, actions, PLANNER_MAX_BOARDS) : 0;
    uint32_t f = 0, begun = 0;
    for (struct flight *flight = batch->suspended; flight && f < PLANNER_MAX_BOARDS; flight = flight->next)
        flights[f++] = flight;
    for (uint32_t i = 0; i < n; i++) {
        struct flight *flight;
        if (actions[i].resume) {
            flight = flights[actions[i].flight];
            sched_resume(batch, flight);
        } else {
            flight = begin_flight(batch, completions, &batch->queues[actions[i].class], actions[i].n_sequences);
            begun++;
        }
        if (flight)
            launch(batch, completions, flight, &actions[i]);
    }
    if (begun)
        batch->concurrency = planner_concurrency(batch->concurrency, batch->n_flights, lone);
    if (sched_is_idle(batch))
        pthread_cond_broadcast(&batch->quiet);
}
