#include "server/batch/planner.h"

#include <math.h>

/* A bulk batch may run several layers at once while they are together shorter than this. */
#define QUANTUM_NS 200e3
/* A batch below this many tokens leaves a board half idle: do not share out more finely while boards are busy. */
enum { WORTHWHILE_TOKENS = 128 };
/* Above these a larger batch is no faster, and only keeps others waiting. */
static const uint32_t target_tokens[BATCH_CLASSES] = {[BATCH_INTERACTIVE] = 512, [BATCH_BULK] = 2048};
/* Splitting must promise this much to be worth a barrier a layer. */
#define SPLIT_GAIN 0.95

/* What is left to give out while a plan is made. */
struct plan {
    const struct planner_snapshot *in;
    struct planner_action *actions;
    uint32_t n, max;
    uint64_t free;                 /* bit b: board b can still be given something */
    uint32_t busy;                 /* boards in service that were not free to begin with */
    uint64_t flights;              /* bit f: flight f is not yet resumed */
    uint32_t given[BATCH_CLASSES]; /* sequences of each queue already in an action */
    uint64_t given_tokens[BATCH_CLASSES];
};

/* Free boards that hold `layer`, as bits. */
static uint64_t boards_for(const struct plan *plan, uint32_t layer)
{
    uint64_t fit = 0;
    for (uint64_t left = plan->free; left; left &= left - 1) {
        uint32_t b = (uint32_t)__builtin_ctzll(left);
        if (layer >= plan->in->boards[b].layer_begin && layer < plan->in->boards[b].layer_end)
            fit |= 1ull << b;
    }
    return fit;
}

static bool any_usable_for(const struct planner_snapshot *in, uint32_t layer, uint64_t avoid)
{
    for (uint32_t b = 0; b < in->n_boards; b++)
        if (in->boards[b].usable && !(avoid >> b & 1) && layer >= in->boards[b].layer_begin &&
            layer < in->boards[b].layer_end)
            return true;
    return false;
}

static uint32_t quantum(const struct plan *plan, enum batch_class class, struct cost_load load, uint32_t left,
                        uint32_t boards)
{
    if (class == BATCH_INTERACTIVE || left <= 1)
        return left;
    double layer_ns = cost_split(plan->in->cost, load, 1, boards);
    uint32_t layers = (uint32_t)(QUANTUM_NS / layer_ns);
    return layers < 1 ? 1 : layers < left ? layers : left;
}

static struct planner_action *add_action(struct plan *plan, enum batch_class class, struct cost_load load,
                                         uint32_t layer, uint64_t boards, uint32_t n_boards)
{
    struct planner_action *action = &plan->actions[plan->n++];
    *action = (struct planner_action){.class = class};
    uint32_t end = plan->in->layers;
    for (; boards && action->n_boards < n_boards; boards &= boards - 1) {
        uint32_t b = (uint32_t)__builtin_ctzll(boards);
        action->boards[action->n_boards++] = b;
        plan->free &= ~(1ull << b);
        end = end < plan->in->boards[b].layer_end ? end : plan->in->boards[b].layer_end;
    }
    action->layers = quantum(plan, class, load, end - layer, action->n_boards);
    return action;
}

/* Over how many of `k` boards a load is finished first; 1 unless splitting promises a gain. */
static uint32_t best_split(const struct plan *plan, struct cost_load load, uint32_t layers, uint32_t k)
{
    if (plan->in->placement == BATCH_SPLIT)
        return k < load.rows ? k : load.rows;
    if (plan->in->placement != BATCH_AUTO)
        return 1;
    uint32_t best = 1;
    double best_ns = SPLIT_GAIN * cost_whole(plan->in->cost, load, layers);
    for (uint32_t n = 2; n <= k && n <= load.rows; n++) {
        double ns = cost_split(plan->in->cost, load, layers, n);
        if (ns < best_ns) {
            best = n;
            best_ns = ns;
        }
    }
    return best;
}

static bool resume_one(struct plan *plan, enum batch_class class, bool alone)
{
    for (uint64_t left = plan->flights; left; left &= left - 1) {
        uint32_t f = (uint32_t)__builtin_ctzll(left);
        const struct planner_flight *flight = &plan->in->flights[f];
        if (flight->class != class)
            continue;
        uint64_t boards = boards_for(plan, flight->layer);
        if (any_usable_for(plan->in, flight->layer, flight->avoid))
            boards &= ~flight->avoid;
        if (!boards)
            continue;
        uint32_t k = alone ? (uint32_t)__builtin_popcountll(boards) : 1;
        uint32_t n = best_split(plan, flight->load, plan->in->layers - flight->layer, k);
        if (n == 1 && boards >> flight->last_board & 1)
            boards = 1ull << flight->last_board;
        struct planner_action *action = add_action(plan, class, flight->load, flight->layer, boards, n);
        action->resume = true;
        action->flight = f;
        plan->flights &= ~(1ull << f);
        return true;
    }
    return false;
}

