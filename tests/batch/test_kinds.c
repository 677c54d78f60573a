/* Pools of several kinds of boards: cards beside emulated ones. */
#include "tests/batch/planner_sim.h"

static void give_kind(struct sim *sim, uint32_t kind, double speed, double task_ns)
{
    struct cost_model *cost = &sim->costs[kind];
    cost_init(cost);
    cost->layer_ns /= speed;
    cost->row_ns /= speed;
    cost->pair_ns /= speed;
    cost->task_ns = task_ns;
    sim->n_kinds = sim->n_kinds > kind + 1 ? sim->n_kinds : kind + 1;
}

Test(kinds, thousands_of_random_loads)
{
    for (uint64_t seed = 0; seed < 1000; seed++) {
        struct sim *sim = make_sim(seed, (enum batch_placement)(seed % BATCH_PLACEMENTS),
                                   1 + (uint32_t)(seed / BATCH_PLACEMENTS % 6));
        for (uint32_t k = 0; k < 3; k++) {
            give_kind(sim, k, 1 + next_random(sim, 30), 2e3 * (1 + next_random(sim, 100)));
            sim->bandits[k].teams = next_random(sim, 2);
        }
        for (uint32_t b = 0; b < sim->n_boards; b++)
            sim->kinds[b] = (uint8_t)next_random(sim, 3);
        run(sim);
        for (uint32_t i = 0; i < sim->n_texts; i++)
            cr_assert_eq(sim->texts[i].computed, 1, "seed %lu, text %u", (unsigned long)seed, i);
        free(sim);
    }
}

enum { EMULATED, CARD };

/* Two emulated boards, then two cards, ten times as fast, whose launches take as long as some of their layers. */
static struct sim *make_pool(enum batch_placement placement)
{
    struct sim *sim = make_sim(1, placement, 4);
    give_kind(sim, EMULATED, 1, 2e3);
    give_kind(sim, CARD, 10, 1e5);
    sim->kinds[2] = sim->kinds[3] = CARD;
    return sim;
}

static uint32_t plan(struct sim *sim, enum batch_class class, uint32_t n_texts, uint32_t tokens,
                     struct planner_action *actions)
{
    uint32_t order[PLANNER_MAX_FLIGHTS];
    take_snapshot(sim, order);
    struct planner_queue *queue = &sim->snapshot.queues[class];
    queue->n = 0;
    while (queue->n < n_texts)
        queue->lengths[queue->n++] = tokens;
    queue->tokens = (uint64_t)n_texts * tokens;
    return planner_plan(&sim->snapshot, actions, PLANNER_MAX_ACTIONS);
}

Test(kinds, the_fastest_goes_first)
{
    struct planner_action actions[PLANNER_MAX_ACTIONS];
    struct sim *sim = make_pool(BATCH_REPLICATE);
    cr_assert_eq(plan(sim, BATCH_INTERACTIVE, 1, 40, actions), 1);
    cr_assert_eq(actions[0].boards[0], 2);
    cr_assert_eq(plan(sim, BATCH_INTERACTIVE, 3, 400, actions), 3, "what a free board may do does not wait");
    cr_assert_eq(actions[0].boards[0], 2);
    cr_assert_eq(actions[1].boards[0], 3);
    cr_assert_eq(actions[2].boards[0], 0);
    sim->costs[CARD].scale = 64; /* it has become slow */
    cr_assert_eq(plan(sim, BATCH_INTERACTIVE, 1, 40, actions), 1);
    cr_assert_eq(actions[0].boards[0], 0);
    free(sim);
}

Test(kinds, shares_are_as_speeds)
{
    struct planner_action actions[PLANNER_MAX_ACTIONS];
    struct sim *sim = make_pool(BATCH_REPLICATE);
    cr_assert_eq(plan(sim, BATCH_INTERACTIVE, 60, 10, actions), 4);
    uint32_t cards = actions[0].n_sequences + actions[1].n_sequences;
    uint32_t emulated = actions[2].n_sequences + actions[3].n_sequences;
    cr_assert_eq(cards + emulated, 60);
    cr_assert_eq(sim->kinds[actions[1].boards[0]], CARD);
    double worth = planner_worth(sim->costs, sim->bandits, LAYERS, CARD, EMULATED);
    cr_assert_float_eq((double)emulated / cards, worth, 0.1, "%u and %u", cards, emulated);
    free(sim);
}

Test(kinds, a_split_is_over_one_kind_unless_it_is_forced)
{
    struct planner_action actions[PLANNER_MAX_ACTIONS];
    struct sim *sim = make_pool(BATCH_AUTO);
    cr_assert_eq(plan(sim, BATCH_INTERACTIVE, 1, 400, actions), 1);
    cr_assert_eq(actions[0].choice.boards, 2);
    cr_assert_eq(actions[0].boards[0], 2);
    cr_assert_eq(actions[0].boards[1], 3);
    sim->placement = BATCH_SPLIT;
    cr_assert_eq(plan(sim, BATCH_INTERACTIVE, 1, 400, actions), 1);
    cr_assert_eq(actions[0].choice.boards, 4);
    free(sim);
}

Test(kinds, a_team_is_of_a_kind_that_can)
{
    struct planner_action actions[PLANNER_MAX_ACTIONS];
    struct sim *sim = make_pool(BATCH_TENSOR);
    sim->bandits[EMULATED].teams = true;
    cr_assert_eq(plan(sim, BATCH_INTERACTIVE, 1, 400, actions), 1);
    cr_assert_eq(actions[0].boards[0], 2);
    cr_assert_eq(actions[0].choice.boards, 1, "cards make none");
    sim->costs[CARD].scale = 64; /* they have become slow */
    cr_assert_eq(plan(sim, BATCH_INTERACTIVE, 1, 400, actions), 1);
    cr_assert_eq(actions[0].boards[0], 0);
    cr_assert(actions[0].choice.boards == 2 && actions[0].choice.placement == BATCH_TENSOR);
    free(sim);
}

/* Rows go to a card and come back with every launch. */
Test(kinds, bulk_goes_layer_by_layer_only_where_a_launch_costs_little)
{
    struct planner_action actions[PLANNER_MAX_ACTIONS];
    struct sim *sim = make_pool(BATCH_REPLICATE);
    sim->costs[CARD].task_ns /= 2;
    cr_assert_eq(plan(sim, BATCH_BULK, 60, 30, actions), 4);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(actions[i].layers, 1, "a layer of so many rows takes long beside a launch");
    sim->costs[CARD].move_ns = sim->costs[CARD].row_ns / 2;
    cr_assert_eq(plan(sim, BATCH_BULK, 60, 30, actions), 4);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(actions[i].layers, sim->kinds[actions[i].boards[0]] == CARD ? LAYERS : 1,
                     "but not beside its way");
    sim->costs[CARD].move_ns = 0;
    cr_assert_eq(plan(sim, BATCH_BULK, 1, 10, actions), 1);
    cr_assert_eq(actions[0].boards[0], 2);
    cr_assert_eq(actions[0].layers, LAYERS, "a whole list");
    sim->costs[CARD].scale = 1000;
    cr_assert_eq(plan(sim, BATCH_BULK, 1, 10, actions), 1);
    cr_assert_eq(actions[0].boards[0], 0);
    cr_assert_lt(actions[0].layers, LAYERS);
    free(sim);
}
