/* Injected faults through the scheduler: answers keep their bits, boards come back; the scrub. */
#include <stdio.h>

#include "tests/batch/emu_sched.h"

static void suffer(struct emu_sched *sched, enum board_fault_kind kind, uint32_t count)
{
    uint64_t before = emu_info(sched, 0).quarantined;
    if (emu_inject_kind(sched, 0, kind, count) == STATUS_UNSUPPORTED)
        return; /* an engine without checksums */
    for (int tries = 1; emu_info(sched, 0).quarantined == before; tries++) {
        cr_assert_lt(tries, 1000, "%s is never noticed", board_fault_name(kind));
        emu_ask(sched);
        if (tries % 100 == 0) /* a bit of a weight, say, whose inputs were all 0, changed nothing */
            emu_inject_kind(sched, 0, kind, count);
    }
    EMU_WAIT_FOR(emu_stats(sched).boards_ready == EMU_BOARDS);
    struct batch_board_info info = emu_info(sched, 0);
    cr_assert_eq(info.readmitted, info.quarantined);
    cr_assert(info.last_error[0] && info.last_error_ns > 0);
    emu_ask(sched);
}

Test(faults, every_kind_is_survived_with_the_same_bits)
{
    static const enum board_fault_kind kinds[] = {BOARD_FAULT_FAIL,   BOARD_FAULT_HANG,       BOARD_FAULT_ACCUMULATOR,
                                                  BOARD_FAULT_WEIGHT, BOARD_FAULT_ACTIVATION, BOARD_FAULT_HIDDEN,
                                                  BOARD_FAULT_LOAD};
    static const enum batch_placement placements[] = {BATCH_REPLICATE, BATCH_SPLIT};
    for (int p = 0; p < 2; p++) {
        struct emu_sched sched;
        emu_sched_open(&sched, placements[p], 0);
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
            suffer(&sched, kinds[k], 1);
        emu_sched_close(&sched);
    }
    cr_assert_eq(emu_events[BATCH_BOARD_OUT], emu_events[BATCH_BOARD_BACK]);
}

Test(faults, a_board_that_fails_its_test_tries_again)
{
    struct emu_sched sched;
    emu_sched_open(&sched, BATCH_REPLICATE, 0);
    suffer(&sched, BOARD_FAULT_FAIL, 3); /* a task, then its self-test twice */
    suffer(&sched, BOARD_FAULT_LOAD, 3);
    cr_assert_eq(emu_events[BATCH_TEST_FAILED], 2, "of five failures those that differ");
    cr_assert_eq(emu_events[BATCH_FAULT], 2);
    cr_assert_eq(emu_info(&sched, 0).faults, 2);
    emu_sched_close(&sched);
}

Test(faults, a_slow_board_is_not_a_failed_one)
{
    struct emu_sched sched;
    emu_sched_open(&sched, BATCH_REPLICATE, 0);
    cr_assert_eq(emu_inject_kind(&sched, 0, BOARD_FAULT_SLOW, 0), STATUS_OK);
    for (int i = 0; i < 10; i++)
        emu_ask(&sched);
    cr_assert_eq(emu_info(&sched, 0).quarantined, 0);
    cr_assert_eq(emu_inject_kind(&sched, EMU_BOARDS, BOARD_FAULT_FAIL, 0), STATUS_USAGE);
    emu_sched_close(&sched);
}

Test(faults, a_slow_board_gets_fewer_rows)
{
    const struct board_fault slow = {.kind = BOARD_FAULT_SLOW, .factor = 30, .for_ns = 3600000000000ull};
    uint64_t before[2], rows[2] = {0};
    struct emu_sched sched;
    emu_sched_open(&sched, BATCH_SPLIT, 0);
    cr_assert_eq(batch_inject(sched.batch, 1, &slow, NULL), STATUS_OK);
    for (int tries = 0; rows[1] >= rows[0]; tries++) {
        cr_assert_lt(tries, 1000, "never");
        for (int b = 0; b < 2; b++)
            before[b] = emu_info(&sched, b).stats.rows;
        emu_ask(&sched);
        for (int b = 0; b < 2; b++)
            rows[b] = emu_info(&sched, b).stats.rows - before[b];
    }
    emu_sched_close(&sched);
}

Test(faults, all_boards_at_once_and_back_without_help)
{
    struct emu_sched sched;
    emu_sched_open(&sched, BATCH_REPLICATE, 0);
    struct emu_request request;
    for (uint32_t b = 0; b < EMU_BOARDS; b++)
        cr_assert_eq(emu_inject_kind(&sched, b, BOARD_FAULT_LOAD, 16), STATUS_OK);
    cr_assert_eq(emu_submit_request(&sched, &request, NULL), STATUS_OK);
    EMU_WAIT_FOR(emu_stats(&sched).boards_ready == 0);
    emu_expect_unhealthy(&sched);
    struct batch_stats stats = emu_stats(&sched);
    cr_assert(stats.retry_after_ms >= 1 && stats.retry_after_ms < 20000, "%u", stats.retry_after_ms);
    emu_wait(&request);
    EMU_WAIT_FOR(emu_stats(&sched).boards_ready == EMU_BOARDS);
    emu_ask(&sched);
    emu_sched_close(&sched);
}

