/* The planner in a simulated pool: a virtual clock, random loads, thousands of rounds.
 *
 * What must hold in every round: each sequence is computed exactly once and in order within its class, no board does
 * two things at once, interactive work waits for no more than a bulk layer a board, bulk work is not starved.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/batch/planner.h"

enum { LAYERS = 6, MAX_TEXTS = 600, MAX_FLIGHTS = 128 };

struct text {
    enum batch_class class;
    uint32_t tokens;
    double arrives, begins, ends;
    int computed;
};

struct sim_flight {
    bool used, running;
    enum batch_class class;
    struct cost_load load;
    uint32_t layer, until, last_board;
    uint32_t texts[PLANNER_WINDOW], n_texts;
    double ends;
    uint64_t boards;
    double begun;
};

struct sim {
    uint64_t random;
    double now;
    struct cost_model cost;
    struct bandit bandit;
    enum batch_placement placement;
    uint32_t n_boards;
    struct text texts[MAX_TEXTS];
    uint32_t n_texts, arrived;
    uint32_t waiting[BATCH_CLASSES][MAX_TEXTS], n_waiting[BATCH_CLASSES];
    struct sim_flight flights[MAX_FLIGHTS];
    struct planner_snapshot snapshot;
    double interactive_ns, longest_bulk_layer;
};

static uint32_t next_random(struct sim *sim, uint32_t below)
{
    sim->random = sim->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((sim->random >> 33) % below);
}

static void make_texts(struct sim *sim)
{
    double at = 0, gap = 1e5 * (1 + next_random(sim, 40));
    uint32_t bulk_share = next_random(sim, 100);
    for (uint32_t i = 0; i < sim->n_texts; i++) {
        struct text *text = &sim->texts[i];
        uint32_t kind = next_random(sim, 10);
        *text = (struct text){.class = next_random(sim, 100) < bulk_share ? BATCH_BULK : BATCH_INTERACTIVE,
                              .tokens = kind < 7 ? 3 + next_random(sim, 60) : 3 + next_random(sim, 510),
                              .arrives = at};
        if (next_random(sim, 4) == 0)
            at += gap * next_random(sim, 8);
    }
}

static bool board_in_pipeline(const struct sim *sim)
{
    return sim->placement == BATCH_PIPELINE && sim->n_boards <= LAYERS;
}

/* Snapshot of the simulated scheduler; `order` gives the flight behind each entry. */
static void take_snapshot(struct sim *sim, uint32_t *order)
{
    struct planner_snapshot *s = &sim->snapshot;
    memset(s, 0, sizeof *s);
    s->placement = sim->placement;
    s->cost = &sim->cost;
    s->bandit = &sim->bandit;
    s->layers = LAYERS;
    s->max_tokens = 4096;
    s->max_sequences = 64;
    s->n_boards = sim->n_boards;
    s->bulk_owed = sim->interactive_ns > 8 * sim->longest_bulk_layer;
    for (uint32_t b = 0; b < sim->n_boards; b++) {
        bool pipeline = board_in_pipeline(sim);
        s->boards[b] = (struct planner_board){.usable = true,
                                              .free = true,
                                              .layer_begin = pipeline ? LAYERS * b / sim->n_boards : 0,
                                              .layer_end = pipeline ? LAYERS * (b + 1) / sim->n_boards : LAYERS};
    }
    for (uint32_t f = 0; f < MAX_FLIGHTS; f++) {
        const struct sim_flight *flight = &sim->flights[f];
        for (uint32_t b = 0; flight->used && flight->running && b < sim->n_boards; b++)
            if (flight->boards >> b & 1)
                s->boards[b].free = false;
        if (flight->used && !flight->running) {
            cr_assert_lt(s->n_flights, PLANNER_MAX_BOARDS, "suspended flights are bounded");
            order[s->n_flights] = f;
            s->flights[s->n_flights++] = (struct planner_flight){
                .class = flight->class, .load = flight->load, .layer = flight->layer, .last_board = flight->last_board};
        }
    }
    for (int c = 0; c < BATCH_CLASSES; c++)
        for (uint32_t i = 0; i < sim->n_waiting[c]; i++) {
            uint32_t tokens = sim->texts[sim->waiting[c][i]].tokens;
            if (i < PLANNER_WINDOW)
                s->queues[c].lengths[s->queues[c].n++] = tokens;
            s->queues[c].tokens += tokens;
        }
}

