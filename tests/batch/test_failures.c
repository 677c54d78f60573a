/* The scheduler when boards fail or hang. */
#include "server/batch/sched.h"
#include "tests/batch/sched_fixture.h"

static struct batch_board_info info_of(struct sched *sched, int board)
{
    struct batch_board_info infos[MAX_BOARDS];
    batch_get_boards(sched->batch, infos);
    return infos[board];
}

static uint32_t in_service(struct sched *sched)
{
    struct batch_stats stats;
    batch_get_stats(sched->batch, &stats);
    return stats.boards_ready;
}

Test(failures, a_failed_batch_runs_again_elsewhere)
{
    struct sched sched;
    open_sched(&sched, 2, 100, 100);
    struct request *request = make_request(1, 8, BATCH_POOL_MEAN);
    cr_assert_eq(batch_submit(sched.batch, &request->work, NULL), STATUS_OK);
    cr_assert(fake_board_finish(sched.boards[0], STATUS_BACKEND));
    WAIT_FOR(fake_board_held(sched.boards[1]) == 1);
    cr_assert(fake_board_finish(sched.boards[1], STATUS_OK));
    cr_assert_eq(request->done, 1);
    cr_assert_eq(request->status, STATUS_OK);
    cr_assert_float_eq(request->out[0][0], 13.5f, 0);
    WAIT_FOR(info_of(&sched, 0).readmitted == 1);
    cr_assert_eq(info_of(&sched, 0).quarantined, 1);
    cr_assert_eq(in_service(&sched), 2);
    free(request);
    close_sched(&sched);
}

/* Boards that fail one after another must not cost a request that is not at fault. */
Test(failures, boards_that_fail_in_turn_cost_no_request)
{
    struct sched sched;
    open_sched(&sched, MAX_BOARDS, 100, 100);
    struct request *request = make_request(3, 8, BATCH_POOL_MEAN);
    batch_submit(sched.batch, &request->work, NULL);
    for (int failures = 0; failures < 6;) {
        for (int b = 0; b < MAX_BOARDS; b++)
            failures += fake_board_finish(sched.boards[b], STATUS_BACKEND);
        usleep(1000);
    }
    for (int tries = 0; !request->done; tries++) {
        cr_assert_lt(tries, 300000);
        finish_all(&sched);
        usleep(1000);
    }
    cr_assert_eq(request->status, STATUS_OK, "%s", request->err.message);
    for (int i = 0; i < 3; i++)
        cr_assert_float_eq(request->out[i][0], 10.0f * (float)(i + 1) + 3.5f, 0);
    WAIT_FOR(in_service(&sched) == MAX_BOARDS);
    free(request);
    close_sched(&sched);
}

/* One text that no board can compute must not take its batch mates with it. */
Test(failures, a_poisonous_text_fails_alone_and_is_named)
{
    struct sched sched;
    open_sched(&sched, 2, 100, 100);
    struct request *first = make_request(1, 8, BATCH_POOL_MEAN), *second = make_request(1, 8, BATCH_POOL_MEAN);
    batch_submit(sched.batch, &first->work, NULL);
    batch_submit(sched.batch, &second->work, NULL); /* both boards are busy */
    struct request *mates = make_request(3, 8, BATCH_POOL_MEAN);
    const uint32_t poison = mates->ids[1][0];
    batch_submit(sched.batch, &mates->work, NULL);
    struct request *innocent = make_request(1, 9, BATCH_POOL_MEAN);
    batch_submit(sched.batch, &innocent->work, NULL);
    for (int tries = 0; !(mates->done && innocent->done); tries++) {
        cr_assert_lt(tries, 300000);
        for (int b = 0; b < 2; b++)
            fake_board_finish_unless(sched.boards[b], poison);
        usleep(1000);
    }
    cr_assert_eq(mates->done, 1);
    cr_assert_eq(mates->status, STATUS_BACKEND);
    cr_assert_not_null(strstr(mates->err.message, "`inputs[1]` failed 8 times"), "%s", mates->err.message);
    cr_assert_eq(innocent->status, STATUS_OK);
    WAIT_FOR(in_service(&sched) == 2);
    close_sched(&sched);
    free(first);
    free(second);
    free(mates);
    free(innocent);
}