Test(scrub, a_board_with_a_damaged_copy_goes_alone)
{
    struct emu_sched sched;
    emu_sched_open(&sched, BATCH_REPLICATE, 20000000);
    EMU_WAIT_FOR(emu_stats(&sched).scrubs >= 2);
    cr_assert_eq(emu_stats(&sched).scrub_failures, 0);
    cr_assert_eq(emu_inject_kind(&sched, 1, BOARD_FAULT_IMAGE, 1), STATUS_OK);
    EMU_WAIT_FOR(emu_info(&sched, 1).readmitted == 1);
    cr_assert_eq(emu_stats(&sched).scrub_failures, 1);
    cr_assert_eq(emu_info(&sched, 0).quarantined, 0);
    cr_assert_not_null(strstr(emu_info(&sched, 1).last_error, "checksum"));
    cr_assert_eq(emu_events[BATCH_IMAGE_DAMAGED], 0);
    emu_ask(&sched);
    emu_sched_close(&sched);
}

/* As cosmic rays do it, without a lock. */
__attribute__((no_sanitize("thread"))) static void damage(struct emu_sched *sched)
{
    ((unsigned char *)sched->image->bytes)[sched->image->size / 3] ^= 16;
}

Test(scrub, the_shared_image_is_built_again)
{
    struct emu_sched sched;
    emu_sched_open(&sched, BATCH_REPLICATE, 20000000);
    damage(&sched);
    EMU_WAIT_FOR(emu_events[BATCH_IMAGE_REPAIRED] == 1);
    EMU_WAIT_FOR(emu_stats(&sched).boards_ready == EMU_BOARDS);
    cr_assert(image_verify(sched.image));
    for (int b = 0; b < EMU_BOARDS; b++)
        cr_assert(emu_info(&sched, b).quarantined == 1 && emu_info(&sched, b).readmitted == 1);
    emu_ask(&sched);
    emu_sched_close(&sched);
}

/* Without a scrub it is found when a board does not take it back. */
Test(scrub, a_board_that_cannot_load_it_finds_the_damage)
{
    struct emu_sched sched;
    emu_sched_open(&sched, BATCH_REPLICATE, 0);
    damage(&sched);
    cr_assert_eq(emu_inject_kind(&sched, 0, BOARD_FAULT_FAIL, 1), STATUS_OK);
    struct emu_request request;
    cr_assert_eq(emu_submit_request(&sched, &request, NULL), STATUS_OK);
    emu_wait(&request);
    EMU_WAIT_FOR(emu_events[BATCH_IMAGE_REPAIRED] == 1);
    EMU_WAIT_FOR(emu_stats(&sched).boards_ready == EMU_BOARDS);
    emu_ask(&sched);
    emu_sched_close(&sched);
}

/* The last one lasts: nothing is tried again for ten seconds. */
static char last_words[512];

static void keep_words(void *cookie, const struct batch_event *event)
{
    if (event->kind == BATCH_IMAGE_LOST)
        snprintf(last_words, sizeof last_words, "%s", event->words);
    emu_on_event(cookie, event);
}

static void stays_out(uint32_t rebuild_seed, const char *words)
{
    struct emu_sched sched;
    emu_sched_open_with(&sched, BATCH_REPLICATE, 20000000, keep_words);
    atomic_store(&emu_rebuild_seed, rebuild_seed);
    damage(&sched);
    EMU_WAIT_FOR(emu_events[BATCH_IMAGE_LOST] == 1);
    EMU_WAIT_FOR(emu_stats(&sched).boards_ready == 0);
    emu_expect_unhealthy(&sched);
    EMU_WAIT_FOR(strstr(emu_info(&sched, 0).last_error, "restart bertd"));
    cr_assert_not_null(strstr(last_words, words), "%s", last_words);
    emu_sched_close(&sched);
}

Test(scrub, what_cannot_be_built_again_stays_out)
{
    stays_out(0, "gone");
}

Test(scrub, another_model_is_not_taken)
{
    stays_out(2, "no longer the one");
}

Test(report, flights_by_placement_and_class)
{
    struct emu_sched sched;
    emu_sched_open(&sched, BATCH_SPLIT, 0);
    struct batch_stats stats = emu_stats(&sched);
    cr_assert_gt(stats.flights[BATCH_SPLIT][BATCH_INTERACTIVE], 0);
    cr_assert_eq(stats.flights[BATCH_SPLIT][BATCH_BULK], 0);
    cr_assert_eq(stats.flights[BATCH_PIPELINE][BATCH_INTERACTIVE], 0);
    struct batch_board_info info = emu_info(&sched, 1);
    cr_assert_str_eq(info.kind, "emu");
    cr_assert_str_eq(info.name, "emu1");
    cr_assert(info.busy_share >= 0 && info.busy_share <= 1);
    cr_assert_not(info.stats.has_temperature);
    cr_assert_eq(info.last_error[0], 0);
    cr_assert_eq(stats.queued_items_of[BATCH_INTERACTIVE] + stats.queued_items_of[BATCH_BULK], stats.queued_items);
    emu_sched_close(&sched);
}
