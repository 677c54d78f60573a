#include "server/batch/eta.h"

#include <math.h>
#include <string.h>

/* Of what is ahead so many batches a board are played through. */
enum { ROUNDS = 4 };
/* After so many launches the rest of the request counts as it went so far. */
enum { MAX_LAUNCHES = 2000 };

struct play {
    struct eta_state *state;
    enum batch_class class;       /* the request's */
    const struct batch_item *own; /* the request's, behind what waits in its queue: each `part`th, `n_own` of them */
    uint32_t n_own;
    uint32_t own_begun; /* items */
    uint32_t own_ended; /* items */
    double now_ns;
    double own_from_ns; /* when the first of it began */
    struct planner_snapshot snapshot;
    uint32_t order[PLANNER_MAX_FLIGHTS]; /* the flight behind each of the snapshot's */
};

/* Tokens of item `i` of the load: as the mean, rounded so that the sum is right. */
static uint32_t length_of(struct queue_load load, uint64_t i)
{
    uint64_t length = (i + 1) * load.tokens / load.items - i * load.tokens / load.items;
    return length > 0 ? (uint32_t)length : 1;
}

static uint64_t waiting(const struct play *play, enum batch_class class)
{
    return play->state->queues[class].items + (class == play->class ? play->n_own - play->own_begun : 0);
}

static uint32_t own_tokens(const struct play *play, uint64_t i)
{
    return play->own[i * play->state->part].n_tokens;
}

/* Tokens of the `i`th item that waits. */
static uint32_t length_at(const struct play *play, enum batch_class class, uint64_t i)
{
    const struct queue_load *ahead = &play->state->queues[class];
    if (i < ahead->items)
        return length_of(*ahead, i);
    return own_tokens(play, play->own_begun + i - ahead->items);
}

static void fill_queue(struct play *play, enum batch_class class)
{
    struct planner_queue *queue = &play->snapshot.queues[class];
    uint64_t n = waiting(play, class);
    queue->n = n < PLANNER_WINDOW ? (uint32_t)n : PLANNER_WINDOW;
    queue->tokens = 0;
    for (uint32_t i = 0; i < queue->n; i++)
        queue->tokens += queue->lengths[i] = length_at(play, class, i);
    if (queue->n > 0) /* what is behind the window is about as long */
        queue->tokens = queue->tokens * n / queue->n;
}

static void fill_snapshot(struct play *play)
{
    struct planner_snapshot *out = &play->snapshot;
    const struct eta_state *state = play->state;
    out->concurrency = state->concurrency;
    out->bulk_owed = state->interactive_ns > PLANNER_BULK_WAIT_FACTOR * state->bulk_quantum_ns;
    uint64_t busy = 0;
    out->n_flights = 0;
    for (uint32_t f = 0; f < state->n_flights; f++) {
        const struct eta_flight *flight = &state->flights[f];
        busy |= flight->boards;
        if (flight->boards || out->n_flights == PLANNER_MAX_FLIGHTS)
            continue;
        play->order[out->n_flights] = f;
        out->flights[out->n_flights++] = (struct planner_flight){.class = flight->class,
                                                                 .load = flight->load,
                                                                 .layer = flight->layer,
                                                                 .avoid = flight->avoid,
                                                                 .last_board = flight->last_board};
    }
    out->usable = out->free = board_set_of(state->n_boards);
    out->usable.words[0] = state->usable;
    out->free.words[0] = state->usable & ~busy;
    for (int c = 0; c < BATCH_CLASSES; c++)
        fill_queue(play, (enum batch_class)c);
}

/* The load of `n` items of `from`, whose mean squares count. */
static void take(struct queue_load *from, uint64_t n, struct cost_load *load)
{
    uint64_t tokens = 0;
    for (uint64_t i = 0; i < n; i++)
        tokens += length_of(*from, i);
    double pairs = (double)from->pairs / (double)from->tokens * (double)tokens;
    load->rows += (uint32_t)tokens;
    load->pairs += pairs;
    from->items -= n;
    from->tokens -= tokens < from->tokens ? tokens : from->tokens;
    from->pairs -= pairs < (double)from->pairs ? (uint64_t)pairs : from->pairs;
}

static struct eta_flight *begin(struct play *play, const struct planner_action *action)
{
    struct eta_state *state = play->state;
    if (state->n_flights == ETA_MAX_FLIGHTS)
        return NULL;
    struct eta_flight *flight = &state->flights[state->n_flights++];
    *flight = (struct eta_flight){.class = action->class};
    struct queue_load *ahead = &state->queues[action->class];
    uint64_t of_ahead = ahead->items < action->n_sequences ? ahead->items : action->n_sequences;
    if (of_ahead > 0)
        take(ahead, of_ahead, &flight->load);
    flight->own = action->n_sequences - (uint32_t)of_ahead;
    if (play->own_begun == 0)
        play->own_from_ns = play->now_ns;
    for (uint32_t i = 0; i < flight->own; i++)
        flight->load = cost_add(flight->load, own_tokens(play, play->own_begun++));
    return flight;
}

/* As the scheduler does: whose service it was. */
static void account(struct play *play, const struct eta_flight *flight, double predicted_ns, uint32_t boards)
{
    struct eta_state *state = play->state;
    bool suspended = false;
    for (uint32_t f = 0; f < state->n_flights; f++)
        suspended |= state->flights[f].boards == 0;
    if (flight->class == BATCH_BULK) {
        state->interactive_ns = 0;
        state->bulk_quantum_ns = predicted_ns;
    } else if (waiting(play, BATCH_BULK) > 0 || suspended) {
        state->interactive_ns += predicted_ns * boards;
    }
}

