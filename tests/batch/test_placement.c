/* How the scheduler lays batches over boards, and when bulk work yields. */
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

Test(placement, bulk_yields_after_a_layer)
{
    struct sched sched;
    open_sched(&sched, 1, 4000, 100);
    struct request *bulk = make_request(60, 16, BATCH_POOL_MEAN), *quick = make_request(1, 8, BATCH_POOL_MEAN);
    bulk->work.class = BATCH_BULK;
    batch_submit(sched.batch, &bulk->work, NULL);
    struct board_task task = fake_board_peek(sched.boards[0]);
    cr_assert_eq(task.layer_end - task.layer_begin, 1);
    batch_submit(sched.batch, &quick->work, NULL);
    fake_board_finish(sched.boards[0], STATUS_OK);
    task = fake_board_peek(sched.boards[0]);
    cr_assert_eq(task.row_end, 8, "the interactive text is next");
    cr_assert_eq(task.layer_end, LAYERS);
    fake_board_finish(sched.boards[0], STATUS_OK);
    cr_assert_eq(quick->done, 1);
    task = fake_board_peek(sched.boards[0]);
    cr_assert_eq(task.layer_begin, 1, "bulk goes on where it was");
    finish_all(&sched);
    cr_assert_eq(bulk->status, STATUS_OK);
    cr_assert_float_eq(bulk->out[59][0], 600 + 7.5f, 0);
    free(bulk);
    free(quick);
    close_sched(&sched);
}

/* How many boards a lone text gets where two batches were in flight of late, and nothing since `idle_ns`. */
static uint32_t boards_after(uint64_t idle_ns)
{
    struct sched sched;
    open_placed(&sched, 2, 100, 100, BATCH_AUTO);
    pthread_mutex_lock(&sched.batch->lock);
    sched.batch->cost[0].row_ns = 10e6; /* so that sharing pays */
    sched.batch->concurrency = 2;
    sched.batch->idle_since_ns = clock_now_ns() - idle_ns;
    pthread_mutex_unlock(&sched.batch->lock);
    struct request *request = make_request(1, 16, BATCH_POOL_MEAN);
    batch_submit(sched.batch, &request->work, NULL);
    uint32_t boards = fake_board_held(sched.boards[0]) + fake_board_held(sched.boards[1]);
    finish_all(&sched);
    cr_assert_eq(request->status, STATUS_OK);
    cr_expect_neq(sched.batch->idle_since_ns, 0, "it is idle again");
    free(request);
    close_sched(&sched);
    return boards;
}

Test(placement, clients_that_stayed_away_are_not_waited_for)
{
    cr_expect_eq(boards_after(0), 1, "others will soon want a board");
    cr_expect_eq(boards_after(2ull * PLANNER_ABSENCE_NS), 2);
}

Test(placement, a_split_text_alternates_project_and_finish)
{
    struct sched sched;
    open_placed(&sched, 2, 100, 100, BATCH_SPLIT);
    struct request *request = make_request(1, 16, BATCH_POOL_MEAN);
    batch_submit(sched.batch, &request->work, NULL);
    for (int b = 0; b < 2; b++) {
        struct board_task task = fake_board_peek(sched.boards[b]);
        cr_assert_eq(task.kind, BOARD_PROJECT);
        cr_assert_eq(task.row_begin, (uint32_t)b * 8);
        cr_assert_eq(task.row_end, (uint32_t)b * 8 + 8);
    }
    fake_board_finish(sched.boards[0], STATUS_OK);
    cr_assert_eq(fake_board_held(sched.boards[0]), 0, "it waits for the other's keys and values");
    fake_board_finish(sched.boards[1], STATUS_OK);
    for (int b = 0; b < 2; b++) {
        cr_assert_eq(fake_board_held(sched.boards[b]), 2);
        cr_assert_eq(fake_board_peek(sched.boards[b]).kind, BOARD_FINISH);
    }
    finish_all(&sched);
    cr_assert_eq(request->status, STATUS_OK);
    cr_assert_float_eq(request->out[0][0], 10 + 7.5f, 0);
    cr_assert_eq(info_of(&sched, 0).splits, 1);
    free(request);
    close_sched(&sched);
}