Test(failures, a_hung_board_is_given_up_and_comes_back_after_a_reset)
{
    struct sched sched;
    open_sched(&sched, 2, 100, 100);
    struct request *request = make_request(1, 8, BATCH_POOL_MEAN);
    batch_submit(sched.batch, &request->work, NULL);
    cr_assert_eq(fake_board_held(sched.boards[0]), 1);
    WAIT_FOR(fake_board_held(sched.boards[1]) == 1); /* the watchdog gave up on board 0 */
    cr_assert(fake_board_finish(sched.boards[1], STATUS_OK));
    cr_assert_eq(request->status, STATUS_OK);
    WAIT_FOR(in_service(&sched) == 2);
    cr_assert_eq(fake_board_held(sched.boards[0]), 0, "the reset took the old task back");
    cr_assert_eq(request->done, 1);
    free(request);
    close_sched(&sched);
}

static double timeout_scale_of(const struct sched *sched)
{
    pthread_mutex_lock(&sched->batch->lock);
    double timeout_scale = sched->batch->watchdog.scale;
    pthread_mutex_unlock(&sched->batch->lock);
    return timeout_scale;
}

Test(failures, a_board_that_was_given_up_and_is_only_slow_is_waited_for_longer)
{
    struct sched sched;
    open_sched(&sched, 2, 100, 100);
    pthread_mutex_lock(&sched.batch->lock);
    sched.batch->cost[0].layer_ns = 60e6; /* long launches: of short ones slowness tells nothing */
    pthread_mutex_unlock(&sched.batch->lock);
    for (int times = 0; times < 2; times++) {
        struct request *request = make_request(1, 8, BATCH_POOL_MEAN);
        batch_submit(sched.batch, &request->work, NULL);
        atomic_store(&((struct fake_board *)sched.boards[0])->slow, times == 1);
        cr_assert_eq(fake_board_held(sched.boards[0]), 1);
        WAIT_FOR(fake_board_held(sched.boards[1]) == 1);
        WAIT_FOR(in_service(&sched) == 2);
        cr_expect_eq(timeout_scale_of(&sched), 1 + times, "that it hung tells nothing, that it was slow does");
        finish_all(&sched);
        cr_assert_eq(request->status, STATUS_OK);
        free(request);
    }
    cr_expect_lt(timeout_scale_of(&sched), 2, "it wears off with what ends well");
    close_sched(&sched);
}

Test(failures, a_broken_board_stays_out_and_the_rest_goes_on)
{
    struct sched sched;
    open_sched(&sched, 2, 100, 100);
    atomic_store(&((struct fake_board *)sched.boards[0])->broken, true);
    struct request *request = make_request(1, 8, BATCH_POOL_MEAN);
    batch_submit(sched.batch, &request->work, NULL);
    fake_board_finish(sched.boards[0], STATUS_BACKEND);
    WAIT_FOR(atomic_load(&((struct fake_board *)sched.boards[0])->selftests) >= 3);
    cr_assert_eq(in_service(&sched), 1);
    finish_all(&sched);
    cr_assert_eq(request->status, STATUS_OK);
    atomic_store(&((struct fake_board *)sched.boards[0])->broken, false);
    WAIT_FOR(in_service(&sched) == 2);
    free(request);
    close_sched(&sched);
}

/* However often: it is not the batch's failure. */
Test(failures, what_a_damaged_board_computes_just_now_is_computed_again)
{
    struct sched sched = {.image = make_image()};
    for (int b = 0; b < 2; b++)
        sched.boards[b] = fake_board_create();
    struct batch_options options = {.image = sched.image,
                                    .boards = sched.boards,
                                    .n_boards = 2,
                                    .max_tokens = 100,
                                    .max_queued_items = 100,
                                    .placement = BATCH_REPLICATE,
                                    .scrub_interval_ns = 5000000};
    cr_assert_eq(batch_create(&sched.batch, &options, NULL), STATUS_OK);
    struct request *request = make_request(1, 8, BATCH_POOL_MEAN);
    batch_submit(sched.batch, &request->work, NULL);
    for (uint32_t times = 1; times <= 4; times++) {
        int at = fake_board_held(sched.boards[0]) ? 0 : 1;
        uint64_t before = info_of(&sched, at).quarantined;
        atomic_store(&((struct fake_board *)sched.boards[at])->damaged, true);
        WAIT_FOR(info_of(&sched, at).quarantined == before + 1);
        WAIT_FOR(in_service(&sched) == 2 && fake_board_held(sched.boards[0]) + fake_board_held(sched.boards[1]) == 1);
        cr_assert_eq(request->done, 0);
    }
    finish_all(&sched);
    cr_assert_eq(request->status, STATUS_OK);
    cr_assert_float_eq(request->out[0][0], 13.5f, 0);
    free(request);
    close_sched(&sched);
}

