/* The planner in a simulated pool: a virtual clock, random loads. */
#ifndef TESTS_BATCH_PLANNER_SIM_H
#define TESTS_BATCH_PLANNER_SIM_H

#include <criterion/criterion.h>
#include <math.h>
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
    struct board_set boards;
    double begun;
};

struct sim {
    uint64_t random;
    double now;
    struct cost_model cost;
    struct bandit bandit;
    uint32_t n_kinds; /* 0: all boards are alike, as `cost` says; else what follows counts */
    struct cost_model costs[PLANNER_MAX_KINDS];
    struct bandit bandits[PLANNER_MAX_KINDS];
    uint8_t kinds[64]; /* [n_boards] */
    enum batch_placement placement;
    uint32_t n_boards;
    uint32_t stride; /* 0: all boards are in service; else the last of each so many */
    struct text texts[MAX_TEXTS];
    uint32_t n_texts, arrived;
    uint32_t waiting[BATCH_CLASSES][MAX_TEXTS], n_waiting[BATCH_CLASSES];
    struct sim_flight flights[MAX_FLIGHTS];
    struct planner_snapshot snapshot;
    struct planner_board loaded[LAYERS]; /* of a pipeline */
    double concurrency, interactive_ns, bulk_quantum, longest_bulk_layer;
    double noise;        /* launches take as long as predicted, give or take so much of it */
    uint32_t max_tokens; /* in a batch */
    uint64_t decisions;  /* FNV-1a of all actions */
};

static inline uint32_t next_random(struct sim *sim, uint32_t below)
{
    sim->random = sim->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((sim->random >> 33) % below);
}

static inline void make_texts(struct sim *sim)
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

static inline bool board_in_pipeline(const struct sim *sim)
{
    return sim->placement == BATCH_PIPELINE && sim->n_boards <= LAYERS;
}

/* Snapshot of the simulated scheduler; `order` gives the flight behind each entry. */
static inline void take_snapshot(struct sim *sim, uint32_t *order)
{
    struct planner_snapshot *s = &sim->snapshot;
    memset(s, 0, sizeof *s);
    s->placement = sim->placement;
    s->cost = sim->n_kinds ? sim->costs : &sim->cost;
    s->bandit = sim->n_kinds ? sim->bandits : &sim->bandit;
    s->kinds = sim->n_kinds ? sim->kinds : NULL;
    s->layers = LAYERS;
    s->max_tokens = sim->max_tokens;
    s->max_sequences = 64;
    s->n_boards = sim->n_boards;
    s->concurrency = sim->concurrency;
    s->bulk_owed = sim->interactive_ns > 8 * sim->bulk_quantum;
    s->boards = board_in_pipeline(sim) ? sim->loaded : NULL;
    s->usable = board_set_of(sim->n_boards);
    for (uint32_t b = 0; b < sim->n_boards; b++) {
        board_set_put(&s->usable, b, sim->stride == 0 || b % sim->stride == sim->stride - 1);
        if (s->boards)
            sim->loaded[b] = (struct planner_board){LAYERS * b / sim->n_boards, LAYERS * (b + 1) / sim->n_boards};
    }
    s->free = s->usable;
    for (uint32_t f = 0; f < MAX_FLIGHTS; f++) {
        const struct sim_flight *flight = &sim->flights[f];
        for (uint32_t b = 0; flight->used && flight->running && b < sim->n_boards; b++)
            if (board_set_has(&flight->boards, b))
                board_set_put(&s->free, b, false);
        if (flight->used && !flight->running) {
            cr_assert_lt(s->n_flights, PLANNER_MAX_FLIGHTS, "suspended flights are bounded");
            uint32_t at = s->n_flights++;
            for (; at > 0 && sim->flights[order[at - 1]].begun > flight->begun; at--)
                order[at] = order[at - 1];
            order[at] = f;
        }
    }
    for (uint32_t i = 0; i < s->n_flights; i++) {
        const struct sim_flight *flight = &sim->flights[order[i]];
        s->flights[i] = (struct planner_flight){
            .class = flight->class, .load = flight->load, .layer = flight->layer, .last_board = flight->last_board};
    }
    for (int c = 0; c < BATCH_CLASSES; c++)
        for (uint32_t i = 0; i < sim->n_waiting[c]; i++) {
            uint32_t tokens = sim->texts[sim->waiting[c][i]].tokens;
            if (i < PLANNER_WINDOW)
                s->queues[c].lengths[s->queues[c].n++] = tokens;
            s->queues[c].tokens += tokens;
        }
}

static inline struct sim_flight *new_flight(struct sim *sim, const struct planner_action *action)
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
    cr_assert(flight->n_texts == 1 || flight->load.rows <= sim->max_tokens, "within the token limit");
    sim->n_waiting[action->class] -= action->n_sequences;
    memmove(sim->waiting[action->class], sim->waiting[action->class] + action->n_sequences,
            sim->n_waiting[action->class] * sizeof(uint32_t));
    return flight;
}

static inline bool any_suspended(const struct sim *sim)
{
    for (uint32_t f = 0; f < MAX_FLIGHTS; f++)
        if (sim->flights[f].used && !sim->flights[f].running)
            return true;
    return false;
}

static inline void note(struct sim *sim, uint32_t value)
{
    sim->decisions = (sim->decisions ^ value) * 0x100000001b3u;
}

