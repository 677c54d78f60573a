#include "server/batch/forecast.h"

#include "base/clock.h"

/* By this factor estimates differ in the worst case. */
#define SURE 4
/* The most tokens of a batch, but for a single long text. */
enum { LARGE_BATCH = 2048 };

/* The boards in service; all where none is, since they are wanted back. In a pipeline each has its place. */
static void fill_boards(const struct batch *batch, struct eta_state *state)
{
    bool all = batch->n_usable == 0 || batch->options.placement == BATCH_PIPELINE;
    uint32_t n = batch->options.n_boards;
    state->part = (n + ETA_MAX_BOARDS - 1) / ETA_MAX_BOARDS;
    state->boards = batch->loaded;
    state->several_kinds = batch->kinds != NULL;
    for (uint32_t b = 0; b < n; b += state->part, state->n_boards++) {
        state->kinds[state->n_boards] = (uint8_t)planner_kind(batch->kinds, b);
        if (all || board_set_has(&batch->usable, b))
            state->usable |= 1ull << state->n_boards;
    }
}

/* Those of its boards that stand for others too, as bits. */
static uint64_t boards_of(const struct flight *flight, uint32_t part)
{
    uint64_t boards = 0;
    for (uint32_t s = 0; s < flight->n_shards; s++)
        if (flight->shards[s].board % part == 0)
            boards |= 1ull << flight->shards[s].board / part;
    return boards;
}

/* Boards move a running flight's `layer` on, so `until` counts. */
static void fill_flights(const struct batch *batch, struct eta_state *state, uint64_t now)
{
    const struct flight *flight = batch->oldest[FLIGHTS_ALL];
    for (uint32_t suspended = 0; flight; flight = flight->newer[FLIGHTS_ALL]) {
        bool runs = flight->state == FLIGHT_RUNNING;
        if ((!runs && flight->state != FLIGHT_SUSPENDED) || state->n_flights == ETA_MAX_FLIGHTS / 2)
            continue;
        uint64_t boards = runs ? boards_of(flight, state->part) : 0;
        if (runs ? boards == 0 : suspended++ % state->part != 0)
            continue;
        struct eta_flight *out = &state->flights[state->n_flights++];
        *out = (struct eta_flight){.class = flight->class,
                                   .load = flight->load,
                                   .layer = runs ? flight->until : flight->layer,
                                   .avoid = state->part == 1 && flight->avoid.n_words ? &flight->avoid : NULL,
                                   .last_board = flight->last_board / state->part,
                                   .boards = boards};
        double left_ns = flight->predicted_ns - (double)(now - flight->launched_ns);
        out->ends_ns = runs && left_ns > 0 ? left_ns : 0;
    }
}

static struct queue_load part_of(struct queue_load load, uint32_t part)
{
    return (struct queue_load){
        .items = (load.items + part - 1) / part, .tokens = (load.tokens + part - 1) / part, .pairs = load.pairs / part};
}

static void fill_state(const struct batch *batch, struct eta_state *state)
{
    uint64_t now = clock_now_ns();
    *state = (struct eta_state){.placement = batch->options.placement,
                                .cost = batch->cost,
                                .bandit = batch->bandit,
                                .layers = batch->options.image->shape.layers,
                                .max_tokens = batch->options.max_tokens,
                                .max_sequences = sched_max_sequences(batch),
                                .moves_rows = batch->moves_rows,
                                .concurrency = sched_concurrency(batch, now),
                                .interactive_ns = batch->interactive_ns,
                                .bulk_quantum_ns = batch->bulk_quantum_ns};
    fill_boards(batch, state);
    fill_flights(batch, state, now);
    state->concurrency /= state->part;
    for (int c = 0; c < BATCH_CLASSES; c++)
        state->queues[c] = part_of(batch->queues[c].load, state->part);
}

static struct queue_load load_of(const struct batch_work *work)
{
    struct queue_load load = {0};
    for (uint32_t i = 0; i < work->n_items; i++)
        load = queue_load_add(load, work->items[i].n_tokens);
    return load;
}

/* On boards of the slowest kind. */
static double slowest_ns(const struct batch *batch, struct queue_load load, struct cost_load large, uint32_t boards)
{
    uint32_t layers = batch->options.image->shape.layers;
    double most = 0;
    for (uint32_t k = 0; k < batch->n_kinds; k++) {
        const struct cost_model *cost = &batch->cost[k];
        double ns = cost_singly(cost, load.items, (double)load.tokens, (double)load.pairs, layers) / boards +
                    cost_whole(cost, large, layers);
        most = ns > most ? ns : most;
    }
    return most;
}

/* All that waits, dealt out over the boards; behind it one large batch more, and before it what they do now. Estimates
 * of forced splits may be anything. */
bool sched_is_surely_in_time(const struct batch *batch, const struct batch_work *work, double left_ns)
{
    struct queue_load all = load_of(work);
    for (int c = 0; c < BATCH_CLASSES; c++) {
        const struct queue_load *waits = &batch->queues[c].load;
        all = (struct queue_load){
            .items = all.items + waits->items, .tokens = all.tokens + waits->tokens, .pairs = all.pairs + waits->pairs};
    }
    struct cost_load large = {.rows = LARGE_BATCH, .pairs = (double)LARGE_BATCH * IMAGE_MAX_SEQUENCE};
    double need_ns = slowest_ns(batch, all, large, batch->n_usable ? batch->n_usable : batch->options.n_boards);
    return !planner_is_shared(batch->options.placement) && SURE * need_ns <= left_ns;
}

double sched_forecast_ns(struct batch *batch, const struct batch_work *work)
{
    struct eta_state *state = &batch->eta;
    fill_state(batch, state);
    struct queue_load ahead = queue_ahead(&batch->queues[work->class], work->key, load_of(work).tokens);
    state->queues[work->class] = part_of(ahead, state->part);
    return eta_predict(state, work->class, work->items, work->n_items);
}

double sched_backlog_ns(const struct batch *batch)
{
    struct queue_load all = batch->queues[BATCH_INTERACTIVE].load, bulk = batch->queues[BATCH_BULK].load;
    struct cost_load rows = {.rows = (uint32_t)(all.tokens + bulk.tokens), .pairs = (double)(all.pairs + bulk.pairs)};
    if (rows.rows == 0)
        return 0;
    double boards = 0; /* as so many of the first kind */
    uint32_t layers = batch->options.image->shape.layers;
    for (uint32_t b = 0; b < batch->options.n_boards; b++)
        boards += planner_worth(batch->cost, batch->bandit, layers, 0, planner_kind(batch->kinds, b));
    return cost_whole(&batch->cost[0], rows, layers) / boards;
}
