/* Is auto as good as the best forced placement? Closed loops of clients on a simulated pool with a virtual clock.
 * Boards take as long as a cost model says, give or take a tenth, on machines of several kinds: with a core for each
 * board, with boards that share cores, with stalls, with a speed that changes. The planner begins with the cost model
 * of the first kind and learns as the scheduler does.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "server/batch/planner.h"

enum {
    MAX_CLIENTS = 64,
    MAX_QUEUE = 4096,
    MAX_FLIGHTS = 16,
    ROUNDS = 60,
    LEAST_ANSWERS = 1000,
    SEEDS = 2,
    FIRST_SEED = 7
};
#define BETWEEN_NS 200e3 /* from an answer to the client's next request */

struct client {
    enum batch_class class;
    uint32_t texts, tokens, most_tokens;
    double ready_ns; /* INFINITY: it waits for its answer */
    uint32_t left;   /* texts not yet computed */
    bool leaves;     /* with its next answer */
};

struct entry {
    uint32_t client, tokens;
};

struct flight {
    bool used, running;
    enum batch_class class;
    struct cost_load load;
    uint32_t layer, until, last_board, n;
    struct entry entries[PLANNER_WINDOW];
    uint64_t boards;
    double began_ns, ends_ns;
    uint32_t launched_layers;
    struct bandit_choice choice;
};

/* What a pool runs on. */
struct machine {
    const char *name;
    double barrier_ns;      /* a layer, of a split */
    double meetings_ns;     /* a layer, where boards divide its outputs; 0: they cannot */
    double parallel;        /* two boards that work on one batch are so many times as fast as one */
    uint32_t stall_percent; /* of launches: they take 2 to 5 times as long */
    double drift_ns;        /* half of the time so long it is another machine: */
    double slower, drifted_barrier_ns;
};

struct pool {
    uint64_t random;
    double now_ns;
    uint32_t layers;
    struct cost_model cost, truth;
    struct bandit bandit;
    double concurrency;
    const struct machine *machine;
    struct client clients[MAX_CLIENTS];
    uint32_t n_clients;
    struct entry queues[BATCH_CLASSES][MAX_QUEUE];
    uint32_t n_queued[BATCH_CLASSES];
    struct flight flights[MAX_FLIGHTS];
    struct planner_snapshot snapshot;
    struct planner_board loaded[64];
    uint32_t order[PLANNER_MAX_FLIGHTS]; /* the flight behind each of the snapshot's */
    uint64_t tokens_done;
    uint32_t answers, launches, whole_pool; /* launches on all boards */
    double interactive_ns, bulk_quantum_ns;
};

static uint32_t draw(struct pool *pool, uint32_t below)
{
    pool->random = pool->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(pool->random >> 33) % below;
}

static void ask(struct pool *pool, uint32_t c)
{
    struct client *client = &pool->clients[c];
    client->ready_ns = INFINITY;
    client->left = client->texts;
    for (uint32_t t = 0; t < client->texts; t++) {
        uint32_t tokens = client->tokens + draw(pool, client->most_tokens - client->tokens + 1);
        cr_assert_lt(pool->n_queued[client->class], MAX_QUEUE);
        pool->queues[client->class][pool->n_queued[client->class]++] = (struct entry){c, tokens};
    }
}

static void end_flight(struct pool *pool, struct flight *flight)
{
    flight->running = false;
    flight->layer = flight->until;
    double took_ns = flight->ends_ns - flight->began_ns;
    bandit_observe(&pool->bandit, &pool->cost, flight->load, flight->launched_layers, flight->choice, took_ns);
    if (flight->choice.boards == 1)
        cost_observe(&pool->cost, flight->load, flight->launched_layers, took_ns);
    if (flight->layer < pool->layers)
        return;
    flight->used = false;
    for (uint32_t i = 0; i < flight->n; i++) {
        struct client *client = &pool->clients[flight->entries[i].client];
        pool->tokens_done += flight->entries[i].tokens;
        if (--client->left > 0)
            continue;
        client->ready_ns = client->leaves ? INFINITY : pool->now_ns + BETWEEN_NS;
        pool->answers++;
    }
}