static inline void note_action(struct sim *sim, const struct planner_action *action)
{
    note(sim, action->resume ? 1 + action->flight : 0);
    note(sim, action->class);
    note(sim, action->n_sequences);
    note(sim, action->layers);
    note(sim, action->choice.placement);
    for (uint32_t i = 0; i < action->choice.boards; i++)
        note(sim, sim->stride ? action->boards[i] / sim->stride : action->boards[i]);
}

static inline void carry_out(struct sim *sim, const struct planner_action *action, const uint32_t *order)
{
    struct sim_flight *flight = action->resume ? &sim->flights[order[action->flight]] : new_flight(sim, action);
    cr_assert(flight->used && !flight->running, "a flight is in one place");
    cr_assert_gt(action->layers, 0);
    struct board_set boards = board_set_of(sim->n_boards);
    for (uint32_t i = 0; i < action->choice.boards; i++) {
        uint32_t b = action->boards[i];
        struct planner_board loaded = sim->snapshot.boards ? sim->loaded[b] : (struct planner_board){0, LAYERS};
        cr_assert(board_set_has(&sim->snapshot.free, b), "a board does one thing");
        cr_assert(flight->layer >= loaded.layer_begin && flight->layer + action->layers <= loaded.layer_end);
        board_set_put(&sim->snapshot.free, b, false);
        board_set_put(&boards, b, true);
    }
    const struct cost_model *cost = sim->n_kinds ? &sim->costs[sim->kinds[action->boards[0]]] : &sim->cost;
    for (uint32_t i = 1; i < action->choice.boards && sim->n_kinds && sim->placement != BATCH_SPLIT; i++)
        cr_assert_eq(sim->kinds[action->boards[i]], sim->kinds[action->boards[0]], "it is split over one kind");
    const struct bandit_choice choice = action->choice;
    const struct bandit *bandit = sim->n_kinds ? &sim->bandits[sim->kinds[action->boards[0]]] : &sim->bandit;
    cr_assert(choice.placement != BATCH_TENSOR || bandit->teams, "boards that make no team are not asked to");
    double predicted =
        (choice.placement == BATCH_TENSOR ? cost_team : cost_split)(cost, flight->load, action->layers, choice.boards);
    flight->running = true;
    flight->boards = boards;
    flight->last_board = action->boards[0];
    flight->until = flight->layer + action->layers;
    flight->ends = sim->now + predicted * (1 - sim->noise + sim->noise * next_random(sim, 2000) / 1000.0);
    if (flight->class == BATCH_BULK) {
        sim->interactive_ns = 0;
        sim->bulk_quantum = predicted;
        sim->longest_bulk_layer = fmax(sim->longest_bulk_layer, predicted);
    } else if (sim->n_waiting[BATCH_BULK] > 0 || any_suspended(sim)) {
        sim->interactive_ns += predicted * action->choice.boards;
    }
}

static inline void end_launches(struct sim *sim)
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

static inline double next_event(const struct sim *sim)
{
    double at = sim->arrived < sim->n_texts ? sim->texts[sim->arrived].arrives : INFINITY;
    for (uint32_t f = 0; f < MAX_FLIGHTS; f++)
        if (sim->flights[f].used && sim->flights[f].running)
            at = fmin(at, sim->flights[f].ends);
    return at;
}

static inline uint32_t flights_of(const struct sim *sim)
{
    uint32_t n = 0;
    for (uint32_t f = 0; f < MAX_FLIGHTS; f++)
        n += sim->flights[f].used;
    return n;
}

/* True where another plan is to follow. */
static inline bool carry_out_plan(struct sim *sim)
{
    uint32_t order[PLANNER_MAX_FLIGHTS];
    struct planner_action actions[PLANNER_MAX_ACTIONS];
    take_snapshot(sim, order);
    bool begun = false, lone = flights_of(sim) == 0 && sim->n_waiting[0] + sim->n_waiting[1] == 1;
    uint32_t n = planner_plan(&sim->snapshot, actions, PLANNER_MAX_ACTIONS);
    for (uint32_t i = 0; i < n; i++) {
        note_action(sim, &actions[i]);
        carry_out(sim, &actions[i], order);
        begun |= !actions[i].resume;
    }
    if (begun)
        sim->concurrency = planner_concurrency(sim->concurrency, flights_of(sim), lone);
    return planner_was_short(&sim->snapshot, n);
}

/* What happens until `until`. */
static inline void run_until(struct sim *sim, double until)
{
    for (;;) {
        double at = next_event(sim);
        if (isinf(at) || at > until)
            break;
        sim->now = at;
        end_launches(sim);
        while (sim->arrived < sim->n_texts && sim->texts[sim->arrived].arrives <= sim->now) {
            enum batch_class class = sim->texts[sim->arrived].class;
            sim->waiting[class][sim->n_waiting[class]++] = sim->arrived++;
        }
        while (carry_out_plan(sim))
            ;
    }
}

static inline void run(struct sim *sim)
{
    run_until(sim, INFINITY);
}

static inline struct sim *make_sim(uint64_t seed, enum batch_placement placement, uint32_t n_boards)
{
    struct sim *sim = calloc(1, sizeof *sim);
    sim->random = seed * 2654435761u + 1;
    sim->placement = placement;
    sim->n_boards = n_boards;
    sim->bandit.teams = seed % 2 == 1;
    sim->noise = 0.2;
    sim->max_tokens = 4096;
    cost_init(&sim->cost);
    sim->n_texts = 20 + next_random(sim, MAX_TEXTS - 20);
    make_texts(sim);
    return sim;
}

#endif