Test(placement, a_split_that_was_suspended_projects_again)
{
    struct sched sched;
    open_placed(&sched, 2, 4000, 100, BATCH_SPLIT);
    pthread_mutex_lock(&sched.batch->lock);
    sched.batch->cost[0].row_ns = 10e6; /* so that bulk goes layer by layer */
    pthread_mutex_unlock(&sched.batch->lock);
    struct request *bulk = make_request(10, 16, BATCH_POOL_MEAN);
    bulk->work.class = BATCH_BULK;
    batch_submit(sched.batch, &bulk->work, NULL);
    for (int round = 0; round < 2; round++)
        for (int b = 0; b < 2; b++)
            cr_assert(fake_board_finish(sched.boards[b], STATUS_OK));
    check_invariants(&sched);
    for (int b = 0; b < 2; b++) {
        struct board_task task = fake_board_peek(sched.boards[b]);
        cr_assert_eq(task.kind, BOARD_PROJECT);
        cr_assert_eq(task.layer_begin, 1);
        cr_assert_eq(fake_board_held(sched.boards[b]), 1);
    }
    finish_all(&sched);
    cr_assert_eq(bulk->status, STATUS_OK);
    free(bulk);
    close_sched(&sched);
}

Test(placement, a_split_that_fails_on_one_board_is_computed_again)
{
    struct sched sched;
    open_placed(&sched, 2, 100, 100, BATCH_SPLIT);
    struct request *request = make_request(1, 16, BATCH_POOL_MEAN);
    batch_submit(sched.batch, &request->work, NULL);
    fake_board_finish(sched.boards[0], STATUS_OK);
    fake_board_finish(sched.boards[1], STATUS_BACKEND);
    for (int tries = 0; !request->done; tries++) {
        cr_assert_lt(tries, 300000);
        finish_all(&sched);
        usleep(1000);
    }
    cr_assert_eq(request->status, STATUS_OK);
    cr_assert_float_eq(request->out[0][0], 10 + 7.5f, 0);
    cr_assert_eq(info_of(&sched, 1).quarantined, 1);
    WAIT_FOR(in_service(&sched) == 2);
    free(request);
    close_sched(&sched);
}

Test(placement, a_team_gets_a_task_a_board_over_all_layers)
{
    struct sched sched;
    fake_exchange = 64;
    open_placed(&sched, 3, 100, 100, BATCH_TENSOR);
    struct request *request = make_request(1, 16, BATCH_POOL_MEAN);
    batch_submit(sched.batch, &request->work, NULL);
    const struct board_team *team = fake_board_peek(sched.boards[0]).team;
    cr_assert(team && team->n == 3 && team->exchange);
    for (uint32_t b = 0; b < 3; b++) {
        struct board_task task = fake_board_peek(sched.boards[b]);
        cr_assert(task.kind == BOARD_TENSOR && task.team == team && task.member == b);
        cr_assert(task.row_begin == 0 && task.row_end == 16 && task.layer_begin == 0 && task.layer_end == LAYERS);
    }
    for (uint32_t b = 0; b < 3; b++) {
        cr_assert_eq(request->done, 0);
        fake_board_finish(sched.boards[b], STATUS_OK);
        check_invariants(&sched);
    }
    cr_assert_eq(request->status, STATUS_OK);
    cr_assert_float_eq(request->out[0][0], 10 + 7.5f, 0);
    struct batch_stats stats;
    batch_get_stats(sched.batch, &stats);
    cr_assert_eq(stats.flights[BATCH_TENSOR][BATCH_INTERACTIVE], 1);
    cr_assert_eq(info_of(&sched, 2).splits, 1);
    free(request);
    close_sched(&sched);
}