static struct sim_flight *new_flight(struct sim *sim, const struct planner_action *action)
{
    uint32_t f = 0;
    while (f < MAX_FLIGHTS && sim->flights[f].used)
        f++;
    cr_assert_lt(f, MAX_FLIGHTS, "flights are bounded");
    struct sim_flight *flight = &sim->flights[f];
    *flight = (struct sim_flight){.used = true, .class = action->class, .begun = sim->now};
    cr_assert_gt(action->n_sequences, 0);
    cr_assert_leq(action->n_sequences, sim->n_waiting[action->class]);
    for (uint32_t i = 0; i < action->n_sequences; i++) {
        uint32_t t = sim->waiting[action->class][i];
        flight->texts[flight->n_texts++] = t;
        flight->load = cost_add(flight->load, sim->texts[t].tokens);
        sim->texts[t].begins = sim->now;
    }
    cr_assert(flight->n_texts == 1 || flight->load.rows <= 4096, "within the token limit");
    sim->n_waiting[action->class] -= action->n_sequences;
    memmove(sim->waiting[action->class], sim->waiting[action->class] + action->n_sequences,
            sim->n_waiting[action->class] * sizeof(uint32_t));
    return flight;
}

static void carry_out(struct sim *sim, const struct planner_action *action, const uint32_t *order)
{
    struct sim_flight *flight = action->resume ? &sim->flights[order[action->flight]] : new_flight(sim, action);
    cr_assert(flight->used && !flight->running, "a flight is in one place");
    cr_assert_gt(action->layers, 0);
    uint64_t boards = 0;
    for (uint32_t i = 0; i < action->choice.boards; i++) {
        uint32_t b = action->boards[i];
        cr_assert(sim->snapshot.boards[b].free, "a board does one thing");
        cr_assert(flight->layer >= sim->snapshot.boards[b].layer_begin &&
                  flight->layer + action->layers <= sim->snapshot.boards[b].layer_end);
        sim->snapshot.boards[b].free = false;
        boards |= 1ull << b;
    }
    double predicted = cost_split(&sim->cost, flight->load, action->layers, action->choice.boards);
    flight->running = true;
    flight->boards = boards;
    flight->last_board = action->boards[0];
    flight->until = flight->layer + action->layers;
    flight->ends = sim->now + predicted * (0.8 + next_random(sim, 400) / 1000.0);
    if (flight->class == BATCH_BULK) {
        sim->interactive_ns = 0;
        sim->longest_bulk_layer = fmax(sim->longest_bulk_layer, predicted);
    } else if (sim->n_waiting[BATCH_BULK] > 0 || sim->snapshot.n_flights > 0) {
        sim->interactive_ns += predicted * action->choice.boards;
    }
}

static void end_launches(struct sim *sim)
{
    for (uint32_t f = 0; f < MAX_FLIGHTS; f++) {
        struct sim_flight *flight = &sim->flights[f];
        if (!flight->used || !flight->running || flight->ends > sim->now)
            continue;
        flight->running = false;
        flight->layer = flight->until;
        if (flight->layer < LAYERS)
            continue;
        for (uint32_t i = 0; i < flight->n_texts; i++) {
            sim->texts[flight->texts[i]].computed++;
            sim->texts[flight->texts[i]].ends = sim->now;
        }
        flight->used = false;
    }
}

static double next_event(const struct sim *sim)
{
    double at = sim->arrived < sim->n_texts ? sim->texts[sim->arrived].arrives : INFINITY;
    for (uint32_t f = 0; f < MAX_FLIGHTS; f++)
        if (sim->flights[f].used && sim->flights[f].running)
            at = fmin(at, sim->flights[f].ends);
    return at;
}