static void open_scrubbed(struct sched *sched, uint32_t boards, enum batch_placement placement)
{
    *sched = (struct sched){.image = make_image()};
    for (uint32_t b = 0; b < boards; b++)
        sched->boards[b] = fake_board_create();
    struct batch_options options = {.image = sched->image,
                                    .boards = sched->boards,
                                    .n_boards = boards,
                                    .max_tokens = 4000,
                                    .max_queued_items = 100,
                                    .placement = placement,
                                    .scrub_interval_ns = 5000000};
    cr_assert_eq(batch_create(&sched->batch, &options, NULL), STATUS_OK);
}

/* What was computed in damaged memory is in doubt. */
Test(failures, what_is_suspended_when_a_board_is_damaged_begins_again)
{
    struct sched sched;
    open_scrubbed(&sched, 1, BATCH_REPLICATE);
    struct request *bulk = make_request(30, 16, BATCH_POOL_MEAN), *quick = make_request(1, 8, BATCH_POOL_MEAN);
    bulk->work.class = BATCH_BULK;
    batch_submit(sched.batch, &bulk->work, NULL);
    batch_submit(sched.batch, &quick->work, NULL);
    cr_assert(fake_board_finish(sched.boards[0], STATUS_OK));
    cr_assert_eq(fake_board_peek(sched.boards[0]).row_end, 8, "bulk is suspended");
    atomic_store(&((struct fake_board *)sched.boards[0])->damaged, true);
    WAIT_FOR(info_of(&sched, 0).readmitted == 1);
    check_invariants(&sched);
    WAIT_FOR(fake_board_peek(sched.boards[0]).row_end == 8);
    cr_assert(fake_board_finish(sched.boards[0], STATUS_OK));
    WAIT_FOR(quick->done == 1);
    struct board_task task = fake_board_peek(sched.boards[0]);
    cr_assert_eq(task.layer_begin, 0);
    cr_assert_eq(task.row_end, 30 * 16);
    finish_all(&sched);
    cr_assert_eq(bulk->status, STATUS_OK);
    cr_assert_float_eq(bulk->out[29][0], 300 + 7.5f, 0);
    free(bulk);
    free(quick);
    close_sched(&sched);
}

Test(failures, a_team_that_is_suspended_when_a_board_is_damaged_begins_again)
{
    struct sched sched;
    fake_exchange = 64;
    open_scrubbed(&sched, 2, BATCH_TENSOR);
    struct fake_board *damaged = (struct fake_board *)sched.boards[0];
    struct request *bulk = make_request(30, 16, BATCH_POOL_MEAN), *quick = make_request(1, 8, BATCH_POOL_MEAN);
    bulk->work.class = BATCH_BULK;
    batch_submit(sched.batch, &bulk->work, NULL);
    batch_submit(sched.batch, &quick->work, NULL);
    for (int b = 0; b < 2; b++)
        cr_assert(fake_board_finish(sched.boards[b], STATUS_OK));
    cr_assert_eq(fake_board_peek(sched.boards[1]).row_end, 8, "bulk is suspended");
    atomic_store(&damaged->broken, true); /* so that it stays out */
    atomic_store(&damaged->damaged, true);
    WAIT_FOR(info_of(&sched, 0).quarantined == 1);
    check_invariants(&sched);
    WAIT_FOR(fake_board_held(sched.boards[0]) == 0);
    for (int tries = 0; !quick->done; tries++) {
        cr_assert_lt(tries, 300000);
        fake_board_finish(sched.boards[1], STATUS_OK);
    }
    struct board_task task = fake_board_peek(sched.boards[1]);
    cr_assert(task.kind == BOARD_RUN && task.layer_begin == 0 && task.row_end == 30 * 16);
    finish_all(&sched);
    cr_assert(quick->status == STATUS_OK && bulk->status == STATUS_OK);
    cr_assert_float_eq(bulk->out[29][0], 300 + 7.5f, 0);
    fake_exchange = 0;
    free(bulk);
    free(quick);
    close_sched(&sched);
}

