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

#include "tests/batch/planner_sim.h"

static void check_all_computed_once(const struct sim *sim)
{
    for (uint32_t i = 0; i < sim->n_texts; i++)
        cr_assert_eq(sim->texts[i].computed, 1, "text %u was computed %d times", i, sim->texts[i].computed);
}

Test(planner, thousands_of_random_loads)
{
    for (uint64_t seed = 0; seed < 2000; seed++) {
        struct sim *sim = make_sim(seed, (enum batch_placement)(seed % BATCH_PLACEMENTS),
                                   1 + (uint32_t)(seed / BATCH_PLACEMENTS % 6));
        run(sim);
        check_all_computed_once(sim);
        free(sim);
    }
}

/* Whoever changes what the planner decides changes this number; whoever only changes how, does not. */
Test(planner, decides_as_it_did)
{
    uint64_t decisions = 0xcbf29ce484222325u;
    for (uint64_t seed = 0; seed < 300; seed++) {
        uint32_t boards = seed % 5 == 4 ? 30 + (uint32_t)(seed % 35) : 1 + (uint32_t)(seed % 9);
        struct sim *sim = make_sim(seed + 5000, (enum batch_placement)(seed / 3 % BATCH_PLACEMENTS), boards);
        sim->decisions = decisions;
        run(sim);
        decisions = sim->decisions;
        check_all_computed_once(sim);
        free(sim);
    }
    cr_assert_eq(decisions, 0x91cccc4202a16fd7u, "the decisions are %#lx", (unsigned long)decisions);
}