static void run(struct sim *sim)
{
    for (;;) {
        double at = next_event(sim);
        if (isinf(at))
            break;
        sim->now = at;
        end_launches(sim);
        while (sim->arrived < sim->n_texts && sim->texts[sim->arrived].arrives <= sim->now) {
            enum batch_class class = sim->texts[sim->arrived].class;
            sim->waiting[class][sim->n_waiting[class]++] = sim->arrived++;
        }
        uint32_t order[PLANNER_MAX_BOARDS];
        struct planner_action actions[PLANNER_MAX_BOARDS];
        take_snapshot(sim, order);
        uint32_t n = planner_plan(&sim->snapshot, actions, PLANNER_MAX_BOARDS);
        for (uint32_t i = 0; i < n; i++)
            carry_out(sim, &actions[i], order);
    }
}

static struct sim *make_sim(uint64_t seed, enum batch_placement placement, uint32_t n_boards)
{
    struct sim *sim = calloc(1, sizeof *sim);
    sim->random = seed * 2654435761u + 1;
    sim->placement = placement;
    sim->n_boards = n_boards;
    cost_init(&sim->cost);
    sim->n_texts = 20 + next_random(sim, MAX_TEXTS - 20);
    make_texts(sim);
    return sim;
}

static void check_all_computed_once(const struct sim *sim)
{
    for (uint32_t i = 0; i < sim->n_texts; i++)
        cr_assert_eq(sim->texts[i].computed, 1, "text %u was computed %d times", i, sim->texts[i].computed);
}

Test(planner, thousands_of_random_loads)
{
    for (uint64_t seed = 0; seed < 2000; seed++) {
        struct sim *sim = make_sim(seed, (enum batch_placement)(seed % 4), 1 + (uint32_t)(seed / 4 % 6));
        run(sim);
        check_all_computed_once(sim);
        free(sim);
    }
}

/* Bulk keeps every board busy; a short interactive text comes now and then. */
Test(planner, interactive_waits_for_a_bulk_layer_at_most)
{
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct sim *sim = make_sim(seed, seed % 2 ? BATCH_AUTO : BATCH_REPLICATE, 1 + (uint32_t)(seed % 4));
        double at = 0;
        for (uint32_t i = 0; i < sim->n_texts; i++) {
            bool interactive = i % 8 == 7;
            sim->texts[i] = (struct text){
                .class = interactive ? BATCH_INTERACTIVE : BATCH_BULK, .tokens = interactive ? 12 : 128, .arrives = at};
            if (interactive)
                at += 2e7 / sim->n_boards;
        }
        run(sim);
        check_all_computed_once(sim);
        double alone = cost_whole(&sim->cost, (struct cost_load){12, 144}, LAYERS);
        for (uint32_t i = 0; i < sim->n_texts; i++)
            if (sim->texts[i].class == BATCH_INTERACTIVE)
                cr_assert_leq(sim->texts[i].ends - sim->texts[i].arrives, 1.2 * (alone + 2 * sim->longest_bulk_layer),
                              "seed %lu text %u", (unsigned long)seed, i);
        free(sim);
    }
}

/* More interactive work than the pool can do: bulk still gets its ninth part. */
Test(planner, bulk_is_not_starved)
{
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct sim *sim = make_sim(seed, BATCH_AUTO, 1 + (uint32_t)(seed % 3));
        sim->n_texts = MAX_TEXTS;
        for (uint32_t i = 0; i < sim->n_texts; i++)
            sim->texts[i] = (struct text){.class = i < 4 ? BATCH_BULK : BATCH_INTERACTIVE, .tokens = 100, .arrives = 0};
        run(sim);
        check_all_computed_once(sim);
        double bulk = 0, all = 0;
        for (uint32_t i = 0; i < sim->n_texts; i++) {
            all = fmax(all, sim->texts[i].ends);
            if (sim->texts[i].class == BATCH_BULK)
                bulk = fmax(bulk, sim->texts[i].ends);
        }
        cr_assert_lt(bulk, 0.5 * all, "seed %lu: bulk ended at %.0f of %.0f", (unsigned long)seed, bulk, all);
        free(sim);
    }
}

static const struct bandit nothing_known;

