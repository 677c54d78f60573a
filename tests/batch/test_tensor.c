/* Batches whose layers several boards divide by their outputs (placement tensor), over emulated boards: bits are right,
 * and of a team only the board that is at fault goes out of service.
 */
#include <stdio.h>

#include "server/batch/sched.h"
#include "tests/batch/emu_sched.h"

static void open_pool(struct emu_sched *sched, uint32_t boards)
{
    emu_n_boards = boards;
    emu_sched_open(sched, BATCH_TENSOR, 0);
}

static uint64_t teams_of(struct emu_sched *sched)
{
    return emu_stats(sched).flights[BATCH_TENSOR][BATCH_INTERACTIVE];
}

/* The bits of one board. */
static void right_bits(float *ret)
{
    struct emu_sched sched;
    emu_n_boards = 1;
    emu_sched_open(&sched, BATCH_REPLICATE, 0);
    memcpy(ret, sched.right, sizeof sched.right);
    emu_sched_close(&sched);
}

Test(tensor, bits_are_those_of_one_board)
{
    float right[EMU_HIDDEN];
    right_bits(right);
    for (uint32_t boards = 1; boards <= EMU_MOST_BOARDS; boards++) {
        struct emu_sched sched;
        open_pool(&sched, boards);
        cr_expect_eq(memcmp(sched.right, right, sizeof right), 0, "%u boards", boards);
        cr_expect_eq(teams_of(&sched) > 0, boards > 1);
        cr_expect_eq(emu_stats(&sched).flights[BATCH_SPLIT][BATCH_INTERACTIVE], 0);
        for (uint32_t b = 0; b < boards; b++)
            cr_expect_eq(emu_info(&sched, (int)b).splits > 0, boards > 1);
        emu_sched_close(&sched);
    }
}

/* A fault on the last board of the pool. */
static void suffer(struct emu_sched *sched, enum board_fault_kind kind, uint32_t boards)
{
    const int culprit = (int)boards - 1;
    uint64_t before = emu_info(sched, culprit).quarantined;
    for (int tries = 0; emu_info(sched, culprit).quarantined == before; tries++) {
        cr_assert_lt(tries, 1000, "%s is never noticed", board_fault_name(kind));
        if (tries % 100 == 0) /* a bit that flips may change nothing */
            cr_assert_eq(emu_inject_kind(sched, (uint32_t)culprit, kind, 1), STATUS_OK);
        emu_ask(sched);
    }
    EMU_WAIT_FOR(emu_stats(sched).boards_ready == boards);
    for (int b = 0; b < culprit; b++)
        cr_assert_eq(emu_info(sched, b).quarantined, 0, "board %d was blamed for %s of board %d: %s", b,
                     board_fault_name(kind), culprit, emu_info(sched, b).last_error);
    emu_ask(sched);
}

Test(tensor, every_fault_is_survived_and_put_down_to_its_board)
{
    static const enum board_fault_kind kinds[] = {BOARD_FAULT_FAIL,   BOARD_FAULT_HANG,       BOARD_FAULT_ACCUMULATOR,
                                                  BOARD_FAULT_WEIGHT, BOARD_FAULT_ACTIVATION, BOARD_FAULT_HIDDEN,
                                                  BOARD_FAULT_LOAD};
    for (uint32_t boards = 2; boards <= EMU_MOST_BOARDS; boards += 2) {
        struct emu_sched sched;
        open_pool(&sched, boards);
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
            suffer(&sched, kinds[k], boards);
        cr_expect_gt(teams_of(&sched), 0);
        emu_sched_close(&sched);
    }
}

static double timeout_scale_of(struct emu_sched *sched, double layer_ns)
{
    pthread_mutex_lock(&sched->batch->lock);
    double scale = sched->batch->watchdog.scale;
    sched->batch->cost[0].layer_ns = layer_ns;
    pthread_mutex_unlock(&sched->batch->lock);
    return scale;
}

/* From those that were only slow the watchdog learns to wait longer, where launches are long. */
Test(tensor, a_board_that_hangs_is_not_a_slow_one)
{
    struct emu_sched sched;
    open_pool(&sched, 2);
    cr_assert_eq(timeout_scale_of(&sched, 8e6), 1);
    suffer(&sched, BOARD_FAULT_HANG, 2);
    cr_expect_eq(timeout_scale_of(&sched, 8e6), 1);
    emu_sched_close(&sched);
}

/* It keeps the others waiting, nothing more. */
Test(tensor, a_slow_board_is_not_a_failed_one)
{
    struct emu_sched sched;
    open_pool(&sched, 2);
    cr_assert_eq(emu_inject_kind(&sched, 1, BOARD_FAULT_SLOW, 0), STATUS_OK);
    for (int i = 0; i < 10; i++)
        emu_ask(&sched);
    for (int b = 0; b < 2; b++)
        cr_expect_eq(emu_info(&sched, b).quarantined, 0);
    emu_sched_close(&sched);
}

/* Whose client leaves at any moment is cancelled, or was done; boards stay in service, and the next is right. */
Test(tensor, cancelled_works_harm_nobody)
{
    struct emu_sched sched;
    open_pool(&sched, 2);
    for (int i = 0; i < 100; i++) {
        struct emu_request request;
        cr_assert_eq(emu_submit_request(&sched, &request, NULL), STATUS_OK);
        usleep((useconds_t)i);
        batch_cancel(sched.batch, &request.work);
        emu_wait(&request);
        cr_assert(request.status == STATUS_CANCELLED || request.status == STATUS_OK);
    }
    emu_ask(&sched);
    for (int b = 0; b < 2; b++)
        cr_expect_eq(emu_info(&sched, b).quarantined, 0, "%s", emu_info(&sched, b).last_error);
    emu_sched_close(&sched);
}

/* Only those of a kind that can divide outputs make a team. */
Test(tensor, boards_of_mixed_kinds)
{
    float right[EMU_HIDDEN];
    struct emu_sched sched;
    right_bits(right);
    emu_kinds[1] = "ref";
    open_pool(&sched, 3);
    cr_expect_eq(memcmp(sched.right, right, sizeof right), 0);
    for (int i = 0; i < 20; i++)
        emu_ask(&sched);
    cr_expect_eq(emu_info(&sched, 1).splits, 0);
    for (int b = 0; b < 3; b++)
        cr_expect_eq(emu_info(&sched, b).quarantined, 0, "%s", emu_info(&sched, b).last_error);
    emu_sched_close(&sched);
    emu_kinds[1] = NULL;
}

Test(tensor, a_pool_that_cannot_is_refused)
{
    struct image *image = emu_image(1);
    struct board *board = NULL;
    struct batch *batch = NULL;
    struct error err = {0};
    cr_assert_eq(board_open(&board, &(struct board_options){.kind = "ref"}, NULL), STATUS_OK);
    const struct batch_options options = {
        .image = image, .boards = &board, .n_boards = 1, .max_tokens = 100, .placement = BATCH_TENSOR};
    cr_expect_eq(batch_create(&batch, &options, &err), STATUS_USAGE);
    cr_expect(strstr(err.message, "placement tensor needs boards"), "%s", err.message);
    board_close(&board);
    image_release(&image);
}
