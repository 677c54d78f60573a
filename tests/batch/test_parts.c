/* The scheduler's small parts: queue, cost model, health, pooling. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "server/batch/bandit.h"
#include "server/batch/cost.h"
#include "server/batch/health.h"
#include "server/batch/pooling.h"
#include "server/batch/queue.h"
#include "server/batch/watchdog.h"

enum { MAX_WORKS = 256, MAX_ITEMS = 2048 };

/* All that one test makes. */
static struct batch_work *make_work(uint64_t key, uint32_t n, uint32_t tokens)
{
    static struct batch_work works[MAX_WORKS];
    static struct batch_item items[MAX_ITEMS];
    static uint32_t n_works, n_items;
    cr_assert(n_works < MAX_WORKS && n_items + n <= MAX_ITEMS);
    struct batch_work *work = &works[n_works++];
    *work = (struct batch_work){.items = &items[n_items], .n_items = n, .key = key};
    n_items += n;
    for (uint32_t i = 0; i < n; i++)
        work->items[i].n_tokens = tokens + i;
    return work;
}

Test(queue, one_key_is_first_in_first_out)
{
    struct queue queue;
    queue_init(&queue, 100);
    struct batch_work *works[5];
    for (int i = 0; i < 5; i++) {
        works[i] = make_work(7, 3, 10);
        queue_push(&queue, works[i]);
    }
    cr_assert_eq(queue.load.items, 15);
    cr_assert_eq(queue.load.tokens, 5 * (10 + 11 + 12));
    struct queue_entry entries[15];
    queue_take(&queue, entries, 4);
    queue_take(&queue, entries + 4, 11);
    for (int i = 0; i < 15; i++) {
        cr_assert_eq(entries[i].work, works[i / 3]);
        cr_assert_eq(entries[i].item, &works[i / 3]->items[i % 3]);
    }
    cr_assert_eq(queue.load.items, 0);
    cr_assert_eq(queue.load.tokens, 0);
    cr_assert_null(queue_first(&queue));
}

Test(queue, peek_tells_what_take_gives)
{
    struct queue queue;
    queue_init(&queue, 100);
    srand(3);
    for (int i = 0; i < 40; i++)
        queue_push(&queue, make_work((uint64_t)(rand() % 9), 1 + (uint32_t)(rand() % 6), 1 + (uint32_t)(rand() % 500)));
    while (queue.load.items > 0) {
        uint32_t lengths[300];
        struct queue_entry entries[300];
        uint32_t n = queue_peek(&queue, lengths, 300, 300, 1000);
        cr_assert_eq(n, queue.load.items);
        uint32_t take = 1 + (uint32_t)rand() % n;
        queue_take(&queue, entries, take);
        for (uint32_t i = 0; i < take; i++)
            cr_assert_eq(entries[i].item->n_tokens, lengths[i]);
    }
}

Test(queue, peek_goes_no_further_than_batches_could)
{
    struct queue queue;
    uint32_t lengths[300];
    queue_init(&queue, 100);
    for (int i = 0; i < 10; i++)
        queue_push(&queue, make_work(7, 10, 100));
    cr_expect_eq(queue_peek(&queue, lengths, 300, 1, 250), 3, "300 tokens are more than a batch takes");
    cr_expect_eq(queue_peek(&queue, lengths, 300, 2, 255), 6, "510 could just be taken: one more");
    cr_expect_eq(queue_peek(&queue, lengths, 300, 4, 30), 5, "an item longer than a batch is one");
    cr_expect_eq(queue_peek(&queue, lengths, 300, 1000, 250), 100);
    cr_expect_eq(queue_peek(&queue, lengths, 20, 1000, 250), 20);
}

Test(queue, no_more_is_taken_than_there_is)
{
    struct queue queue;
    struct queue_entry entries[20];
    uint32_t lengths[20];
    queue_init(&queue, 100);
    cr_assert_eq(queue_peek(&queue, lengths, 20, 20, 1000), 0);
    cr_assert_eq(queue_take(&queue, entries, 20), 0);
    cr_assert_eq(queue_take(&queue, entries, 0), 0);
    queue_push(&queue, make_work(7, 3, 300)); /* more than a quantum each */
    queue_push(&queue, make_work(8, 2, 1));
    cr_assert_eq(queue_peek(&queue, lengths, 20, 20, 1000), 5);
    cr_assert_eq(queue_take(&queue, entries, 20), 5);
    cr_assert_eq(queue_take(&queue, entries, 1), 0);
    cr_assert_eq(queue.load.items, 0);
    cr_assert_eq(queue.load.tokens, 0);
    cr_assert_eq(queue.space, 0);
}