/* One board of a split was damaged and the other fails as well. */
Test(failures, a_split_over_a_damaged_board_begins_again)
{
    struct sched sched;
    open_scrubbed(&sched, 2, BATCH_SPLIT);
    struct request *request = make_request(1, 16, BATCH_POOL_MEAN);
    batch_submit(sched.batch, &request->work, NULL);
    struct board_task *task = fake_board_pop(sched.boards[1]);
    atomic_store(&((struct fake_board *)sched.boards[0])->damaged, true);
    WAIT_FOR(fake_board_held(sched.boards[0]) == 0);
    task->on_done(task, STATUS_OK, NULL);
    cr_assert_eq(info_of(&sched, 1).quarantined, 0);
    cr_assert(fake_board_finish(sched.boards[1], STATUS_BACKEND), "it runs there, and fails again");
    cr_assert_eq(info_of(&sched, 1).quarantined, 1);
    for (int tries = 0; !request->done; tries++) {
        cr_assert_lt(tries, 300000);
        finish_all(&sched);
        usleep(1000);
    }
    cr_assert_eq(request->status, STATUS_OK);
    cr_assert_float_eq(request->out[0][0], 10 + 7.5f, 0);
    free(request);
    close_sched(&sched);
}

/* Who left a team without being at fault is not out of the next one for that. */
Test(failures, a_team_with_a_damaged_board_begins_again_without_it)
{
    struct sched sched;
    fake_exchange = 64;
    open_scrubbed(&sched, 3, BATCH_TENSOR);
    struct request *request = make_request(1, 16, BATCH_POOL_MEAN);
    batch_submit(sched.batch, &request->work, NULL);
    struct board_task *tasks[] = {fake_board_pop(sched.boards[1]), fake_board_pop(sched.boards[2])};
    struct fake_board *damaged = (struct fake_board *)sched.boards[0];
    atomic_store(&damaged->broken, true); /* so that it stays out */
    atomic_store(&damaged->damaged, true);
    WAIT_FOR(fake_board_held(sched.boards[0]) == 0);
    for (int t = 0; t < 2; t++)
        tasks[t]->on_done(tasks[t], STATUS_CANCELLED, &(struct error){.status = STATUS_CANCELLED});
    WAIT_FOR(fake_board_held(sched.boards[1]) == 1);
    struct board_task again = fake_board_peek(sched.boards[1]);
    cr_assert(again.team && again.team->n == 2 && again.layer_begin == 0);
    for (int b = 1; b < 3; b++) {
        cr_assert(fake_board_finish(sched.boards[b], STATUS_OK));
        cr_assert_eq(info_of(&sched, b).quarantined, 0);
    }
    cr_assert(request->done == 1 && request->status == STATUS_OK);
    cr_assert_float_eq(request->out[0][0], 10 + 7.5f, 0);
    fake_exchange = 0;
    free(request);
    close_sched(&sched);
}

Test(failures, a_self_test_that_hangs_keeps_no_other_board_out)
{
    struct sched sched;
    open_sched(&sched, 2, 100, 100);
    struct fake_board *stuck = (struct fake_board *)sched.boards[0];
    atomic_store(&stuck->stuck, true);
    struct request *first = make_request(1, 8, BATCH_POOL_MEAN), *second = make_request(1, 8, BATCH_POOL_MEAN);
    batch_submit(sched.batch, &first->work, NULL);
    batch_submit(sched.batch, &second->work, NULL);
    fake_board_finish(sched.boards[0], STATUS_BACKEND);
    WAIT_FOR(atomic_load(&stuck->selftests) == 1);
    fake_board_finish(sched.boards[1], STATUS_BACKEND);
    WAIT_FOR(info_of(&sched, 1).readmitted == 1);
    cr_assert_eq(in_service(&sched), 1);
    cr_assert_str_eq(info_of(&sched, 0).state, "testing");
    for (int tries = 0; !(first->done && second->done); tries++) {
        cr_assert_lt(tries, 300000);
        fake_board_finish(sched.boards[1], STATUS_OK);
        usleep(1000);
    }
    cr_assert_eq(first->status, STATUS_OK);
    cr_assert_eq(second->status, STATUS_OK);
    atomic_store(&stuck->stuck, false);
    WAIT_FOR(in_service(&sched) == 2);
    free(first);
    free(second);
    close_sched(&sched);
}

