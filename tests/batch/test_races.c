/* Failures and cancelling between the layers of a batch, and both at once. */
#include "tests/batch/sched_fixture.h"

static struct request *submit(struct sched *sched, uint32_t tokens, enum batch_class class)
{
    struct request *request = make_request(1, tokens, BATCH_POOL_MEAN);
    request->work.class = class;
    cr_assert_eq(batch_submit(sched->batch, &request->work, NULL), STATUS_OK);
    check_invariants(sched);
    return request;
}

static uint64_t quarantined(struct sched *sched, int board)
{
    struct batch_board_info infos[MAX_BOARDS];
    batch_get_boards(sched->batch, infos);
    return infos[board].quarantined;
}

static void expect_nothing_held(struct sched *sched, const char *why)
{
    check_invariants(sched);
    for (int b = 0; b < MAX_BOARDS && sched->boards[b]; b++)
        cr_assert_eq(fake_board_held(sched->boards[b]), 0, "board %d: %s", b, why);
}

/* The rest of a request that was computed again. */
static void finish_request(struct sched *sched, struct request *request)
{
    for (int tries = 0; !request->done; tries++) {
        cr_assert_lt(tries, 300000);
        finish_all(sched);
        usleep(1000);
    }
    cr_assert_eq(request->status, STATUS_OK, "%s", request->err.message);
    cr_assert_float_eq(request->out[0][0], 10 + 7.5f, 0);
    free(request);
}

/* One board failed: the others must not go on with what it did not do. */
static void split_fails_on(int failing, bool fails_first)
{
    struct sched sched;
    open_placed(&sched, 2, 100, 100, BATCH_SPLIT);
    struct request *request = submit(&sched, 16, BATCH_INTERACTIVE);
    const struct board_job *job = fake_board_peek(sched.boards[0]).job;
    fake_board_finish(sched.boards[fails_first ? failing : !failing], fails_first ? STATUS_BACKEND : STATUS_OK);
    fake_board_finish(sched.boards[fails_first ? !failing : failing], fails_first ? STATUS_OK : STATUS_BACKEND);
    check_invariants(&sched);
    for (int b = 0; b < 2; b++) {
        struct board_task next = fake_board_peek(sched.boards[b]);
        cr_assert(!next.job || next.job != job || next.layer_begin == 0, "a batch that failed goes on");
        cr_assert(next.kind != BOARD_FINISH || next.row_end == 16, "a batch that failed goes on");
    }
    cr_assert_eq(quarantined(&sched, failing), 1);
    finish_request(&sched, request);
    close_sched(&sched);
}

Test(races, a_split_does_not_go_on_after_one_board_failed)
{
    for (int board = 0; board < 2; board++)
        for (int first = 0; first < 2; first++)
            split_fails_on(board, first);
}

/* All boards were done with the round before they could see that nobody wants it any more. */
Test(races, a_split_that_is_cancelled_between_layers_stops)
{
    struct sched sched;
    open_placed(&sched, 2, 100, 100, BATCH_SPLIT);
    sched.batch->watchdog.scale = 2;
    struct request *request = submit(&sched, 16, BATCH_INTERACTIVE);
    cr_assert(fake_board_finish_before_cancel(sched.boards[0]));
    batch_cancel(sched.batch, &request->work);
    check_invariants(&sched);
    cr_assert_eq(request->status, STATUS_CANCELLED);
    cr_assert(fake_board_finish_before_cancel(sched.boards[1]));
    expect_nothing_held(&sched, "a cancelled batch goes on");
    cr_assert_eq(sched.batch->watchdog.scale, 2, "from half a launch nothing is learned");
    cr_assert_eq(quarantined(&sched, 0) + quarantined(&sched, 1), 0);
    cr_assert_eq(request->done, 1);
    free(request);
    finish_request(&sched, submit(&sched, 16, BATCH_INTERACTIVE));
    close_sched(&sched);
}

/* Its boards were told to go. */
Test(races, a_team_that_is_cancelled_teaches_nothing)
{
    struct sched sched;
    fake_exchange = 64;
    open_placed(&sched, 2, 100, 100, BATCH_TENSOR);
    sched.batch->watchdog.scale = 2;
    struct request *request = submit(&sched, 16, BATCH_INTERACTIVE);
    batch_cancel(sched.batch, &request->work);
    for (int b = 0; b < 2; b++)
        cr_assert(fake_board_finish(sched.boards[b], STATUS_OK));
    expect_nothing_held(&sched, "a cancelled batch goes on");
    cr_assert_eq(request->status, STATUS_CANCELLED);
    cr_assert_eq(sched.batch->watchdog.scale, 2);
    cr_assert_eq(quarantined(&sched, 0) + quarantined(&sched, 1), 0);
    fake_exchange = 0;
    free(request);
    close_sched(&sched);
}