Test(queue, a_greedy_key_waits_for_itself)
{
    struct queue queue;
    queue_init(&queue, 100);
    for (int i = 0; i < 100; i++)
        queue_push(&queue, make_work(1, 10, 64));
    struct batch_work *modest = make_work(2, 1, 64);
    queue_push(&queue, modest);
    struct queue_entry entries[16];
    queue_take(&queue, entries, 16);
    bool served = false;
    for (int i = 0; i < 16; i++)
        served |= entries[i].work == modest;
    cr_assert(served, "within a quantum or two of the other key");
}

Test(queue, removing_keeps_count_and_order)
{
    struct queue queue;
    queue_init(&queue, 100);
    struct batch_work *works[6];
    for (int i = 0; i < 6; i++) {
        works[i] = make_work(5, 2, 10);
        queue_push(&queue, works[i]);
    }
    struct queue_entry entries[12];
    queue_take(&queue, entries, 1);
    cr_assert_eq(queue_remove(&queue, works[0]), 1, "one of its two was taken");
    cr_assert_eq(queue_remove(&queue, works[3]), 2);
    cr_assert_eq(queue_remove(&queue, works[5]), 2, "the last");
    cr_assert_eq(queue_remove(&queue, works[5]), 0, "no longer there");
    queue_push(&queue, works[5]);
    cr_assert_eq(queue.load.items, 8);
    queue_take(&queue, entries, 8);
    struct batch_work *expected[] = {works[1], works[2], works[4], works[5]};
    for (int i = 0; i < 8; i++)
        cr_assert_eq(entries[i].work, expected[i / 2]);
    cr_assert_eq(queue.load.tokens, 0);
}

Test(queue, walking_visits_every_work)
{
    struct queue queue;
    queue_init(&queue, 100);
    for (uint64_t key = 0; key < 200; key++)
        queue_push(&queue, make_work(key, 1, 5));
    int seen = 0;
    for (struct batch_work *work = queue_first(&queue); work; work = queue_after(&queue, work))
        seen++;
    cr_assert_eq(seen, 200);
    struct queue_entry entry;
    while (queue.load.items > 0)
        cr_assert_eq(queue_take(&queue, &entry, 1), 1);
}

Test(cost, fit_finds_the_terms_again)
{
    struct cost_sample samples[3];
    uint32_t rows[3] = {8, 64, 256};
    for (int i = 0; i < 3; i++) {
        samples[i].load = cost_add((struct cost_load){0}, rows[i]);
        samples[i].layer_ns = 40000 + 9000.0 * rows[i] + 12 * samples[i].load.pairs;
    }
    struct cost_model model;
    cost_init(&model);
    cost_fit(&model, samples);
    cr_assert_float_eq(model.layer_ns, 40000, 1);
    cr_assert_float_eq(model.row_ns, 9000, 0.1);
    cr_assert_float_eq(model.pair_ns, 12, 0.01);
}

Test(cost, one_measurement_of_a_slow_board_scales_the_guesses)
{
    struct cost_sample sample = {{8, 64}, 4e9};
    struct cost_model model;
    cost_init(&model);
    cost_fit_one(&model, &sample);
    cr_assert_float_eq(cost_whole(&model, sample.load, 1), 4e9, 1e3);
    cr_assert_gt(cost_whole(&model, (struct cost_load){256, 65536}, 1), 16 * 4e9);
    sample.layer_ns = NAN;
    cost_fit_one(&model, &sample);
    cr_assert(cost_whole(&model, sample.load, 1) > 0);
}

Test(cost, nonsense_measurements_still_give_a_usable_model)
{
    struct cost_sample samples[3] = {{{8, 64}, 5000}, {{64, 4096}, 100}, {{256, 65536}, NAN}};
    struct cost_model model;
    cost_init(&model);
    cost_fit(&model, samples);
    double small = cost_whole(&model, (struct cost_load){8, 64}, 6);
    double large = cost_whole(&model, (struct cost_load){512, 512 * 512}, 6);
    cr_assert(isfinite(small) && small > 0 && large > small);
}