/* The next sequences of a queue up to a budget: how many, and their load. At least one if any waits. */
static uint32_t measure(const struct plan *plan, enum batch_class class, uint32_t from, uint64_t budget,
                        struct cost_load *ret)
{
    const struct planner_queue *queue = &plan->in->queues[class];
    uint32_t n = 0;
    struct cost_load load = {0};
    while (from + n < queue->n && n < plan->in->max_sequences) {
        uint32_t length = queue->lengths[from + n];
        if (n > 0 && load.rows + (uint64_t)length > budget)
            break;
        load = cost_add(load, length);
        n++;
    }
    *ret = load;
    return n;
}

static uint64_t cap(const struct plan *plan, enum batch_class class, uint64_t tokens)
{
    uint64_t limit = plan->in->max_tokens < target_tokens[class] ? plan->in->max_tokens : target_tokens[class];
    return tokens < limit ? tokens : limit;
}

/* When the last of `k` boards would be done if each took its share of the queue. */
static double shared_out_ns(const struct plan *plan, enum batch_class class, uint64_t share, uint32_t k)
{
    uint32_t from = plan->given[class];
    double last_ns = 0;
    for (uint32_t i = 0; i < k; i++) {
        struct cost_load load;
        uint32_t n = measure(plan, class, from, i + 1 < k ? share : UINT64_MAX, &load);
        if (n == 0)
            break;
        from += n;
        last_ns = fmax(last_ns, cost_whole(plan->in->cost, load, plan->in->layers));
    }
    return last_ns;
}

static void start(struct plan *plan, enum batch_class class, uint64_t budget, uint64_t boards, uint32_t n_boards)
{
    struct cost_load load;
    uint32_t n = measure(plan, class, plan->given[class], budget, &load);
    struct planner_action *action = add_action(plan, class, load, 0, boards, n_boards);
    action->n_sequences = n;
    plan->given[class] += n;
    plan->given_tokens[class] += load.rows;
}

/* A stage of a pipeline must not run far ahead of the next. */
static bool too_many_flights(const struct plan *plan)
{
    return plan->busy + plan->n + (uint32_t)__builtin_popcountll(plan->flights) >= 2 * plan->in->n_boards;
}

static bool start_one(struct plan *plan, enum batch_class class)
{
    const struct planner_queue *queue = &plan->in->queues[class];
    uint64_t boards = boards_for(plan, 0);
    if (!boards || plan->given[class] >= queue->n || too_many_flights(plan))
        return false;
    uint64_t tokens = queue->tokens - plan->given_tokens[class];
    uint32_t k = (uint32_t)__builtin_popcountll(boards);
    struct cost_load all;
    measure(plan, class, plan->given[class], cap(plan, class, tokens), &all);
    uint32_t split = best_split(plan, all, plan->in->layers, k);
    uint32_t busy = plan->busy;
    uint64_t share = cap(plan, class, (tokens + k + busy - 1) / (k + busy)); /* the busy ones will be free soon */
    if (busy && share < WORTHWHILE_TOKENS)
        share = WORTHWHILE_TOKENS;
    if (split > 1 && plan->in->placement == BATCH_AUTO) {
        double split_ns = cost_split(plan->in->cost, all, plan->in->layers, split);
        if (all.rows < tokens || split_ns > SPLIT_GAIN * shared_out_ns(plan, class, share, k))
            split = 1;
    }
    if (split > 1) {
        start(plan, class, cap(plan, class, tokens), boards, split);
        return true;
    }
    start(plan, class, share, boards, 1);
    return true;
}

/* One free flight may have all free boards only where nothing else could use them. */
static bool nothing_else(const struct plan *plan)
{
    if (plan->flights & (plan->flights - 1))
        return false;
    for (int c = 0; c < BATCH_CLASSES; c++)
        if (plan->given[c] < plan->in->queues[c].n)
            return false;
    return true;
}

static bool serve(struct plan *plan, enum batch_class class)
{
    return resume_one(plan, class, nothing_else(plan)) || start_one(plan, class);
}

uint32_t planner_plan(const struct planner_snapshot *snapshot, struct planner_action *ret, uint32_t max)
{
    struct plan plan = {.in = snapshot, .actions = ret, .max = max};
    for (uint32_t b = 0; b < snapshot->n_boards; b++) {
        if (snapshot->boards[b].usable && snapshot->boards[b].free)
            plan.free |= 1ull << b;
        plan.busy += snapshot->boards[b].usable && !snapshot->boards[b].free;
    }
    for (uint32_t f = 0; f < snapshot->n_flights; f++)
        plan.flights |= 1ull << f;
    bool bulk_first = snapshot->bulk_owed;
    while (plan.free && plan.n < plan.max) {
        if (bulk_first && serve(&plan, BATCH_BULK)) {
            bulk_first = false;
            continue;
        }
        if (!serve(&plan, BATCH_INTERACTIVE) && !serve(&plan, BATCH_BULK))
            break;
    }
    return plan.n;
}

double planner_eta(const struct cost_model *cost, uint32_t layers, struct cost_load load, struct cost_load ahead,
                   uint32_t usable_boards)
{
    double wait = 0;
    if (ahead.rows > 0 && usable_boards > 0)
        wait = cost_whole(cost, ahead, layers) / usable_boards;
    return wait + cost_whole(cost, load, layers);
}