/* The others report before it or behind it. */
Test(placement, of_a_team_that_fails_one_board_is_at_fault)
{
    for (int failing = 0; failing < 3; failing++) {
        struct sched sched;
        fake_exchange = 64;
        open_placed(&sched, 3, 100, 100, BATCH_TENSOR);
        struct request *request = make_request(1, 16, BATCH_POOL_MEAN);
        batch_submit(sched.batch, &request->work, NULL);
        for (int b = 0; b < 3; b++) {
            fake_board_finish(sched.boards[b], b == failing ? STATUS_BACKEND : STATUS_CANCELLED);
            check_invariants(&sched);
        }
        for (int tries = 0; !request->done; tries++) {
            cr_assert_lt(tries, 300000);
            finish_all(&sched);
            usleep(1000);
        }
        cr_assert_eq(request->status, STATUS_OK);
        cr_assert_float_eq(request->out[0][0], 10 + 7.5f, 0);
        for (int b = 0; b < 3; b++)
            cr_assert_eq(info_of(&sched, b).quarantined, b == failing);
        WAIT_FOR(in_service(&sched) == 3);
        free(request);
        close_sched(&sched);
    }
}

/* It is waited for, and the others wait: it alone goes. */
Test(placement, of_a_team_that_hangs_the_late_board_goes)
{
    struct sched sched;
    fake_exchange = 64;
    open_placed(&sched, 3, 100, 100, BATCH_TENSOR);
    struct request *request = make_request(1, 16, BATCH_POOL_MEAN);
    batch_submit(sched.batch, &request->work, NULL);
    struct board_team *team = fake_board_peek(sched.boards[0]).team;
    atomic_store(&team->members[0].meetings, 7);
    atomic_store(&team->members[1].meetings, 6);
    atomic_store(&team->members[2].meetings, 7);
    WAIT_FOR(info_of(&sched, 1).quarantined == 1);
    cr_assert_not(board_team_meet(team, 0), "the others are told to go");
    for (int b = 0; b < 3; b += 2)
        fake_board_finish(sched.boards[b], STATUS_OK); /* as cancelled */
    for (int tries = 0; !request->done; tries++) {
        cr_assert_lt(tries, 300000);
        finish_all(&sched);
        usleep(1000);
    }
    cr_assert_eq(request->status, STATUS_OK);
    for (int b = 0; b < 3; b++)
        cr_assert_eq(info_of(&sched, b).quarantined, b == 1);
    WAIT_FOR(in_service(&sched) == 3);
    free(request);
    close_sched(&sched);
}

/* Where all have come as often, nobody waits: none of them answers. */
Test(placement, of_a_team_that_hangs_with_nobody_late_all_go)
{
    struct sched sched;
    fake_exchange = 64;
    open_placed(&sched, 2, 100, 100, BATCH_TENSOR);
    struct request *request = make_request(1, 16, BATCH_POOL_MEAN);
    batch_submit(sched.batch, &request->work, NULL);
    WAIT_FOR(info_of(&sched, 0).quarantined == 1 && info_of(&sched, 1).quarantined == 1);
    for (int tries = 0; !request->done; tries++) {
        cr_assert_lt(tries, 300000);
        finish_all(&sched);
        usleep(1000);
    }
    cr_assert_eq(request->status, STATUS_OK);
    WAIT_FOR(in_service(&sched) == 2);
    free(request);
    close_sched(&sched);
}

Test(placement, a_team_goes_on_with_fewer_boards)
{
    struct sched sched;
    fake_exchange = 64;
    open_placed(&sched, 3, 4000, 100, BATCH_TENSOR);
    struct request *bulk = make_request(30, 16, BATCH_POOL_MEAN), *quick = make_request(1, 8, BATCH_POOL_MEAN);
    bulk->work.class = BATCH_BULK;
    batch_submit(sched.batch, &bulk->work, NULL);
    batch_submit(sched.batch, &quick->work, NULL);
    cr_assert_eq(fake_board_peek(sched.boards[0]).layer_end, 1);
    for (int b = 0; b < 3; b++)
        cr_assert(fake_board_finish(sched.boards[b], STATUS_OK));
    cr_assert_eq(fake_board_peek(sched.boards[0]).row_end, 8, "bulk is suspended");
    batch_cancel(sched.batch, &quick->work);
    atomic_store(&((struct fake_board *)sched.boards[2])->broken, true); /* it fails, and stays out */
    for (int b = 0; b < 2; b++)
        cr_assert(fake_board_finish(sched.boards[b], STATUS_OK));
    struct board_task *failing = fake_board_pop(sched.boards[2]);
    failing->on_done(failing, STATUS_BACKEND, &(struct error){.status = STATUS_BACKEND});
    cr_assert_eq(info_of(&sched, 2).quarantined, 1);
    for (int b = 0; b < 2; b++) {
        struct board_task task = fake_board_peek(sched.boards[b]);
        cr_assert(task.layer_begin == 1 && task.team && task.team->n == 2);
    }
    finish_all(&sched);
    cr_assert_eq(bulk->status, STATUS_OK);
    cr_assert_float_eq(bulk->out[29][0], 300 + 7.5f, 0);
    fake_exchange = 0;
    free(bulk);
    free(quick);
    close_sched(&sched);
}