Test(cost, learns_from_what_it_sees)
{
    struct cost_model model;
    cost_init(&model);
    struct cost_load load = {100, 10000};
    double truth = 3 * cost_whole(&model, load, 6);
    for (int i = 0; i < 200; i++)
        cost_observe(&model, load, 6, truth);
    cr_assert_float_eq(cost_whole(&model, load, 6) / truth, 1, 0.02);
    cost_observe(&model, load, 6, 0);
    cost_observe(&model, load, 6, NAN);
    cr_assert_float_eq(cost_whole(&model, load, 6) / truth, 1, 0.02);
}

/* A pool of which it is known what each arm takes, over what the cost model says. */
struct slot_machine {
    struct bandit bandit;
    struct cost_model cost;
    double truth[65];
    double spent_ns, lost_ns;
};

static uint32_t pull(struct slot_machine *machine, struct cost_load load, uint32_t boards, double times)
{
    struct bandit_choice choice = bandit_choose(&machine->bandit, &machine->cost, load, 6, boards);
    double took_ns = times * machine->truth[choice.boards] * cost_split(&machine->cost, load, 6, choice.boards);
    bandit_observe(&machine->bandit, &machine->cost, load, 6, choice, took_ns);
    machine->spent_ns += took_ns;
    machine->lost_ns += choice.exploring ? took_ns - choice.best_ns : 0;
    return choice.boards;
}

static void open_machine(struct slot_machine *machine, double split_ratio)
{
    memset(machine, 0, sizeof *machine);
    cost_init(&machine->cost);
    for (uint32_t b = 1; b <= 64; b++)
        machine->truth[b] = b > 1 ? split_ratio : 1;
}

static const struct cost_load hundred = {100, 10000};
static const struct bandit_choice halves = {.placement = BATCH_SPLIT, .boards = 2};

Test(bandit, splits_until_it_is_seen_that_it_does_not_pay)
{
    struct slot_machine machine;
    open_machine(&machine, 4);
    for (int i = 0; i < BANDIT_FIRST; i++)
        cr_assert_eq(pull(&machine, hundred, 2, 1), 2);
    for (int i = 0; i < 30; i++)
        cr_assert_eq(pull(&machine, hundred, 2, 1), 1);
    struct cost_load other = {1000, 1000000};
    cr_assert_eq(pull(&machine, other, 2, 1), 2, "another size is another matter");
    cr_assert_eq(pull(&machine, (struct cost_load){1, 1}, 2, 1), 1, "one row cannot be split");
    cr_assert_eq(pull(&machine, other, 1, 1), 1);
}

/* Where boards can be a team there are arms for that, and the one that takes the least time wins. */
Test(bandit, weighs_teams_where_there_can_be_any)
{
    struct slot_machine machine;
    struct cost_load few = {8, 64};
    open_machine(&machine, 1);
    machine.cost.row_ns = 5000; /* a layer's weights take longer than its rows */
    for (int i = 0; i < 50; i++)
        cr_assert_neq(bandit_choose(&machine.bandit, &machine.cost, few, 6, 4).placement, BATCH_TENSOR);
    machine.bandit.teams = true;
    struct bandit_choice choice = bandit_choose(&machine.bandit, &machine.cost, few, 6, 4);
    cr_assert_eq(choice.placement, BATCH_TENSOR, "each weight is read once");
    cr_assert_eq(choice.boards, 4);
    for (int i = 0; i < 200; i++) { /* they turn out to take three times as long as the whole on one */
        choice = bandit_choose(&machine.bandit, &machine.cost, few, 6, 4);
        double whole_ns = cost_whole(&machine.cost, few, 6);
        double ns = choice.placement == BATCH_TENSOR ? 3 * whole_ns : cost_split(&machine.cost, few, 6, choice.boards);
        bandit_observe(&machine.bandit, &machine.cost, few, 6, choice, ns);
    }
    cr_assert_eq(bandit_choose(&machine.bandit, &machine.cost, few, 6, 4).placement, BATCH_SPLIT);
    cr_assert_eq(bandit_choose(&machine.bandit, &machine.cost, few, 6, 1).boards, 1);
}

Test(bandit, arms_are_whole_split_and_team)
{
    struct bandit bandit = {.teams = true};
    struct bandit_choice arm = bandit_whole;
    uint32_t boards[] = {2, 4, 6, 2, 4, 6};
    for (int i = 0; i < 6; i++) {
        cr_assert(bandit_next_arm(&bandit, &arm, 6));
        cr_assert_eq(arm.boards, boards[i]);
        cr_assert_eq(arm.placement, i < 3 ? BATCH_SPLIT : BATCH_TENSOR);
    }
    cr_assert_not(bandit_next_arm(&bandit, &arm, 6));
}