/* No task tells that an idle board is dead; and while it is tested it is given none. */
Test(failures, an_idle_board_is_tested_from_time_to_time)
{
    struct sched sched = {.image = make_image()};
    sched.boards[0] = fake_board_create();
    struct batch_options options = {.image = sched.image,
                                    .boards = sched.boards,
                                    .n_boards = 1,
                                    .max_tokens = 100,
                                    .max_queued_items = 100,
                                    .placement = BATCH_REPLICATE,
                                    .probe_interval_ns = 5000000};
    cr_assert_eq(batch_create(&sched.batch, &options, NULL), STATUS_OK);
    struct fake_board *fake = (struct fake_board *)sched.boards[0];
    WAIT_FOR(atomic_load(&fake->selftests) >= 3);
    cr_assert_eq(info_of(&sched, 0).quarantined, 0);
    atomic_store(&fake->stuck, true);
    uint32_t before = atomic_load(&fake->selftests);
    WAIT_FOR(atomic_load(&fake->selftests) > before);
    struct request *request = make_request(1, 8, BATCH_POOL_MEAN);
    cr_assert_eq(batch_submit(sched.batch, &request->work, NULL), STATUS_OK);
    cr_assert_eq(fake_board_held(sched.boards[0]), 0);
    atomic_store(&fake->stuck, false);
    WAIT_FOR(fake_board_held(sched.boards[0]) == 1);
    before = atomic_load(&fake->selftests);
    usleep(20000);
    cr_assert_eq(atomic_load(&fake->selftests), before, "a board at work is not tested");
    fake_board_finish(sched.boards[0], STATUS_OK);
    cr_assert_eq(request->status, STATUS_OK);
    atomic_store(&fake->broken, true);
    WAIT_FOR(in_service(&sched) == 0);
    atomic_store(&fake->broken, false);
    WAIT_FOR(in_service(&sched) == 1);
    cr_assert_eq(info_of(&sched, 0).quarantined, 1);
    free(request);
    close_sched(&sched);
}

Test(failures, with_no_board_left_requests_are_refused_until_one_is_back)
{
    struct sched sched;
    open_sched(&sched, 1, 100, 100);
    atomic_store(&((struct fake_board *)sched.boards[0])->broken, true);
    struct request *request = make_request(1, 8, BATCH_POOL_MEAN), *late = make_request(1, 8, BATCH_POOL_MEAN);
    batch_submit(sched.batch, &request->work, NULL);
    fake_board_finish(sched.boards[0], STATUS_BACKEND);
    struct error err;
    WAIT_FOR(request->done);
    cr_assert_eq(batch_submit(sched.batch, &late->work, &err), STATUS_UNHEALTHY);
    cr_assert_eq(request->status, STATUS_UNHEALTHY, "what waited is told, not kept for ever");
    atomic_store(&((struct fake_board *)sched.boards[0])->broken, false);
    WAIT_FOR(in_service(&sched) == 1);
    cr_assert_eq(batch_submit(sched.batch, &late->work, &err), STATUS_OK);
    finish_all(&sched);
    cr_assert_eq(late->status, STATUS_OK);
    free(request);
    free(late);
    close_sched(&sched);
}

Test(failures, what_cannot_be_done_in_time_is_refused_at_once)
{
    struct sched sched;
    open_sched(&sched, 1, 100, 100);
    struct request *request = make_request(1, 8, BATCH_POOL_MEAN);
    request->work.deadline_ns = clock_now_ns() + 1;
    struct error err;
    cr_assert_eq(batch_submit(sched.batch, &request->work, &err), STATUS_TIMEOUT);
    cr_assert_eq(request->done, 0);
    cr_assert_not_null(strstr(err.message, "time limit"));
    free(request);
    close_sched(&sched);
}

/* 40 texts that take six seconds on one board and more than one on five. */
static enum status ask_in_time(uint32_t boards, uint64_t limit_ns)
{
    struct sched sched;
    open_sched(&sched, boards, 1000, 100);
    pthread_mutex_lock(&sched.batch->lock);
    sched.batch->cost[0].row_ns = 10e6;
    pthread_mutex_unlock(&sched.batch->lock);
    struct request *request = make_request(40, 8, BATCH_POOL_MEAN);
    struct error err;
    request->work.class = BATCH_BULK;
    request->work.deadline_ns = clock_now_ns() + limit_ns;
    enum status status = batch_submit(sched.batch, &request->work, &err);
    finish_all(&sched);
    cr_assert_eq(request->done, status == STATUS_OK);
    free(request);
    close_sched(&sched);
    return status;
}

Test(failures, what_several_boards_can_do_in_time_is_not_refused)
{
    cr_expect_eq(ask_in_time(1, 3000000000), STATUS_TIMEOUT);
    cr_expect_eq(ask_in_time(2, 3000000000), STATUS_OK);
    cr_expect_eq(ask_in_time(5, 3000000000), STATUS_OK);
    cr_expect_eq(ask_in_time(5, 500000000), STATUS_TIMEOUT);
}
