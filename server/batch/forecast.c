#include "server/batch/forecast.h"

#include "base/clock.h"

/* The boards in service; all where none is, since they are wanted back. In a pipeline each has its place. */
static void fill_boards(const struct batch *batch, struct eta_state *state)
{
    bool all = batch->usable == 0 || batch->options.placement == BATCH_PIPELINE;
    state->n_boards = batch->options.n_boards;
    for (uint32_t b = 0; b < batch->options.n_boards; b++) {
        const struct sched_slot *slot = &batch->slots[b];
        bool usable = all || slot->health.state == HEALTH_IN_SERVICE;
        state->boards[b] = (struct planner_board){usable, false, slot->layer_begin, slot->layer_end};
    }
}

/* Boards move a running flight's `layer` on, so `until` counts. */
static void fill_flights(const struct batch *batch, struct eta_state *state, uint64_t now)
{
    for (const struct flight *flight = batch->flights; flight; flight = flight->next) {
        bool runs = flight->state == FLIGHT_RUNNING;
        if ((!runs && flight->state != FLIGHT_SUSPENDED) || state->n_flights == ETA_MAX_FLIGHTS / 2)
            continue;
        struct eta_flight *out = &state->flights[state->n_flights++];
        *out = (struct eta_flight){.class = flight->class,
                                   .load = flight->load,
                                   .layer = runs ? flight->until : flight->layer,
                                   .avoid = flight->avoid,
                                   .last_board = flight->last_board};
        for (uint32_t s = 0; runs && s < flight->n_shards; s++)
            out->boards |= 1ull << flight->shards[s].board;
        double left_ns = flight->predicted_ns - (double)(now - flight->launched_ns);
        out->ends_ns = runs && left_ns > 0 ? left_ns : 0;
    }
}

static struct queue_load all_of(const struct queue *queue)
{
    struct queue_load all = {0};
    for (int f = 0; f < QUEUE_FLOWS; f++) {
        all.items += queue->flows[f].items;
        all.tokens += queue->flows[f].tokens;
        all.pairs += queue->flows[f].pairs;
    }
    return all;
}

static void fill_state(const struct batch *batch, struct eta_state *state)
{
    uint64_t now = clock_now_ns();
    *state = (struct eta_state){.placement = batch->options.placement,
                                .cost = &batch->cost,
                                .bandit = &batch->bandit,
                                .layers = batch->options.image->shape.layers,
                                .max_tokens = batch->options.max_tokens,
                                .max_sequences = sched_max_sequences(batch),
                                .interactive_lately = sched_interactive_lately(batch, now),
                                .concurrency = batch->concurrency,
                                .interactive_ns = batch->interactive_ns,
                                .bulk_quantum_ns = batch->bulk_quantum_ns};
    fill_boards(batch, state);
    fill_flights(batch, state, now);
    for (int c = 0; c < BATCH_CLASSES; c++)
        state->queues[c] = all_of(&batch->queues[c]);
}

double sched_forecast_ns(struct batch *batch, const struct batch_work *work)
{
    struct eta_state *state = &batch->eta;
    fill_state(batch, state);
    uint64_t tokens = 0;
    for (uint32_t i = 0; i < work->n_items; i++)
        tokens += work->items[i].n_tokens;
    state->queues[work->class] = queue_ahead(&batch->queues[work->class], work->key, tokens);
    return eta_predict(state, work->class, work->items, work->n_items);
}

double sched_backlog_ns(const struct batch *batch)
{
    struct queue_load all = all_of(&batch->queues[BATCH_INTERACTIVE]), bulk = all_of(&batch->queues[BATCH_BULK]);
    struct cost_load rows = {.rows = (uint32_t)(all.tokens + bulk.tokens), .pairs = (double)(all.pairs + bulk.pairs)};
    if (rows.rows == 0)
        return 0;
    return cost_whole(&batch->cost, rows, batch->options.image->shape.layers) / batch->options.n_boards;
}