Test(bandit, stays_with_what_pays)
{
    struct slot_machine machine;
    open_machine(&machine, 1);
    int whole = 0;
    for (int i = 0; i < 3000; i++)
        whole += pull(&machine, hundred, 2, i % 4 == 1 ? 5 : 1) == 1; /* whatever stalls there are */
    cr_assert_lt(whole, 60);
    cr_assert_gt(whole, 5, "it is looked at from time to time");
}

Test(bandit, cost_a_small_share_of_the_time)
{
    for (uint32_t boards = 2; boards <= 64; boards *= 2) {
        struct slot_machine machine;
        open_machine(&machine, 70);
        for (int i = 0; i < 20000; i++)
            pull(&machine, hundred, boards, 1);
        cr_assert_gt(machine.lost_ns, 0);
        cr_assert_leq(machine.lost_ns, 1.0001 * BANDIT_SHARE * machine.spent_ns);
    }
}

/* The cost model says that a split takes 1.7 times as long as without. */
static void open_pessimist(struct slot_machine *machine, double split_ratio)
{
    open_machine(machine, split_ratio);
    machine->cost.barrier_ns = 2.6e6;
    double whole_ns = cost_whole(&machine->cost, hundred, 6), split_ns = cost_split(&machine->cost, hundred, 6, 2);
    cr_assert_float_eq(split_ns / whole_ns, 1.7, 0.1);
}

Test(bandit, find_a_wrong_cost_model_out_at_once)
{
    enum { PULLS = 20, BEFORE = 4 };
    struct slot_machine machine;
    open_pessimist(&machine, 0.4);
    int split = 0;
    for (int i = 0; i < PULLS; i++)
        split += pull(&machine, hundred, 2, 1) == 2;
    cr_assert_geq(split, PULLS - BEFORE);
    open_pessimist(&machine, 0.4);
    split = 0;
    for (int i = 0; i < 2 * PULLS; i++) /* its first split is cold and takes twice as long */
        split += pull(&machine, hundred, 2, machine.bandit.sizes[6].arms[1].n == 0 ? 2 : 1) == 2;
    cr_assert_geq(split, PULLS);
}

Test(bandit, take_a_right_cost_models_word)
{
    struct slot_machine machine;
    open_pessimist(&machine, 1);
    double whole_ns = cost_whole(&machine.cost, hundred, 6);
    for (int i = 0; i < 3000; i++) {
        pull(&machine, hundred, 2, 1);
        cr_assert_leq(machine.lost_ns, 1.0001 * (BANDIT_SHARE * machine.spent_ns + whole_ns), "pull %d", i);
    }
    cr_assert_gt(machine.lost_ns, whole_ns);
}

Test(bandit, change_with_the_machine)
{
    struct slot_machine machine;
    open_machine(&machine, 4);
    for (int times = 0; times < 5; times++) {
        for (int i = 0; i < 1000; i++)
            pull(&machine, hundred, 2, 1);
        bool pays = times % 2;
        cr_assert_eq(bandit_choose(&machine.bandit, &machine.cost, hundred, 6, 2).boards, pays ? 2 : 1);
        machine.truth[2] = pays ? 4 : 1;
    }
}

Test(bandit, predict_what_it_took_of_late)
{
    struct slot_machine machine;
    open_machine(&machine, 4);
    machine.cost.scale = 2;
    machine.truth[1] = 1.5;
    double whole = cost_whole(&machine.cost, hundred, 6), split = cost_split(&machine.cost, hundred, 6, 2);
    cr_assert_float_eq(bandit_predict(&machine.bandit, &machine.cost, hundred, 6, bandit_whole) / whole, 1, 1e-6);
    cr_assert_float_eq(bandit_predict(&machine.bandit, &machine.cost, hundred, 6, halves) / split, 1, 1e-6);
    for (int i = 0; i < 10; i++)
        pull(&machine, hundred, 2, 1);
    cr_assert_float_eq(bandit_predict(&machine.bandit, &machine.cost, hundred, 6, bandit_whole) / whole, 1.5, 1e-6);
    cr_assert_float_eq(bandit_predict(&machine.bandit, &machine.cost, hundred, 6, halves) / split, 4, 1e-6);
    bandit_observe(&machine.bandit, &machine.cost, hundred, 6, (struct bandit_choice){BATCH_SPLIT, 2, .weighed = true},
                   NAN);
    bandit_observe(&machine.bandit, &machine.cost, hundred, 6, halves, 1);
    cr_assert_float_eq(bandit_predict(&machine.bandit, &machine.cost, hundred, 6, halves) / split, 4, 1e-6);
}