/* One that was out of service is back by the next launch. */
Test(placement, a_team_goes_on_with_more_boards)
{
    struct sched sched;
    fake_exchange = 64;
    open_placed(&sched, 3, 4000, 100, BATCH_TENSOR);
    struct fake_board *absent = (struct fake_board *)sched.boards[2];
    struct request *quick = make_request(1, 8, BATCH_POOL_MEAN), *bulk = make_request(30, 16, BATCH_POOL_MEAN);
    bulk->work.class = BATCH_BULK;
    atomic_store(&absent->broken, true); /* so that it stays out */
    batch_submit(sched.batch, &quick->work, NULL);
    for (int b = 0; b < 2; b++)
        cr_assert(fake_board_finish(sched.boards[b], STATUS_OK));
    cr_assert(fake_board_finish(sched.boards[2], STATUS_BACKEND));
    finish_all(&sched);
    cr_assert(quick->done == 1 && quick->status == STATUS_OK);
    batch_submit(sched.batch, &bulk->work, NULL);
    cr_assert_eq(fake_board_peek(sched.boards[0]).team->n, 2);
    atomic_store(&absent->broken, false);
    WAIT_FOR(in_service(&sched) == 3);
    for (int b = 0; b < 2; b++)
        cr_assert(fake_board_finish(sched.boards[b], STATUS_OK));
    const struct board_team *team = fake_board_peek(sched.boards[2]).team;
    for (uint32_t b = 0; b < 3; b++) {
        struct board_task task = fake_board_peek(sched.boards[b]);
        cr_assert(task.layer_begin == 1 && task.team == team && team->n == 3 && task.member == b);
    }
    cr_assert_geq(fake_exchange_boards, 3, "what they exchange has room for all");
    finish_all(&sched);
    cr_assert_eq(bulk->status, STATUS_OK);
    cr_assert_float_eq(bulk->out[29][0], 300 + 7.5f, 0);
    fake_exchange = 0;
    free(bulk);
    free(quick);
    close_sched(&sched);
}

Test(placement, a_pipeline_goes_from_board_to_board)
{
    struct sched sched;
    open_placed(&sched, 2, 100, 100, BATCH_PIPELINE);
    struct request *request = make_request(1, 16, BATCH_POOL_MEAN), *behind = make_request(1, 16, BATCH_POOL_MEAN);
    batch_submit(sched.batch, &request->work, NULL);
    cr_assert_eq(fake_board_peek(sched.boards[0]).layer_end, LAYERS / 2);
    batch_submit(sched.batch, &behind->work, NULL);
    fake_board_finish(sched.boards[0], STATUS_OK);
    cr_assert_eq(fake_board_peek(sched.boards[1]).layer_begin, LAYERS / 2);
    cr_assert_eq(fake_board_held(sched.boards[0]), 1, "the next batch enters behind it");
    finish_all(&sched);
    cr_assert_eq(request->status, STATUS_OK);
    cr_assert_eq(behind->status, STATUS_OK);
    cr_assert_float_eq(behind->out[0][0], 10 + 7.5f, 0);
    free(request);
    free(behind);
    close_sched(&sched);
}
