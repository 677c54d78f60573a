/* A board waits awake for the next task of a client that asks for one after another, and for no more than half of what
 * it computes. */
#include <criterion/criterion.h>

#include "accel/worker/awake.h"

enum { COMPUTES_NS = 800000 };

/* The board waits for a task that comes so long after the last one. True: it was awake then. */
static bool wait_for(struct worker_awake *awake, uint64_t gap_ns, uint64_t *ret_waited_ns)
{
    uint64_t limit = worker_awake_limit(awake, false), waited = gap_ns < limit ? gap_ns : limit;
    worker_awake_waited(awake, waited, false);
    awake->gap_ns = gap_ns;
    *ret_waited_ns += waited;
    return gap_ns < limit;
}

Test(awake, a_client_that_asks_at_once_again_meets_a_board_that_is_awake)
{
    struct worker_awake awake = {0};
    uint64_t waited = 0;
    cr_assert(!wait_for(&awake, 100000, &waited), "the first one: nobody knows");
    for (int i = 0; i < 100; i++) {
        worker_awake_computed(&awake, COMPUTES_NS);
        cr_assert(wait_for(&awake, i % 2 ? 100000 : 60000, &waited), "%d", i);
    }
}

Test(awake, one_long_pause_ends_it_and_one_short_one_begins_it)
{
    struct worker_awake awake = {0};
    uint64_t waited = 0;
    for (int i = 0; i < 10; i++) {
        worker_awake_computed(&awake, COMPUTES_NS);
        wait_for(&awake, 100000, &waited);
    }
    worker_awake_computed(&awake, COMPUTES_NS);
    cr_assert(!wait_for(&awake, 10000000, &waited));
    cr_assert_eq(worker_awake_limit(&awake, false), AWAKE_NS);
    wait_for(&awake, 100000, &waited);
    cr_assert_eq(worker_awake_limit(&awake, false), 200000);
}

Test(awake, never_more_than_half_of_what_it_computes)
{
    /* Each pair: it computes so long, and the next task comes after so long. */
    static const uint64_t loops[][2] = {
        {20000, 100000}, {100000, 120000}, {800000, 240000}, {30000, 3000}, {50000, 26000}};
    for (size_t l = 0; l < sizeof loops / sizeof *loops; l++) {
        struct worker_awake awake = {0};
        uint64_t computed = 0, waited = 0, awake_tasks = 0;
        for (int i = 0; i < 10000; i++) {
            worker_awake_computed(&awake, loops[l][0]);
            computed += loops[l][0];
            awake_tasks += wait_for(&awake, loops[l][1], &waited);
        }
        uint64_t always = 10000ull * AWAKE_NS; /* that long it is awake without credit */
        cr_expect_leq(waited, computed / 2 + always, "%zu: awake %lu of %lu ns", l, waited, computed);
        cr_expect_gt(awake_tasks, 0, "%zu", l);
    }
}

Test(awake, what_was_computed_long_ago_does_not_count)
{
    struct worker_awake awake = {.gap_ns = 100000};
    uint64_t waited = 0;
    for (int i = 0; i < 1000; i++)
        worker_awake_computed(&awake, COMPUTES_NS);
    for (int i = 0; i < 1000; i++)
        wait_for(&awake, 100000, &waited);
    cr_assert_leq(waited, AWAKE_MOST_CREDIT_NS + 1000ull * AWAKE_NS);
}

Test(awake, in_a_split_it_waits_for_the_slowest_board)
{
    struct worker_awake awake = {.gap_ns = 100000, .credit_ns = 250000};
    cr_assert_eq(worker_awake_limit(&awake, true), AWAKE_SPLIT_NS);
    worker_awake_waited(&awake, 1000000, true);
    cr_assert_eq(worker_awake_limit(&awake, false), 200000, "what a split waits is not what a client costs");
}