Test(races, a_split_of_which_one_board_failed_when_it_was_cancelled_ends)
{
    for (int failing = 0; failing < 2; failing++) {
        struct sched sched;
        open_placed(&sched, 2, 100, 100, BATCH_SPLIT);
        struct request *request = submit(&sched, 16, BATCH_INTERACTIVE);
        struct board_task *task = fake_board_pop(sched.boards[failing]);
        batch_cancel(sched.batch, &request->work);
        task->on_done(task, STATUS_BACKEND, NULL);
        cr_assert(fake_board_finish_before_cancel(sched.boards[!failing]));
        expect_nothing_held(&sched, "a cancelled batch is computed again");
        cr_assert_eq(quarantined(&sched, failing), 1, "the board failed all the same");
        cr_assert_eq(quarantined(&sched, !failing), 0);
        cr_assert_eq(request->done, 1);
        cr_assert_eq(request->status, STATUS_CANCELLED);
        free(request);
        close_sched(&sched);
    }
}

Test(races, a_batch_that_is_cancelled_as_its_layer_ends_is_not_resumed)
{
    struct sched sched;
    open_sched(&sched, 1, 4000, 100);
    struct request *bulk = make_request(60, 16, BATCH_POOL_MEAN);
    bulk->work.class = BATCH_BULK;
    batch_submit(sched.batch, &bulk->work, NULL);
    cr_assert_eq(fake_board_peek(sched.boards[0]).layer_end, 1);
    batch_cancel(sched.batch, &bulk->work);
    cr_assert_eq(bulk->status, STATUS_CANCELLED);
    cr_assert(fake_board_finish_before_cancel(sched.boards[0]));
    expect_nothing_held(&sched, "a cancelled batch goes on");
    free(bulk);
    finish_request(&sched, submit(&sched, 16, BATCH_INTERACTIVE));
    close_sched(&sched);
}

Test(races, a_batch_that_is_cancelled_as_it_ends_is_not_delivered)
{
    struct sched sched;
    open_sched(&sched, 1, 100, 100);
    struct request *request = submit(&sched, 16, BATCH_INTERACTIVE);
    batch_cancel(sched.batch, &request->work);
    cr_assert(fake_board_finish_before_cancel(sched.boards[0]));
    expect_nothing_held(&sched, "a cancelled batch goes on");
    cr_assert_eq(request->status, STATUS_CANCELLED);
    cr_assert_float_eq(request->out[0][0], 0, 0, "its memory is no longer written");
    free(request);
    close_sched(&sched);
}

Test(races, a_batch_that_is_cancelled_as_it_fails_is_not_computed_again)
{
    struct sched sched;
    open_sched(&sched, 2, 100, 100);
    struct request *request = submit(&sched, 16, BATCH_INTERACTIVE);
    struct board_task *task = fake_board_pop(sched.boards[0]);
    batch_cancel(sched.batch, &request->work);
    task->on_done(task, STATUS_BACKEND, NULL);
    expect_nothing_held(&sched, "a cancelled batch is computed again");
    cr_assert_eq(quarantined(&sched, 0), 1, "the board failed all the same");
    cr_assert_eq(request->done, 1);
    free(request);
    close_sched(&sched);
}

/* A batch waits between its layers; its only client leaves; nothing of it is left. */
Test(races, a_suspended_batch_that_is_cancelled_is_gone)
{
    struct sched sched;
    open_sched(&sched, 1, 4000, 100);
    struct request *bulk = make_request(60, 16, BATCH_POOL_MEAN);
    bulk->work.class = BATCH_BULK;
    batch_submit(sched.batch, &bulk->work, NULL);
    struct request *quick = submit(&sched, 16, BATCH_INTERACTIVE);
    cr_assert(fake_board_finish(sched.boards[0], STATUS_OK));
    cr_assert_eq(fake_board_peek(sched.boards[0]).row_end, 16);
    batch_cancel(sched.batch, &bulk->work);
    check_invariants(&sched);
    cr_assert_eq(bulk->done, 1);
    cr_assert_eq(bulk->status, STATUS_CANCELLED);
    finish_request(&sched, quick);
    expect_nothing_held(&sched, "a cancelled batch goes on");
    free(bulk);
    close_sched(&sched);
}