/* False where there is no space for another flight. */
static bool carry_out(struct play *play, const struct planner_action *action)
{
    struct eta_state *state = play->state;
    struct eta_flight *flight = action->resume ? &state->flights[play->order[action->flight]] : begin(play, action);
    if (!flight)
        return false;
    for (uint32_t b = 0; b < action->choice.boards; b++)
        flight->boards |= 1ull << action->boards[b];
    flight->last_board = action->boards[0];
    flight->layer += action->layers;
    uint32_t kind = planner_kind(play->snapshot.kinds, action->boards[0]);
    double predicted_ns =
        bandit_predict(&state->bandit[kind], &state->cost[kind], flight->load, action->layers, action->choice);
    flight->ends_ns = play->now_ns + predicted_ns;
    account(play, flight, predicted_ns, action->choice.boards);
    return true;
}

/* Returns how many launches there were. `ret_more`: there may be more to do. */
static uint32_t carry_out_plan(struct play *play, bool *ret_more)
{
    struct planner_action actions[PLANNER_MAX_ACTIONS];
    struct eta_state *state = play->state;
    fill_snapshot(play);
    bool begun = false, done = true,
         lone = state->n_flights == 0 && waiting(play, BATCH_INTERACTIVE) + waiting(play, BATCH_BULK) == 1;
    uint32_t n = planner_plan(&play->snapshot, actions, PLANNER_MAX_ACTIONS), launches = 0;
    for (uint32_t i = 0; i < n && done; i++) {
        done = carry_out(play, &actions[i]);
        begun |= done && !actions[i].resume;
        launches += done;
    }
    if (begun)
        state->concurrency = planner_concurrency(state->concurrency, state->n_flights, lone);
    *ret_more = done && planner_was_short(&play->snapshot, n);
    return launches;
}

static uint32_t dispatch(struct play *play)
{
    uint32_t launches = 0;
    bool more = true;
    while (more)
        launches += carry_out_plan(play, &more);
    return launches;
}

/* Go on to when the next launch ends. False: nothing runs. */
static bool advance(struct play *play)
{
    struct eta_state *state = play->state;
    double next_ns = INFINITY;
    for (uint32_t f = 0; f < state->n_flights; f++)
        if (state->flights[f].boards)
            next_ns = fmin(next_ns, state->flights[f].ends_ns);
    if (isinf(next_ns))
        return false;
    play->now_ns = next_ns;
    uint32_t kept = 0;
    for (uint32_t f = 0; f < state->n_flights; f++) {
        struct eta_flight *flight = &state->flights[f];
        if (flight->boards && flight->ends_ns <= next_ns) {
            flight->boards = 0;
            if (flight->layer >= state->layers) {
                play->own_ended += flight->own;
                continue;
            }
        }
        state->flights[kept++] = *flight;
    }
    state->n_flights = kept;
    return true;
}

/* What is so far ahead that it makes no difference how it is dealt out. Returns its share of the queue's time. */
static double skip_far_ahead(struct play *play)
{
    struct eta_state *state = play->state;
    struct queue_load *ahead = &state->queues[play->class];
    uint64_t batch = planner_batch_tokens(play->class, state->max_tokens, state->moves_rows);
    uint64_t most = ROUNDS * batch * state->n_boards;
    if (ahead->tokens <= most)
        return 0;
    double part = 1 - (double)most / (double)ahead->tokens;
    struct queue_load kept = {.items = (uint64_t)((double)ahead->items * (1 - part)) + 1,
                              .tokens = most,
                              .pairs = (uint64_t)((double)ahead->pairs * (1 - part))};
    struct cost_load load = {.rows = (uint32_t)batch,
                             .pairs = (double)ahead->pairs / (double)ahead->tokens * (double)batch};
    double batches = (double)(ahead->tokens - most) / (double)batch;
    *ahead = kept;
    double boards = 0; /* as so many of the first board's kind */
    uint32_t kind = planner_kind(play->snapshot.kinds, 0);
    for (uint32_t b = 0; b < state->n_boards; b++)
        boards += planner_worth(state->cost, state->bandit, state->layers, kind, planner_kind(play->snapshot.kinds, b));
    struct bandit_choice choice = bandit_whole;
    if (planner_is_shared(state->placement) && play->class == BATCH_INTERACTIVE && state->n_boards > 1)
        choice = (struct bandit_choice){.placement = state->placement, .boards = state->n_boards};
    return batches * choice.boards *
           bandit_predict(&state->bandit[kind], &state->cost[kind], load, state->layers, choice) / boards;
}

double eta_predict(struct eta_state *state, enum batch_class class, const struct batch_item *items, uint32_t n)
{
    struct play play = {.state = state, .class = class, .own = items, .n_own = (n + state->part - 1) / state->part};
    play.snapshot.placement = state->placement;
    play.snapshot.cost = state->cost;
    play.snapshot.bandit = state->bandit;
    play.snapshot.kinds = state->several_kinds ? state->kinds : NULL;
    play.snapshot.layers = state->layers;
    play.snapshot.max_tokens = state->max_tokens;
    play.snapshot.max_sequences = state->max_sequences;
    play.snapshot.moves_rows = state->moves_rows;
    play.snapshot.n_boards = state->n_boards;
    play.snapshot.boards = state->boards;
    double skipped_ns = skip_far_ahead(&play);
    uint32_t launches = 0;
    while (play.own_ended < play.n_own && launches < MAX_LAUNCHES) {
        launches += dispatch(&play);
        if (!advance(&play))
            break;
    }
    double done = (double)play.own_ended / play.n_own, took_ns = play.now_ns - play.own_from_ns;
    return skipped_ns + play.now_ns + (done > 0 ? took_ns / done - took_ns : 0);
}