static void fill_snapshot(struct pool *pool)
{
    struct planner_snapshot *s = &pool->snapshot;
    s->n_flights = 0;
    s->concurrency = pool->concurrency;
    s->bulk_owed = pool->interactive_ns > 8 * pool->bulk_quantum_ns;
    s->free = s->usable;
    for (uint32_t f = 0; f < MAX_FLIGHTS; f++) {
        const struct flight *flight = &pool->flights[f];
        for (uint32_t b = 0; flight->used && flight->running && b < s->n_boards; b++)
            if (flight->boards >> b & 1)
                board_set_put(&s->free, b, false);
        if (!flight->used || flight->running)
            continue;
        pool->order[s->n_flights] = f;
        s->flights[s->n_flights++] = (struct planner_flight){
            .class = flight->class, .load = flight->load, .layer = flight->layer, .last_board = flight->last_board};
    }
    for (int c = 0; c < BATCH_CLASSES; c++) {
        s->queues[c].n = pool->n_queued[c] < PLANNER_WINDOW ? pool->n_queued[c] : PLANNER_WINDOW;
        s->queues[c].tokens = 0;
        for (uint32_t i = 0; i < pool->n_queued[c]; i++) {
            s->queues[c].tokens += pool->queues[c][i].tokens;
            if (i < s->queues[c].n)
                s->queues[c].lengths[i] = pool->queues[c][i].tokens;
        }
    }
}

static struct flight *begin_flight(struct pool *pool, const struct planner_action *action)
{
    uint32_t f = 0, n = action->n_sequences;
    while (pool->flights[f].used)
        cr_assert_lt(++f, MAX_FLIGHTS);
    struct flight *flight = &pool->flights[f];
    struct entry *queue = pool->queues[action->class];
    *flight = (struct flight){.used = true, .class = action->class, .n = n};
    memcpy(flight->entries, queue, n * sizeof *queue);
    for (uint32_t i = 0; i < n; i++)
        flight->load = cost_add(flight->load, queue[i].tokens);
    pool->n_queued[action->class] -= n;
    memmove(queue, queue + n, pool->n_queued[action->class] * sizeof *queue);
    return flight;
}

/* How many times as fast as one so many boards are together. */
static double speed_of(const struct machine *machine, uint32_t boards)
{
    return 1 + (boards - 1) * (machine->parallel - 1);
}

static uint32_t busy_boards(const struct pool *pool)
{
    uint64_t busy = 0;
    for (uint32_t f = 0; f < MAX_FLIGHTS; f++)
        if (pool->flights[f].used && pool->flights[f].running)
            busy |= pool->flights[f].boards;
    return (uint32_t)__builtin_popcountll(busy);
}

/* What a launch takes in truth; its boards count as busy. */
static double truth_ns(struct pool *pool, struct cost_load load, uint32_t layers, struct bandit_choice choice)
{
    const struct machine *machine = pool->machine;
    bool drifted = machine->drift_ns > 0 && fmod(pool->now_ns, 2 * machine->drift_ns) > machine->drift_ns;
    bool team = choice.boards > 1 && choice.placement == BATCH_TENSOR;
    double whole = cost_whole(&pool->truth, load, layers);
    /* A split divides the rows, a team the weights too. */
    double undivided = team ? cost_launch(&pool->truth, load) : cost_whole(&pool->truth, (struct cost_load){0}, layers);
    double takes = undivided + (whole - undivided) / choice.boards;
    if (team)
        takes += layers * machine->meetings_ns;
    else if (choice.boards > 1)
        takes += layers * (drifted ? machine->drifted_barrier_ns : machine->barrier_ns);
    uint32_t busy = busy_boards(pool);
    takes *= busy / speed_of(machine, busy) * (drifted ? machine->slower : 1);
    if (draw(pool, 100) < machine->stall_percent)
        takes *= 2 + draw(pool, 4);
    return takes * (0.9 + draw(pool, 200) / 1000.0);
}

static void carry_out(struct pool *pool, const struct planner_action *action)
{
    struct flight *flight = action->resume ? &pool->flights[pool->order[action->flight]] : begin_flight(pool, action);
    flight->running = true;
    flight->boards = 0;
    for (uint32_t i = 0; i < action->choice.boards; i++)
        flight->boards |= 1ull << action->boards[i];
    flight->last_board = action->boards[0];
    flight->until = flight->layer + action->layers;
    flight->choice = action->choice;
    flight->launched_layers = action->layers;
    flight->began_ns = pool->now_ns;
    pool->launches++;
    pool->whole_pool += action->choice.boards == pool->snapshot.n_boards;
    double takes = truth_ns(pool, flight->load, action->layers, action->choice);
    flight->ends_ns = pool->now_ns + takes;
    if (flight->class == BATCH_BULK) {
        pool->interactive_ns = 0;
        pool->bulk_quantum_ns = takes;
    } else if (pool->n_queued[BATCH_BULK] > 0 || pool->snapshot.n_flights > 0) {
        pool->interactive_ns += takes * action->choice.boards;
    }
}

static uint32_t flights_of(const struct pool *pool)
{
    uint32_t flights = 0;
    for (uint32_t f = 0; f < MAX_FLIGHTS; f++)
        flights += pool->flights[f].used;
    return flights;
}

