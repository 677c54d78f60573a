#include "server/batch/planner.h"

#include <math.h>

/* A bulk batch may run several layers at once while they are together shorter than this. */
#define QUANTUM_NS 200e3
/* .. and while the launch itself takes more than one of so many parts of that. */
#define LAUNCH_SHARE 16
/* A batch below this many tokens leaves a board half idle: do not share out more finely while boards are busy. */
enum { WORTHWHILE_TOKENS = 128 };
/* Above these a batch keeps others waiting, and is slower on a processor: its hidden states leave the caches of a core
 * between one layer and the next. A card takes bulk work several lists at a time: while it computes one, the rows of
 * the next are on their way. */
enum { BATCH_TOKENS = 512, MOVED_BULK_TOKENS = 2048 };
/* The concurrency estimate falls over so many plans. Where several clients are at work the pool is idle now and then,
 * so one lone sequence does not tell that they have gone, but a few in a row do. */
#define CONCURRENCY_MEMORY      8
#define CONCURRENCY_MEMORY_LONE 2

/* What is left to give out while a plan is made. */
struct plan {
    const struct planner_snapshot *in;
    struct planner_action *actions;
    uint32_t n, max;
    struct board_set free; /* that can still be given something */
    uint32_t n_free;
    uint32_t usable, busy;         /* boards in service; those of them that were not free to begin with */
    uint64_t flights;              /* bit f: flight f is not yet resumed */
    uint32_t given[BATCH_CLASSES]; /* sequences of each queue already in an action */
    uint64_t given_tokens[BATCH_CLASSES];
};

/* Some free boards for one action. */
struct choices {
    struct board_set boards;
    uint32_t n;
};

static bool has_layer(const struct planner_snapshot *in, uint32_t board, uint32_t layer)
{
    return !in->boards || (layer >= in->boards[board].layer_begin && layer < in->boards[board].layer_end);
}

static uint32_t layers_end(const struct planner_snapshot *in, uint32_t board)
{
    return in->boards ? in->boards[board].layer_end : in->layers;
}

static bool any_usable_for(const struct planner_snapshot *in, uint32_t layer, const struct board_set *avoid)
{
    for (uint32_t b = board_set_from(&in->usable, 0); b != BOARD_SET_NONE; b = board_set_from(&in->usable, b + 1))
        if (!board_set_has(avoid, b) && has_layer(in, b, layer))
            return true;
    return false;
}

/* Free boards that hold `layer`, without those to avoid (NULL: none) where there are others in service. */
static struct choices boards_for(const struct plan *plan, uint32_t layer, const struct board_set *avoid)
{
    struct choices fit = {plan->free, plan->n_free};
    if (avoid && !any_usable_for(plan->in, layer, avoid))
        avoid = NULL;
    if (!avoid && !plan->in->boards)
        return fit;
    for (uint32_t b = board_set_from(&plan->free, 0); b != BOARD_SET_NONE; b = board_set_from(&plan->free, b + 1)) {
        if (has_layer(plan->in, b, layer) && !(avoid && board_set_has(avoid, b)))
            continue;
        board_set_put(&fit.boards, b, false);
        fit.n--;
    }
    return fit;
}

static double predict(const struct plan *plan, uint32_t kind, struct cost_load load, uint32_t layers,
                      struct bandit_choice choice)
{
    return bandit_predict(&plan->in->bandit[kind], &plan->in->cost[kind], load, layers, choice);
}

/* Of boards of several kinds those of the kind that would be done first. Returns the kind. */
static uint32_t keep_fastest(const struct plan *plan, struct choices *choices, struct cost_load load, uint32_t layers)
{
    const uint8_t *kinds = plan->in->kinds;
    uint32_t best = planner_kind(kinds, board_set_from(&choices->boards, 0));
    if (!kinds || plan->in->placement == BATCH_SPLIT)
        return best;
    const struct board_set *boards = &choices->boards;
    double best_ns = predict(plan, best, load, layers, bandit_whole);
    for (uint32_t b = board_set_from(boards, 0); b != BOARD_SET_NONE; b = board_set_from(boards, b + 1)) {
        double ns = kinds[b] == best ? INFINITY : predict(plan, kinds[b], load, layers, bandit_whole);
        if (ns < best_ns) {
            best = kinds[b];
            best_ns = ns;
        }
    }
    for (uint32_t b = board_set_from(boards, 0); b != BOARD_SET_NONE; b = board_set_from(boards, b + 1)) {
        if (kinds[b] == best)
            continue;
        board_set_put(&choices->boards, b, false);
        choices->n--;
    }
    return best;
}

