/* Schedules of faults as they run: when each is due, what a refusal does, and that answers keep their bits. */
#include "server/faults/faults.h"
#include "tests/batch/emu_sched.h"

static void note_refusal(void *cookie, const char *reason)
{
    cr_assert(reason[0]);
    atomic_fetch_add((atomic_int *)cookie, 1);
}

Test(schedule, a_rule_that_a_board_refuses_is_told_and_given_up)
{
    struct image *image = emu_image(1);
    struct board *board = NULL;
    atomic_int refusals = 0;
    cr_assert_eq(board_open(&board, &(struct board_options){.kind = "emu"}, NULL), STATUS_OK);
    struct batch_options options = {.image = image,
                                    .boards = &board,
                                    .n_boards = 1,
                                    .max_tokens = 100,
                                    .max_queued_items = 100,
                                    .placement = BATCH_REPLICATE};
    struct batch *batch = NULL;
    cr_assert_eq(batch_create(&batch, &options, NULL), STATUS_OK);
    struct faults_rule rule = {.fault = {.kind = BOARD_FAULT_SLOW, .factor = 0}, .every_ns = 1000000};
    struct faults_runner *runner = NULL;
    const struct faults_schedule schedule = {&rule, 1, 1};
    cr_assert_eq(faults_start(&runner, batch, &schedule, note_refusal, &refusals, NULL), STATUS_OK);
    EMU_WAIT_FOR(atomic_load(&refusals) == 1);
    faults_stop(&runner);
    cr_assert_null(runner);
    faults_stop(&runner);
    cr_assert_eq(refusals, 1);
    batch_destroy(&batch, true);
    image_release(&image);
}

Test(schedule, times)
{
    uint64_t random = 1;
    struct faults_rule once = {.after_ns = 50};
    cr_expect_eq(faults_next(&once, 0, 1000, &random), 1050);
    cr_expect_eq(faults_next(&once, 1, 1050, &random), UINT64_MAX);
    struct faults_rule thrice = {.after_ns = 50, .every_ns = 10, .times = 3};
    cr_expect_eq(faults_next(&thrice, 0, 1000, &random), 1060);
    cr_expect_eq(faults_next(&thrice, 2, 1070, &random), 1080);
    cr_expect_eq(faults_next(&thrice, 3, 1080, &random), UINT64_MAX);
    cr_expect_eq(random, 1, "no luck in that");
    struct faults_rule mean = {.every_ns = 1000000, .random = true};
    uint64_t again = 1, sum = 0;
    enum { DRAWS = 20000 };
    for (uint32_t i = 1; i <= DRAWS; i++) {
        uint64_t gap = faults_next(&mean, i, 0, &random);
        cr_assert_eq(gap, faults_next(&mean, i, 0, &again), "the same seed, the same schedule");
        cr_assert_leq(gap, 8 * mean.every_ns);
        sum += gap;
    }
    cr_expect_float_eq((double)sum / DRAWS, 1e6, 3e4);
}

Test(schedule, faults_happen_and_answers_keep_their_bits)
{
    struct emu_sched sched;
    emu_sched_open(&sched, BATCH_REPLICATE, 0);
    struct faults_rule rules[] = {
        {.fault = {.kind = BOARD_FAULT_FAIL}, .board = 0, .every_ns = 5000000, .times = 4},
        {.fault = {.kind = BOARD_FAULT_SLOW, .factor = 3, .for_ns = 3000000},
         .board = FAULTS_ANY_BOARD,
         .every_ns = 4000000,
         .random = true,
         .times = 5},
        {.fault = {.kind = BOARD_FAULT_LOAD, .count = 2}, .board = 1, .after_ns = 1000000},
    };
    struct faults_runner *runner = NULL;
    const struct faults_schedule schedule = {rules, 3, 9}, empty = {.seed = 9};
    mem_fail_after(0);
    cr_assert_eq(faults_start(&runner, sched.batch, &schedule, NULL, NULL, NULL), STATUS_NO_MEMORY);
    mem_fail_after(-1);
    cr_assert_eq(faults_start(&runner, sched.batch, &empty, NULL, NULL, NULL), STATUS_OK);
    cr_assert_null(runner);
    cr_assert_eq(faults_start(&runner, sched.batch, &schedule, NULL, NULL, NULL), STATUS_OK);
    for (int tries = 0; emu_events[BATCH_FAULT] < 10; tries++) {
        struct emu_request request;
        struct error err = {0};
        cr_assert_lt(tries, 100000);
        if (emu_submit_request(&sched, &request, &err) == STATUS_UNHEALTHY) {
            usleep(1000); /* both at once */
            continue;
        }
        emu_wait(&request);
        if (request.status == STATUS_OK)
            cr_assert_eq(memcmp(request.out, sched.right, sizeof sched.right), 0, "wrong bits");
    }
    faults_stop(&runner);
    cr_assert_eq(emu_info(&sched, 0).faults + emu_info(&sched, 1).faults, 10);
    EMU_WAIT_FOR(emu_stats(&sched).boards_ready == EMU_BOARDS);
    emu_sched_close(&sched);
}