static void step(struct pool *pool)
{
    double next = INFINITY;
    for (uint32_t c = 0; c < pool->n_clients; c++)
        next = fmin(next, pool->clients[c].ready_ns);
    for (uint32_t f = 0; f < MAX_FLIGHTS; f++)
        if (pool->flights[f].used && pool->flights[f].running)
            next = fmin(next, pool->flights[f].ends_ns);
    cr_assert(isfinite(next), "nothing happens any more");
    pool->now_ns = next;
    for (uint32_t f = 0; f < MAX_FLIGHTS; f++)
        if (pool->flights[f].used && pool->flights[f].running && pool->flights[f].ends_ns <= next)
            end_flight(pool, &pool->flights[f]);
    for (uint32_t c = 0; c < pool->n_clients; c++)
        if (pool->clients[c].ready_ns <= next)
            ask(pool, c);
    struct planner_action actions[PLANNER_MAX_ACTIONS];
    fill_snapshot(pool);
    bool lone = flights_of(pool) == 0 && pool->n_queued[BATCH_INTERACTIVE] + pool->n_queued[BATCH_BULK] == 1;
    uint32_t n = planner_plan(&pool->snapshot, actions, PLANNER_MAX_ACTIONS);
    bool begun = false;
    for (uint32_t i = 0; i < n; i++) {
        carry_out(pool, &actions[i]);
        begun |= !actions[i].resume;
    }
    if (begun)
        pool->concurrency = planner_concurrency(pool->concurrency, flights_of(pool), lone);
}

struct cell {
    const char *name;
    struct client groups[3];
    uint32_t counts[3];
};

struct shape {
    const char *name;
    uint32_t layers;
    struct cost_model cost;
};

static const struct shape shapes[] = {
    {"MiniLM", 6, {2000, 0, 50e3, 18e3, 20, 3000, 1}},
    {"BERT-base", 12, {2000, 0, 700e3, 70e3, 40, 3000, 1}},
};

static struct pool *open_pool(const struct cell *cell, const struct shape *shape, enum batch_placement placement,
                              uint32_t boards, const struct machine *machine)
{
    struct pool *pool = calloc(1, sizeof *pool);
    pool->layers = shape->layers;
    pool->cost = pool->truth = shape->cost;
    pool->machine = machine;
    pool->bandit.teams = machine->meetings_ns > 0;
    pool->bulk_quantum_ns = 1e6;
    struct planner_snapshot *s = &pool->snapshot;
    s->placement = placement;
    s->cost = &pool->cost;
    s->bandit = &pool->bandit;
    s->layers = shape->layers;
    s->max_tokens = 16384;
    s->max_sequences = PLANNER_WINDOW;
    s->n_boards = boards;
    bool pipeline = placement == BATCH_PIPELINE;
    s->usable = board_set_of(boards);
    s->boards = pipeline ? pool->loaded : NULL;
    for (uint32_t b = 0; b < boards; b++) {
        board_set_put(&s->usable, b, true);
        if (pipeline)
            pool->loaded[b] = (struct planner_board){shape->layers * b / boards, shape->layers * (b + 1) / boards};
    }
    for (int g = 0; g < 3; g++)
        for (uint32_t i = 0; i < cell->counts[g]; i++)
            pool->clients[pool->n_clients++] = cell->groups[g];
    return pool;
}

/* Tokens a second, once the scheduler has seen something; the mean of several runs, since loops fall into step by
 * chance. */
static double rate(const struct cell *cell, const struct shape *shape, enum batch_placement placement, uint32_t boards,
                   const struct machine *machine)
{
    double sum = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct pool *pool = open_pool(cell, shape, placement, boards, machine);
        pool->random = FIRST_SEED * seed;
        uint32_t answers = ROUNDS * pool->n_clients > LEAST_ANSWERS ? ROUNDS * pool->n_clients : LEAST_ANSWERS;
        while (pool->answers < answers / 4)
            step(pool);
        double from_ns = pool->now_ns;
        uint64_t before = pool->tokens_done;
        while (pool->answers < answers || pool->now_ns < from_ns + 4 * machine->drift_ns)
            step(pool);
        sum += (double)(pool->tokens_done - before) / (pool->now_ns - from_ns) * 1e9;
        free(pool);
    }
    return sum / SEEDS;
}

static const struct cell cells[] = {
    {"lone 8", {{.texts = 1, .tokens = 8, .most_tokens = 8}}, {1}},
    {"lone 32", {{.texts = 1, .tokens = 32, .most_tokens = 32}}, {1}},
    {"lone 128", {{.texts = 1, .tokens = 128, .most_tokens = 128}}, {1}},
    {"lone 512", {{.texts = 1, .tokens = 512, .most_tokens = 512}}, {1}},
    {"loop 4", {{.texts = 1, .tokens = 16, .most_tokens = 64}}, {4}},
    {"loop 16", {{.texts = 1, .tokens = 16, .most_tokens = 64}}, {16}},
    {"loop 64", {{.texts = 1, .tokens = 16, .most_tokens = 64}}, {64}},
    {"mixed",
     {{.texts = 1, .tokens = 8, .most_tokens = 64},
      {.class = BATCH_BULK, .texts = 32, .tokens = 16, .most_tokens = 128},
      {.texts = 1, .tokens = 256, .most_tokens = 512}},
     {8, 2, 1}},
};