static uint32_t plan_one(uint32_t n_boards, uint32_t n_texts, uint32_t tokens, enum batch_placement placement,
                         struct planner_action *actions)
{
    static struct planner_snapshot s;
    static struct cost_model cost;
    memset(&s, 0, sizeof s);
    cost_init(&cost);
    s.placement = placement;
    s.cost = &cost;
    s.bandit = &nothing_known;
    s.layers = LAYERS;
    s.max_tokens = 16384;
    s.max_sequences = 256;
    s.n_boards = n_boards;
    for (uint32_t b = 0; b < n_boards; b++)
        s.boards[b] = (struct planner_board){.usable = true, .free = true, .layer_end = LAYERS};
    for (uint32_t i = 0; i < n_texts; i++)
        s.queues[0].lengths[s.queues[0].n++] = tokens;
    s.queues[0].tokens = (uint64_t)n_texts * tokens;
    return planner_plan(&s, actions, PLANNER_MAX_BOARDS);
}

/* Boards that a lone text gets of a pool of 8, `busy` of which work, where of late `concurrency` batches were in
 * flight. */
static uint32_t share_of_eight(uint32_t busy, double concurrency, enum batch_placement placement)
{
    struct planner_snapshot *s = calloc(1, sizeof *s);
    struct planner_action action;
    struct cost_model cost;
    cost_init(&cost);
    *s = (struct planner_snapshot){.cost = &cost,
                                   .bandit = &nothing_known,
                                   .placement = placement,
                                   .layers = LAYERS,
                                   .max_tokens = 1000,
                                   .max_sequences = 10,
                                   .n_boards = 8,
                                   .concurrency = concurrency,
                                   .queues = {{.lengths = {400}, .n = 1, .tokens = 400}}};
    for (uint32_t b = 0; b < 8; b++)
        s->boards[b] = (struct planner_board){.usable = true, .free = b >= busy, .layer_end = LAYERS};
    cr_assert_eq(planner_plan(s, &action, 1), 1);
    free(s);
    return action.choice.boards;
}

Test(planner, a_lone_text_leaves_the_others_their_fair_share)
{
    cr_expect_eq(share_of_eight(0, 1, BATCH_AUTO), 8);
    cr_expect_eq(share_of_eight(1, 1, BATCH_AUTO), 4);
    cr_expect_eq(share_of_eight(3, 1, BATCH_AUTO), 2);
    cr_expect_eq(share_of_eight(4, 1, BATCH_AUTO), 1);
    cr_expect_eq(share_of_eight(0, 2.2, BATCH_AUTO), 4);
    cr_expect_eq(share_of_eight(0, 16, BATCH_AUTO), 1);
    cr_expect_eq(share_of_eight(3, 8, BATCH_SPLIT), 5, "forced is forced");
}

/* After 16 batches in flight at once, batches begun alone until a lone text gets all of 8 boards. */
static uint32_t plans_until_all_eight(bool lone)
{
    uint32_t n = 0;
    double concurrency = planner_concurrency(1, 16, false);
    cr_expect_eq(concurrency, 16, "it rises at once");
    for (; n < 100 && share_of_eight(0, concurrency, BATCH_AUTO) < 8; n++)
        concurrency = planner_concurrency(concurrency, 1, lone);
    return n;
}

Test(planner, the_concurrency_estimate_falls_slowly_but_for_lone_texts_that_find_the_pool_idle)
{
    uint32_t slowly = plans_until_all_eight(false), soon = plans_until_all_eight(true);
    cr_expect(slowly >= 16 && slowly <= 40, "%u", slowly);
    cr_expect_leq(soon, 5);
    cr_expect_eq(share_of_eight(0, planner_concurrency(2, 1, true), BATCH_AUTO), 4, "one lone text is not enough");
}

Test(planner, a_lone_long_text_is_split_and_a_tiny_one_is_not)
{
    struct planner_action actions[PLANNER_MAX_BOARDS];
    cr_assert_eq(plan_one(2, 1, 128, BATCH_AUTO, actions), 1);
    cr_assert_eq(actions[0].choice.boards, 2);
    cr_assert_eq(actions[0].layers, LAYERS, "interactive work runs to its end");
    cr_assert_eq(plan_one(2, 1, 1, BATCH_AUTO, actions), 1);
    cr_assert_eq(actions[0].choice.boards, 1, "one row cannot be split");
    cr_assert_eq(plan_one(2, 1, 128, BATCH_REPLICATE, actions), 1);
    cr_assert_eq(actions[0].choice.boards, 1);
}