static bool take_due(struct health *health, uint64_t now)
{
    bool due = health_due_ns(health, false) <= now;
    if (due)
        health_begin_test(health);
    return due;
}

Test(health, waits_longer_each_time_and_forgives)
{
    struct health health = {0};
    uint64_t now = 100 * HEALTH_FORGIVE_NS;
    health_failed(&health, now);
    cr_assert_eq(health.state, HEALTH_QUARANTINED);
    cr_assert(take_due(&health, now), "the first strike is tested at once");
    cr_assert_not(take_due(&health, now), "by one at a time");
    uint64_t last = 0;
    for (int i = 0; i < 40; i++) {
        health_failed(&health, now);
        uint64_t wait = health.due_ns - now;
        cr_assert_geq(wait, last);
        cr_assert_leq(wait, HEALTH_MAX_WAIT_NS);
        cr_assert_not(take_due(&health, now));
        cr_assert_leq(health_due_ns(&health, true), now + HEALTH_URGENT_WAIT_NS);
        now = health.due_ns;
        cr_assert(take_due(&health, now));
        last = wait;
    }
    cr_assert_eq(last, HEALTH_MAX_WAIT_NS);
    now += 2 * HEALTH_FORGIVE_NS; /* out of service does not count */
    health_passed(&health, now);
    cr_assert_eq(health.state, HEALTH_IN_SERVICE);
    cr_assert_eq(health_due_ns(&health, true), UINT64_MAX);
    health_failed(&health, now + HEALTH_FORGIVE_NS);
    cr_assert_eq(health.due_ns - now, HEALTH_FORGIVE_NS + HEALTH_MAX_WAIT_NS, "not yet forgiven");
    now = health.due_ns;
    cr_assert(take_due(&health, now));
    health_passed(&health, now);
    now += HEALTH_FORGIVE_NS + 1;
    health_failed(&health, now);
    cr_assert(take_due(&health, now), "forgiven after serving long enough");
    cr_assert_eq(health.quarantined, 3);
    cr_assert_eq(health.readmitted, 2);
}

Test(watchdog, waits_longer_for_what_was_slow_and_forgets_it)
{
    struct watchdog dog;
    watchdog_init(&dog, 0);
    cr_expect_leq(watchdog_limit_ns(&dog, 1e6, 1), 1.6e9);
    cr_expect_geq(watchdog_limit_ns(&dog, 1e6, 1), 1.3e9, "a stall is not a hang");
    cr_expect_eq(watchdog_limit_ns(&dog, 1e6, 16), watchdog_limit_ns(&dog, 1e6, 1), "for short ones that is enough");
    watchdog_was_slow(&dog, 1e6, 1);
    cr_expect_eq(dog.scale, 1, "and tells nothing");
    double first = watchdog_limit_ns(&dog, 5e9, dog.scale);
    cr_expect_float_eq(first, 1.3e9 + 4 * 5e9, 1);
    for (int i = 0; i < 3; i++)
        watchdog_was_slow(&dog, 5e9, 1);
    cr_expect_eq(dog.scale, 2, "launches that began together count once");
    cr_expect_gt(watchdog_limit_ns(&dog, 5e9, dog.scale), 1.5 * first);
    for (int i = 0; i < 20; i++)
        watchdog_was_slow(&dog, 5e9, dog.scale);
    cr_expect_eq(dog.scale, WATCHDOG_MAX_SCALE);
    for (int i = 0; i < 1000; i++)
        watchdog_was_fine(&dog);
    cr_expect_float_eq(dog.scale, 1, 0.01);
}

Test(watchdog, a_slow_machine_has_more_time_for_long_launches)
{
    struct watchdog usual, slow;
    watchdog_init(&usual, 1);
    watchdog_init(&slow, 10);
    cr_expect_eq(watchdog_limit_ns(&slow, 1e6, 1), watchdog_limit_ns(&usual, 1e6, 1));
    cr_expect_float_eq(watchdog_limit_ns(&slow, 5e9, 1) - 1.3e9, 10 * (watchdog_limit_ns(&usual, 5e9, 1) - 1.3e9), 1);
    watchdog_was_slow(&usual, 2e7, 1);
    watchdog_was_slow(&slow, 2e7, 1);
    cr_expect_eq(usual.scale, 1);
    cr_expect_eq(slow.scale, 2, "what is long there is shorter");
}