/* A split waits at a barrier for a board that hangs; the board that is free by then serves others meanwhile. */
Test(races, a_split_that_was_given_up_does_not_go_on_when_its_board_comes_back)
{
    struct sched sched;
    open_placed(&sched, 2, 100, 100, BATCH_SPLIT);
    struct request *request = submit(&sched, 16, BATCH_INTERACTIVE);
    struct board_task *hung = fake_board_pop(sched.boards[1]);
    const struct board_job *job = hung->job;
    cr_assert(fake_board_finish(sched.boards[0], STATUS_OK));
    WAIT_FOR(fake_board_held(sched.boards[0]) == 1); /* computed again there alone */
    check_invariants(&sched);
    cr_assert_neq(fake_board_peek(sched.boards[0]).job, job);
    hung->on_done(hung, STATUS_OK, NULL); /* it was only slow */
    check_invariants(&sched);
    cr_assert_eq(fake_board_held(sched.boards[0]), 1, "what was given up goes on");
    cr_assert_eq(fake_board_held(sched.boards[1]), 0, "what was given up goes on");
    finish_request(&sched, request);
    cr_assert_eq(quarantined(&sched, 0), 0);
    cr_assert_eq(quarantined(&sched, 1), 1);
    close_sched(&sched);
}

/* Both boards of a split are given up; one of them lets go of it, the other does not yet. */
Test(races, a_board_that_lets_go_of_what_was_given_up_serves_again)
{
    struct sched sched;
    open_placed(&sched, 2, 100, 100, BATCH_SPLIT);
    struct request *request = submit(&sched, 16, BATCH_INTERACTIVE);
    struct board_task *hung = fake_board_pop(sched.boards[1]);
    WAIT_FOR(fake_board_held(sched.boards[0]) == 1 && fake_board_peek(sched.boards[0]).job != hung->job);
    check_invariants(&sched);
    finish_request(&sched, request);
    cr_assert_eq(quarantined(&sched, 0), 1);
    hung->on_done(hung, STATUS_BACKEND, NULL);
    check_invariants(&sched);
    close_sched(&sched);
}

static void *destroy(void *cookie)
{
    struct sched *sched = cookie;
    batch_destroy(&sched->batch, false);
    return NULL;
}

/* What runs, what is suspended and what waits. */
Test(races, an_end_without_a_drain_cancels_all)
{
    struct sched sched;
    pthread_t thread;
    open_sched(&sched, 1, 4000, 100);
    struct request *bulk = make_request(60, 16, BATCH_POOL_MEAN);
    bulk->work.class = BATCH_BULK;
    batch_submit(sched.batch, &bulk->work, NULL);
    struct request *quick = submit(&sched, 16, BATCH_INTERACTIVE);
    cr_assert(fake_board_finish(sched.boards[0], STATUS_OK));
    struct request *late = submit(&sched, 16, BATCH_INTERACTIVE);
    struct board *board = sched.boards[0];
    cr_assert_eq(pthread_create(&thread, NULL, destroy, &sched), 0);
    WAIT_FOR(fake_board_cancelled(board));
    cr_assert(fake_board_finish(board, STATUS_OK));
    pthread_join(thread, NULL);
    struct request *requests[] = {bulk, quick, late};
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(requests[i]->done, 1);
        cr_assert_eq(requests[i]->status, STATUS_CANCELLED);
        free(requests[i]);
    }
    image_release(&sched.image);
}

/* As the image's repair resets boards under running batches: a task may come back as cancelled that nobody cancelled.
 */
Test(races, a_task_that_its_board_cancelled_is_computed_again)
{
    struct sched sched;
    open_sched(&sched, 2, 100, 100);
    struct request *request = submit(&sched, 16, BATCH_INTERACTIVE);
    struct board_task *task = fake_board_pop(sched.boards[0]);
    task->on_done(task, STATUS_CANCELLED, NULL);
    check_invariants(&sched);
    cr_assert_eq(request->done, 0);
    finish_request(&sched, request);
    close_sched(&sched);
}