static uint32_t quantum(const struct plan *plan, uint32_t kind, enum batch_class class, struct cost_load load,
                        uint32_t left, struct bandit_choice choice)
{
    if (class == BATCH_INTERACTIVE || left <= 1)
        return left;
    const struct cost_model *cost = &plan->in->cost[kind];
    double layer_ns = predict(plan, kind, load, 1, choice), launch_ns = cost_launch(cost, load);
    double worth_a_launch = ceil(LAUNCH_SHARE * launch_ns / fmax(layer_ns - launch_ns, 1));
    uint32_t layers = (uint32_t)fmin(fmax(QUANTUM_NS / layer_ns, worth_a_launch), left);
    return layers < 1 ? 1 : layers;
}

static struct planner_action *add_action(struct plan *plan, enum batch_class class, struct cost_load load,
                                         uint32_t layer, const struct choices *choices, struct bandit_choice choice)
{
    struct planner_action *action = &plan->actions[plan->n++];
    *action = (struct planner_action){.class = class, .choice = choice};
    uint32_t end = plan->in->layers, board = 0;
    for (uint32_t i = 0; i < choice.boards; i++, board++) {
        board = board_set_from(&choices->boards, board);
        action->boards[i] = board;
        board_set_put(&plan->free, board, false);
        end = end < layers_end(plan->in, board) ? end : layers_end(plan->in, board);
    }
    plan->n_free -= choice.boards;
    uint32_t kind = planner_kind(plan->in->kinds, action->boards[0]);
    action->layers = quantum(plan, kind, class, load, end - layer, choice);
    return action;
}

/* How many of `k` free boards may share what waits, where it is `lone`: one sequence or flight. Where some boards are
 * busy, or were of late, others will soon want one. */
static uint32_t fair_boards(const struct plan *plan, uint32_t k, bool lone)
{
    uint32_t wanting = plan->usable - plan->n_free + 1;
    uint32_t concurrency = lone ? (uint32_t)(plan->in->concurrency + 0.5) : 0;
    uint32_t fair = plan->usable / (wanting > concurrency ? wanting : concurrency);
    fair = fair < PLANNER_MAX_SPLIT ? fair : PLANNER_MAX_SPLIT;
    return fair < 1 ? 1 : fair < k ? fair : k;
}

/* How to run one load on some of `k` free boards. */
static struct bandit_choice choose(const struct plan *plan, uint32_t kind, struct cost_load load, uint32_t layers,
                                   uint32_t k, bool lone)
{
    k = k < PLANNER_MAX_SPLIT ? k : PLANNER_MAX_SPLIT;
    uint32_t most = k < load.rows ? k : load.rows;
    bool forced = planner_is_shared(plan->in->placement);
    if (plan->in->placement == BATCH_TENSOR)
        forced = plan->in->bandit[kind].teams;
    if (forced && most > 1)
        return (struct bandit_choice){.placement = plan->in->placement, .boards = most};
    if (plan->in->placement != BATCH_AUTO)
        return bandit_whole;
    return bandit_choose(&plan->in->bandit[kind], &plan->in->cost[kind], load, layers, fair_boards(plan, k, lone));
}

/* One sequence, not several. */
static bool is_single(struct cost_load load)
{
    return load.pairs >= (double)load.rows * load.rows;
}