static const struct machine machines[] = {
    {.name = "a core a board", .barrier_ns = 3e3, .parallel = 2},
    {.name = "a core a board, teams", .barrier_ns = 3e3, .meetings_ns = 2e4, .parallel = 2},
    {.name = "shared cores, teams", .barrier_ns = 3e5, .meetings_ns = 3e6, .parallel = 2},
    {.name = "teams at best", .barrier_ns = 3e5, .meetings_ns = 5e3, .parallel = 1.7, .stall_percent = 5},
    {.name = "shared cores", .barrier_ns = 3e6, .parallel = 2},
    {.name = "threads of a core", .barrier_ns = 2e5, .parallel = 1.4},
    {.name = "threads of a core, hardly worth it", .barrier_ns = 5e4, .parallel = 1.15},
    {.name = "stalls", .barrier_ns = 1e5, .parallel = 1.7, .stall_percent = 15},
    {.name = "stalls, shared cores", .barrier_ns = 2e6, .parallel = 1.5, .stall_percent = 15},
    {.name = "slower at times",
     .barrier_ns = 1e5,
     .parallel = 1.8,
     .drift_ns = 3e9,
     .slower = 1.5,
     .drifted_barrier_ns = 1e5},
    {.name = "neighbours at times",
     .barrier_ns = 1e5,
     .parallel = 1.8,
     .drift_ns = 1e10,
     .slower = 1.2,
     .drifted_barrier_ns = 3e6,
     .stall_percent = 5},
};

static void compare(const struct cell *cell, const struct shape *shape, uint32_t boards, const struct machine *machine)
{
    static const enum batch_placement forced[] = {BATCH_REPLICATE, BATCH_SPLIT, BATCH_PIPELINE, BATCH_TENSOR};
    /* Auto does not keep boards waiting until texts of several clients have gathered for a team. */
    bool team = machine->meetings_ns > 0 && cell->counts[0] == 1;
    double best = 0, ours = rate(cell, shape, BATCH_AUTO, boards, machine);
    for (int p = 0; p < (team ? 4 : 3); p++)
        best = fmax(best, rate(cell, shape, forced[p], boards, machine));
    cr_expect_geq(ours, 0.9 * best, "%s, %u boards, %s, %s: auto %.0f tokens/s, forced %.0f", shape->name, boards,
                  machine->name, cell->name, ours, best);
}

Test(placement, auto_is_within_a_tenth_of_the_best_forced_one)
{
    for (size_t k = 0; k < sizeof machines / sizeof *machines; k++)
        for (size_t m = 0; m < sizeof shapes / sizeof *shapes; m++)
            for (uint32_t boards = 1; boards <= 4; boards++)
                for (size_t c = 0; c < sizeof cells / sizeof *cells; c++)
                    compare(&cells[c], &shapes[m], boards, &machines[k]);
}

/* All clients but the first have gone, and what they asked for last is done. */
static void disperse(struct pool *pool)
{
    uint32_t left = 0;
    for (uint32_t c = 1; c < pool->n_clients; c++) {
        pool->clients[c].leaves = true;
        if (isfinite(pool->clients[c].ready_ns))
            pool->clients[c].ready_ns = INFINITY;
        left += pool->clients[c].left;
    }
    while (left > 0) {
        step(pool);
        left = 0;
        for (uint32_t c = 1; c < pool->n_clients; c++)
            left += pool->clients[c].left;
    }
}

Test(placement, who_is_left_alone_soon_has_the_whole_pool)
{
    enum { PLANS = 20, BEFORE = 4 };
    for (size_t c = 0; c < sizeof cells / sizeof *cells; c++) {
        for (uint32_t boards = 2; boards <= 4; boards++) {
            struct pool *pool = open_pool(&cells[c], &shapes[1], BATCH_AUTO, boards, &machines[0]);
            pool->random = FIRST_SEED;
            while (pool->answers < LEAST_ANSWERS)
                step(pool);
            disperse(pool);
            uint32_t launches = pool->launches, whole_pool = pool->whole_pool;
            while (pool->launches < launches + PLANS)
                step(pool);
            cr_expect_geq(pool->whole_pool - whole_pool, PLANS - BEFORE, "%s, %u boards: %u of %d", cells[c].name,
                          boards, pool->whole_pool - whole_pool, PLANS);
            free(pool);
        }
    }
}