Test(planner, equal_texts_are_shared_out_whole)
{
    struct planner_action actions[PLANNER_MAX_BOARDS];
    cr_assert_eq(plan_one(2, 32, 16, BATCH_AUTO, actions), 2);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(actions[i].choice.boards, 1);
        cr_assert_eq(actions[i].n_sequences, 16);
    }
    cr_assert_eq(plan_one(2, 3, 150, BATCH_AUTO, actions), 1, "three of a kind on two boards are split");
    cr_assert_eq(actions[0].n_sequences, 3);
    cr_assert_eq(actions[0].choice.boards, 2);
}

Test(planner, bulk_goes_in_smaller_batches_while_interactive_requests_come)
{
    struct planner_snapshot *s = calloc(1, sizeof *s);
    struct planner_action action;
    struct cost_model cost;
    cost_init(&cost);
    *s = (struct planner_snapshot){
        .cost = &cost, .bandit = &nothing_known, .layers = 2, .max_tokens = 16384, .max_sequences = 256, .n_boards = 1};
    s->boards[0] = (struct planner_board){.usable = true, .free = true, .layer_end = 2};
    s->queues[BATCH_BULK].n = 100;
    s->queues[BATCH_BULK].tokens = 6400;
    for (int i = 0; i < 100; i++)
        s->queues[BATCH_BULK].lengths[i] = 64;
    cr_assert_eq(planner_plan(s, &action, 1), 1);
    cr_expect_eq(action.n_sequences, 32);
    s->interactive_lately = true;
    cr_assert_eq(planner_plan(s, &action, 1), 1);
    cr_expect_eq(action.n_sequences, 16);
    free(s);
}

Test(planner, no_batch_is_larger_than_the_limit_beside_busy_boards)
{
    struct planner_snapshot *s = calloc(1, sizeof *s);
    struct planner_action action;
    struct cost_model cost;
    cost_init(&cost);
    *s = (struct planner_snapshot){
        .cost = &cost, .bandit = &nothing_known, .layers = 2, .max_tokens = 32, .max_sequences = 64, .n_boards = 2};
    s->boards[0] = (struct planner_board){.usable = true, .free = false, .layer_end = 2};
    s->boards[1] = (struct planner_board){.usable = true, .free = true, .layer_end = 2};
    for (int c = 0; c < BATCH_CLASSES; c++) {
        s->queues[c].n = 20;
        s->queues[c].tokens = 160;
        for (int i = 0; i < 20; i++)
            s->queues[c].lengths[i] = 8;
        cr_assert_eq(planner_plan(s, &action, 1), 1);
        cr_expect_eq(action.n_sequences, 4);
        s->queues[c] = (struct planner_queue){0};
    }
    free(s);
}

Test(planner, boards_out_of_service_get_nothing)
{
    struct planner_action actions[PLANNER_MAX_BOARDS];
    struct planner_snapshot *s = calloc(1, sizeof *s);
    struct cost_model cost;
    cost_init(&cost);
    *s = (struct planner_snapshot){
        .cost = &cost, .bandit = &nothing_known, .layers = 2, .max_tokens = 100, .max_sequences = 10, .n_boards = 2};
    s->boards[0] = (struct planner_board){.usable = false, .free = true, .layer_end = 2};
    s->boards[1] = (struct planner_board){.usable = true, .free = true, .layer_end = 2};
    s->n_flights = 1;
    s->flights[0] = (struct planner_flight){.load = {10, 100}, .avoid = 2};
    cr_assert_eq(planner_plan(s, actions, 8), 1, "a board to avoid is better than none");
    cr_assert_eq(actions[0].boards[0], 1);
    s->boards[0].usable = true;
    cr_assert_eq(planner_plan(s, actions, 8), 1);
    cr_assert_eq(actions[0].choice.boards, 1);
    cr_assert_eq(actions[0].boards[0], 0, "the other board is there: avoid the one that failed it");
    free(s);
}