static bool resume_one(struct plan *plan, enum batch_class class, bool alone)
{
    for (uint64_t left = plan->flights; left; left &= left - 1) {
        uint32_t f = (uint32_t)__builtin_ctzll(left);
        const struct planner_flight *flight = &plan->in->flights[f];
        if (flight->class != class)
            continue;
        struct choices choices = boards_for(plan, flight->layer, flight->avoid);
        if (choices.n == 0)
            continue;
        uint32_t layers = plan->in->layers - flight->layer, kind = keep_fastest(plan, &choices, flight->load, layers);
        uint32_t k = alone ? choices.n : 1;
        struct bandit_choice choice = choose(plan, kind, flight->load, layers, k, is_single(flight->load));
        if (choice.boards == 1 && board_set_has(&choices.boards, flight->last_board)) {
            choices.boards = board_set_of(plan->in->n_boards);
            board_set_put(&choices.boards, flight->last_board, true);
        }
        struct planner_action *action = add_action(plan, class, flight->load, flight->layer, &choices, choice);
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

uint32_t planner_batch_tokens(enum batch_class class, uint32_t max_tokens, bool moves_rows)
{
    uint32_t target = moves_rows && class == BATCH_BULK ? MOVED_BULK_TOKENS : BATCH_TOKENS;
    return max_tokens < target ? max_tokens : target;
}

static uint64_t cap(const struct plan *plan, enum batch_class class, uint64_t tokens)
{
    uint64_t limit = planner_batch_tokens(class, plan->in->max_tokens, plan->in->moves_rows);
    return tokens < limit ? tokens : limit;
}

/* What one board takes of so many tokens where `boards` share them out; the busy ones among those come for theirs. */
static uint64_t share_of(const struct plan *plan, enum batch_class class, uint64_t tokens, double boards)
{
    uint64_t share = (uint64_t)ceil((double)tokens / fmax(boards, 1));
    return cap(plan, class, plan->busy && share < WORTHWHILE_TOKENS ? WORTHWHILE_TOKENS : share);
}

/* The share that takes longest if `k` boards, worth as many as `boards` with the busy ones, share the queue out. */
static struct cost_load longest_share(const struct plan *plan, uint32_t kind, enum batch_class class, uint64_t tokens,
                                      double boards, uint32_t k)
{
    uint32_t from = plan->given[class];
    struct cost_load longest = {0};
    double longest_ns = 0;
    for (uint32_t i = 0; i < k; i++) {
        struct cost_load load;
        uint64_t share = i + 1 < k ? share_of(plan, class, tokens, boards - i) : UINT64_MAX;
        uint32_t n = measure(plan, class, from, share, &load);
        if (n == 0)
            break;
        from += n;
        tokens -= load.rows;
        double ns = predict(plan, kind, load, plan->in->layers, bandit_whole);
        if (ns > longest_ns) {
            longest = load;
            longest_ns = ns;
        }
    }
    return longest;
}

/* How all that waits is done sooner by `most` boards together, or fewer, than by boards with a share each, of which the
 * `longest` is given; else whole. On boards of one pace a split by rows does all that sharing out does, so it can win
 * only where shares are uneven: the cost model must say so too, which compares the two by one measure. */
static struct bandit_choice beat_sharing_out(const struct plan *plan, uint32_t kind, struct cost_load all,
                                             struct cost_load longest, uint32_t most)
{
    const struct cost_model *cost = &plan->in->cost[kind];
    const uint32_t layers = plan->in->layers;
    const double even_ns = BANDIT_SPLIT_GAIN * cost_whole(cost, longest, layers);
    double best_ns = BANDIT_SPLIT_GAIN * predict(plan, kind, longest, layers, bandit_whole);
    struct bandit_choice best = bandit_whole, arm = bandit_whole;
    while (bandit_next_arm(&plan->in->bandit[kind], &arm, most < all.rows ? most : all.rows)) {
        double ns = predict(plan, kind, all, layers, arm);
        if (ns > best_ns || (arm.placement == BATCH_SPLIT && cost_split(cost, all, layers, arm.boards) > even_ns))
            continue;
        best = arm;
        best.weighed = true;
        best_ns = ns;
    }
    return best;
}

static void start(struct plan *plan, enum batch_class class, uint64_t budget, const struct choices *choices,
                  struct bandit_choice choice)
{
    struct cost_load load;
    uint32_t n = measure(plan, class, plan->given[class], budget, &load);
    struct planner_action *action = add_action(plan, class, load, 0, choices, choice);
    action->n_sequences = n;
    plan->given[class] += n;
    plan->given_tokens[class] += load.rows;
}

/* A stage of a pipeline must not run far ahead of the next. */
static bool too_many_flights(const struct plan *plan)
{
    return plan->busy + plan->n + (uint32_t)__builtin_popcountll(plan->flights) >= 2 * plan->in->n_boards;
}

double planner_worth(const struct cost_model *cost, const struct bandit *bandit, uint32_t layers, uint32_t kind,
                     uint32_t other)
{
    static const struct cost_load common = {WORTHWHILE_TOKENS, (double)WORTHWHILE_TOKENS * WORTHWHILE_TOKENS / 4};
    if (kind == other)
        return 1;
    return bandit_predict(&bandit[kind], &cost[kind], common, layers, bandit_whole) /
           bandit_predict(&bandit[other], &cost[other], common, layers, bandit_whole);
}

/* How many boards of this kind all those are worth that are free, or will be soon. */
static double worth(const struct plan *plan, const struct board_set *choices, uint32_t n_choices, uint32_t kind)
{
    const struct planner_snapshot *in = plan->in;
    if (!in->kinds)
        return n_choices + plan->busy;
    double sum = 0;
    for (uint32_t b = board_set_from(&in->usable, 0); b != BOARD_SET_NONE; b = board_set_from(&in->usable, b + 1))
        if (board_set_has(choices, b) || !board_set_has(&in->free, b))
            sum += planner_worth(in->cost, in->bandit, in->layers, kind, in->kinds[b]);
    return fmax(sum, 1);
}

static bool start_one(struct plan *plan, enum batch_class class)
{
    const struct planner_queue *queue = &plan->in->queues[class];
    if (plan->given[class] >= queue->n || too_many_flights(plan))
        return false;
    struct choices choices = boards_for(plan, 0, NULL);
    if (choices.n == 0)
        return false;
    uint64_t tokens = queue->tokens - plan->given_tokens[class];
    uint64_t together = cap(plan, class, tokens);
    struct cost_load load;
    uint32_t n = measure(plan, class, plan->given[class], together, &load);
    struct choices free = choices;
    uint32_t kind = keep_fastest(plan, &choices, load, plan->in->layers), k = choices.n;
    double boards = worth(plan, &free.boards, free.n, kind); /* the busy ones will be free soon */
    uint32_t fair = fair_boards(plan, k, false);
    bool is_all = load.rows == tokens;
    struct bandit_choice choice = bandit_whole;
    if (plan->in->placement != BATCH_AUTO || (is_all && n == 1))
        choice = choose(plan, kind, load, plan->in->layers, k, n == 1);
    else if (is_all && fair > 1)
        choice = beat_sharing_out(plan, kind, load, longest_share(plan, kind, class, tokens, boards, k), fair);
    uint64_t share = share_of(plan, class, tokens, boards);
    start(plan, class, choice.boards > 1 ? together : share, &choices, choice);
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
    struct plan plan = {.in = snapshot, .actions = ret, .max = max, .free = snapshot->free};
    plan.n_free = board_set_count(&plan.free);
    plan.usable = board_set_count(&snapshot->usable);
    plan.busy = plan.usable - plan.n_free;
    for (uint32_t f = 0; f < snapshot->n_flights; f++)
        plan.flights |= 1ull << f;
    bool bulk_first = snapshot->bulk_owed;
    while (plan.n_free > 0 && plan.n < plan.max) {
        if (bulk_first && serve(&plan, BATCH_BULK)) {
            bulk_first = false;
            continue;
        }
        if (!serve(&plan, BATCH_INTERACTIVE) && !serve(&plan, BATCH_BULK))
            break;
    }
    return plan.n;
}

bool planner_was_short(const struct planner_snapshot *snapshot, uint32_t n_actions)
{
    bool window_full = false;
    for (int c = 0; c < BATCH_CLASSES; c++)
        window_full |= snapshot->queues[c].n == PLANNER_WINDOW;
    return n_actions == PLANNER_MAX_ACTIONS || (n_actions > 0 && window_full);
}

double planner_concurrency(double concurrency, uint32_t flights, bool lone)
{
    return flights > concurrency
               ? flights
               : concurrency + (flights - concurrency) / (lone ? CONCURRENCY_MEMORY_LONE : CONCURRENCY_MEMORY);
}