/* The same pool, and scattered over one of hundreds of boards of which all others are out of service. */
Test(planner, it_makes_no_difference_where_in_a_large_pool_the_boards_are)
{
    for (uint64_t seed = 0; seed < 200; seed++) {
        uint64_t decisions[2];
        for (int large = 0; large < 2; large++) {
            uint32_t boards = 2 + (uint32_t)(seed % 7), stride = large ? 90 : 0;
            struct sim *sim = make_sim(seed, seed % 3 ? BATCH_AUTO : BATCH_SPLIT, stride ? boards * stride : boards);
            sim->stride = stride;
            run(sim);
            check_all_computed_once(sim);
            decisions[large] = sim->decisions;
            free(sim);
        }
        cr_assert_eq(decisions[0], decisions[1], "seed %lu", (unsigned long)seed);
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

static struct board_set first_boards(uint32_t n)
{
    struct board_set set = board_set_of(n);
    for (uint32_t b = 0; b < n; b++)
        board_set_put(&set, b, true);
    return set;
}

static uint32_t plan_knowing(const struct bandit *bandit, uint32_t n_boards, uint32_t n_texts, uint32_t tokens,
                             enum batch_placement placement, struct planner_action *actions)
{
    static struct planner_snapshot s;
    static struct cost_model cost;
    memset(&s, 0, sizeof s);
    cost_init(&cost);
    s.placement = placement;
    s.cost = &cost;
    s.bandit = bandit;
    s.layers = LAYERS;
    s.max_tokens = 16384;
    s.max_sequences = 256;
    s.n_boards = n_boards;
    s.usable = s.free = first_boards(n_boards);
    for (uint32_t i = 0; i < n_texts; i++)
        s.queues[0].lengths[s.queues[0].n++] = tokens;
    s.queues[0].tokens = (uint64_t)n_texts * tokens;
    return planner_plan(&s, actions, PLANNER_MAX_ACTIONS);
}

static uint32_t plan_one(uint32_t n_boards, uint32_t n_texts, uint32_t tokens, enum batch_placement placement,
                         struct planner_action *actions)
{
    return plan_knowing(&nothing_known, n_boards, n_texts, tokens, placement, actions);
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
    s->usable = s->free = first_boards(8);
    for (uint32_t b = 0; b < busy; b++)
        board_set_put(&s->free, b, false);
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

/* Whoever has begun does not come back to fewer boards because others were there a while ago. */
Test(planner, several_texts_that_began_on_all_boards_go_on_on_all)
{
    struct planner_snapshot *s = calloc(1, sizeof *s);
    struct planner_action action;
    struct cost_model cost;
    cost_init(&cost);
    *s = (struct planner_snapshot){.cost = &cost,
                                   .bandit = &nothing_known,
                                   .layers = LAYERS,
                                   .max_tokens = 16384,
                                   .max_sequences = 256,
                                   .n_boards = 2,
                                   .usable = first_boards(2),
                                   .free = first_boards(2),
                                   .concurrency = 2,
                                   .n_flights = 1,
                                   .flights = {{.class = BATCH_BULK, .load = {400, 4 * 100.0 * 100.0}, .layer = 1}}};
    cr_assert_eq(planner_plan(s, &action, 1), 1);
    cr_expect_eq(action.choice.boards, 2);
    s->flights[0].load = (struct cost_load){400, 400.0 * 400.0};
    cr_assert_eq(planner_plan(s, &action, 1), 1);
    cr_expect_eq(action.choice.boards, 1, "a lone text leaves the others their share");
    s->flights[0].load = (struct cost_load){400, 4 * 100.0 * 100.0};
    s->queues[0] = (struct planner_queue){.lengths = {100}, .n = 1, .tokens = 100};
    cr_assert_eq(planner_plan(s, &action, 1), 1);
    cr_expect_eq(action.choice.boards, 1, "so do several where others wait");
    free(s);
}

Test(planner, a_lone_long_text_is_split_and_a_tiny_one_is_not)
{
    struct planner_action actions[PLANNER_MAX_ACTIONS];
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
    struct planner_action actions[PLANNER_MAX_ACTIONS];
    cr_assert_eq(plan_one(2, 32, 16, BATCH_AUTO, actions), 2);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(actions[i].choice.boards, 1);
        cr_assert_eq(actions[i].n_sequences, 16);
    }
    cr_assert_eq(plan_one(2, 3, 150, BATCH_AUTO, actions), 1, "three of a kind on two boards are split");
    cr_assert_eq(actions[0].n_sequences, 3);
    cr_assert_eq(actions[0].choice.boards, 2);
}

/* What launches of one size took of late, over what the cost model says. */
static void teach(struct bandit *bandit, struct cost_load load, struct bandit_choice choice, double ratio)
{
    struct cost_model cost;
    cost_init(&cost);
    choice.weighed = true;
    for (int i = 0; i < BANDIT_FIRST; i++)
        bandit_observe(bandit, &cost, load, LAYERS, choice, ratio * cost_split(&cost, load, LAYERS, choice.boards));
}

/* Long texts went well when they were split and badly when they were not. That tells nothing of even shares of short
 * ones: both boards of a split would do all that they do. */
Test(planner, what_long_texts_took_does_not_split_what_can_be_shared_out_evenly)
{
    static struct bandit bandit;
    struct planner_action actions[PLANNER_MAX_ACTIONS];
    teach(&bandit, (struct cost_load){512, 512.0 * 512}, (struct bandit_choice){.placement = BATCH_SPLIT, .boards = 2},
          0.7);
    teach(&bandit, (struct cost_load){256, 256.0 * 256}, bandit_whole, 1.3);
    cr_assert_eq(plan_knowing(&bandit, 2, 32, 16, BATCH_AUTO, actions), 2);
    for (int i = 0; i < 2; i++) {
        cr_expect_eq(actions[i].choice.boards, 1);
        cr_expect_eq(actions[i].n_sequences, 16);
    }
    cr_assert_eq(plan_knowing(&bandit, 2, 3, 150, BATCH_AUTO, actions), 1, "three of a kind are split");
    cr_expect_eq(actions[0].choice.boards, 2);
}

/* .. and does not keep a team from it, which reads each weight once. */
Test(planner, few_tokens_of_several_texts_are_a_teams_where_a_split_looked_better)
{
    static struct bandit bandit = {.teams = true};
    struct planner_action actions[PLANNER_MAX_ACTIONS];
    teach(&bandit, (struct cost_load){8, 64}, (struct bandit_choice){.placement = BATCH_SPLIT, .boards = 2}, 0.5);
    cr_assert_eq(plan_knowing(&bandit, 2, 4, 2, BATCH_AUTO, actions), 1);
    cr_expect_eq(actions[0].choice.placement, BATCH_TENSOR);
    cr_expect_eq(actions[0].choice.boards, 2);
    cr_expect_eq(actions[0].n_sequences, 4);
    cr_expect(actions[0].choice.weighed, "what it takes is learned");
}

/* A split that wins by less than its margin is none, by the cost model or by what was learned. */
Test(planner, texts_are_split_where_that_wins_by_a_margin)
{
    static struct bandit fast, slow;
    struct planner_action actions[PLANNER_MAX_ACTIONS];
    struct cost_model cost;
    cost_init(&cost);
    const struct bandit_choice halves = {.placement = BATCH_SPLIT, .boards = 2};
    const struct cost_load all = cost_add(cost_add(cost_add((struct cost_load){0}, 150), 150), 150);
    const struct cost_load most = cost_add(cost_add((struct cost_load){0}, 150), 150);
    const double even = cost_whole(&cost, most, LAYERS) / cost_split(&cost, all, LAYERS, 2);
    cr_assert_gt(even, 1.1);
    teach(&fast, all, halves, 0.94 * even);
    teach(&slow, all, halves, 0.96 * even);
    cr_assert_eq(plan_knowing(&fast, 2, 3, 150, BATCH_AUTO, actions), 1);
    cr_expect_eq(actions[0].choice.boards, 2);
    cr_expect_eq(plan_knowing(&slow, 2, 3, 150, BATCH_AUTO, actions), 2, "each board its share");
    /* Seven on two boards are uneven by less than that. */
    static struct bandit best;
    const struct cost_load many = {30 * 15, 30 * 15 * 15};
    teach(&best, many, halves, 0.5);
    cr_expect_eq(plan_knowing(&best, 2, 31, 15, BATCH_AUTO, actions), 2, "16 texts of 31 are one board's share");
}

Test(planner, a_batch_has_as_many_tokens_as_stay_in_caches_or_keep_a_card_busy)
{
    struct planner_snapshot *s = calloc(1, sizeof *s);
    struct planner_action action;
    struct cost_model cost;
    cost_init(&cost);
    *s = (struct planner_snapshot){
        .cost = &cost, .bandit = &nothing_known, .layers = 2, .max_tokens = 16384, .max_sequences = 256, .n_boards = 1};
    s->usable = s->free = first_boards(1);
    s->queues[BATCH_BULK].n = 100;
    s->queues[BATCH_BULK].tokens = 6400;
    for (int i = 0; i < 100; i++)
        s->queues[BATCH_BULK].lengths[i] = 64;
    cr_assert_eq(planner_plan(s, &action, 1), 1);
    cr_expect_eq(action.n_sequences, 8);
    s->moves_rows = true;
    cr_assert_eq(planner_plan(s, &action, 1), 1);
    cr_expect_eq(action.n_sequences, 32, "a card has several lists at a time");
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
    s->usable = s->free = first_boards(2);
    board_set_put(&s->free, 0, false);
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

/* As queue_peek shortens it. */
static void shorten(struct planner_queue *queue, uint32_t batches, uint32_t tokens)
{
    uint64_t seen = 0;
    uint32_t n = 0;
    for (; n < queue->n && seen <= (uint64_t)batches * tokens; n++)
        seen += queue->lengths[n] < tokens ? queue->lengths[n] : tokens;
    queue->n = n;
}

Test(planner, what_the_free_boards_cannot_take_need_not_be_looked_at)
{
    struct sim *sim = make_sim(7, BATCH_AUTO, 1);
    struct planner_snapshot *s = &sim->snapshot;
    static struct planner_action whole[PLANNER_MAX_ACTIONS], shortened[PLANNER_MAX_ACTIONS];
    for (int round = 0; round < 20000; round++) {
        uint32_t boards = 1 + next_random(sim, 8);
        *s = (struct planner_snapshot){.placement = (enum batch_placement)next_random(sim, 4),
                                       .cost = &sim->cost,
                                       .bandit = &nothing_known,
                                       .layers = LAYERS,
                                       .max_tokens = 64 + next_random(sim, 4000),
                                       .max_sequences = 1 + next_random(sim, PLANNER_WINDOW),
                                       .bulk_owed = next_random(sim, 2),
                                       .moves_rows = next_random(sim, 2),
                                       .concurrency = next_random(sim, 9),
                                       .n_boards = boards,
                                       .usable = first_boards(boards),
                                       .free = first_boards(1 + next_random(sim, boards))};
        for (int c = 0; c < BATCH_CLASSES; c++) {
            struct planner_queue *queue = &s->queues[c];
            queue->n = next_random(sim, PLANNER_WINDOW + 1);
            uint32_t longest = 1 + next_random(sim, 600);
            for (uint32_t i = 0; i < queue->n; i++)
                queue->tokens += queue->lengths[i] = 1 + next_random(sim, longest);
        }
        uint32_t n = planner_plan(s, whole, PLANNER_MAX_ACTIONS);
        for (int c = 0; c < BATCH_CLASSES; c++)
            shorten(&s->queues[c], board_set_count(&s->free),
                    planner_batch_tokens((enum batch_class)c, s->max_tokens, s->moves_rows));
        cr_assert_eq(planner_plan(s, shortened, PLANNER_MAX_ACTIONS), n, "round %d", round);
        cr_assert_eq(memcmp(whole, shortened, n * sizeof *whole), 0, "round %d", round);
    }
    free(sim);
}

Test(planner, boards_out_of_service_get_nothing)
{
    struct planner_action actions[PLANNER_MAX_ACTIONS];
    struct planner_snapshot *s = calloc(1, sizeof *s);
    struct cost_model cost;
    cost_init(&cost);
    *s = (struct planner_snapshot){
        .cost = &cost, .bandit = &nothing_known, .layers = 2, .max_tokens = 100, .max_sequences = 10, .n_boards = 2};
    struct board_set second = first_boards(2);
    board_set_put(&second, 0, false);
    s->usable = s->free = second;
    s->n_flights = 1;
    s->flights[0] = (struct planner_flight){.load = {10, 100}, .avoid = &second};
    cr_assert_eq(planner_plan(s, actions, 8), 1, "a board to avoid is better than none");
    cr_assert_eq(actions[0].boards[0], 1);
    s->usable = s->free = first_boards(2);
    cr_assert_eq(planner_plan(s, actions, 8), 1);
    cr_assert_eq(actions[0].choice.boards, 1);
    cr_assert_eq(actions[0].boards[0], 0, "the other board is there: avoid the one that failed it");
    free(s);
}
