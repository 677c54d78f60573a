/* The scheduler over boards whose every step the test decides: batches, pooling, limits, cancelling. */
#include "tests/batch/sched_fixture.h"

Test(batch, every_pooling_gives_its_vector)
{
    struct sched sched;
    open_sched(&sched, 1, 100, 100);
    const enum batch_pooling poolings[] = {BATCH_POOL_CLS, BATCH_POOL_MEAN, BATCH_POOL_MAX};
    const float expected[] = {10, 11, 12};
    for (int p = 0; p < 3; p++) {
        struct request *request = make_request(1, 3, poolings[p]);
        cr_assert_eq(batch_submit(sched.batch, &request->work, NULL), STATUS_OK);
        finish_all(&sched);
        cr_assert_eq(request->done, 1);
        cr_assert_eq(request->status, STATUS_OK);
        cr_assert_float_eq(request->out[0][WIDTH - 1], expected[p], 0);
        free(request);
    }
    struct request *request = make_request(2, 3, BATCH_POOL_NONE);
    cr_assert_eq(batch_submit(sched.batch, &request->work, NULL), STATUS_OK);
    finish_all(&sched);
    cr_assert_float_eq(request->out[1][2 * WIDTH], 22, 0);
    free(request);
    close_sched(&sched);
}

Test(batch, type_ids_reach_the_board_beside_texts_without)
{
    struct sched sched;
    open_sched(&sched, 1, 100, 100);
    static const uint8_t types[3] = {0, 1, 1};
    struct request *request = make_request(2, 3, BATCH_POOL_MAX);
    request->items[1].type_ids = types;
    cr_assert_eq(batch_submit(sched.batch, &request->work, NULL), STATUS_OK);
    finish_all(&sched);
    cr_assert_float_eq(request->out[0][0], 12, 0);
    cr_assert_float_eq(request->out[1][0], 1022, 0);
    free(request);
    close_sched(&sched);
}

Test(batch, idle_boards_share_a_request)
{
    struct sched sched;
    open_sched(&sched, 2, 1000, 100);
    struct request *request = make_request(32, 8, BATCH_POOL_MEAN);
    cr_assert_eq(batch_submit(sched.batch, &request->work, NULL), STATUS_OK);
    cr_assert_eq(fake_board_held(sched.boards[0]), 1);
    cr_assert_eq(fake_board_held(sched.boards[1]), 1);
    cr_assert_eq(tokens_dispatched, 32 * 8, "all of it is on a board at once");
    fake_board_finish(sched.boards[1], STATUS_OK);
    cr_assert_eq(request->done, 0);
    fake_board_finish(sched.boards[0], STATUS_OK);
    cr_assert_eq(request->done, 1);
    for (int i = 0; i < 32; i++)
        cr_assert_float_eq(request->out[i][0], 10.0f * (float)(i + 1) + 3.5f, 0);
    free(request);
    close_sched(&sched);
}

Test(batch, waiting_requests_share_a_batch_within_the_token_limit)
{
    struct sched sched;
    open_sched(&sched, 1, 20, 100);
    struct request *requests[5];
    for (int i = 0; i < 5; i++) {
        requests[i] = make_request(1, 8, BATCH_POOL_MEAN);
        cr_assert_eq(batch_submit(sched.batch, &requests[i]->work, NULL), STATUS_OK);
    }
    cr_assert_eq(tokens_dispatched, 8, "the first goes at once");
    fake_board_finish(sched.boards[0], STATUS_OK);
    cr_assert_eq(tokens_dispatched, 24, "then two of 8 within the 20");
    fake_board_finish(sched.boards[0], STATUS_OK);
    cr_assert_eq(requests[1]->done + requests[2]->done, 2);
    cr_assert_eq(requests[3]->done, 0);
    finish_all(&sched);
    for (int i = 0; i < 5; i++) {
        cr_assert_eq(requests[i]->done, 1);
        free(requests[i]);
    }
    close_sched(&sched);
}

Test(batch, a_full_queue_refuses_and_names_the_limit)
{
    struct sched sched;
    open_sched(&sched, 1, 8, 3);
    struct request *first = make_request(1, 8, BATCH_POOL_MEAN);
    struct request *second = make_request(3, 8, BATCH_POOL_MEAN);
    struct request *third = make_request(1, 8, BATCH_POOL_MEAN);
    struct error err;
    cr_assert_eq(batch_submit(sched.batch, &first->work, &err), STATUS_OK);
    cr_assert_eq(batch_submit(sched.batch, &second->work, &err), STATUS_OK);
    cr_assert_eq(batch_submit(sched.batch, &third->work, &err), STATUS_OVERLOADED);
    cr_assert_not_null(strstr(err.message, "limit is 3"));
    struct batch_stats stats;
    batch_get_stats(sched.batch, &stats);
    cr_assert_eq(stats.queued_items, 3);
    cr_assert_eq(stats.queued_tokens, 24);
    cr_assert_eq(stats.running_items, 1);
    finish_all(&sched);
    cr_assert_eq(first->done + second->done, 2);
    cr_assert_eq(third->done, 0, "what was refused is never called");
    close_sched(&sched);
    free(first);
    free(second);
    free(third);
}

Test(batch, a_backlog_is_what_keeps_boards_at_work_for_a_while)
{
    struct sched sched;
    open_sched(&sched, 2, 8, 200);
    struct request *few = make_request(34, 16, BATCH_POOL_MEAN), *more = make_request(1, 16, BATCH_POOL_MEAN);
    struct request *bulk = make_request(50, 16, BATCH_POOL_MEAN);
    bulk->work.class = BATCH_BULK;
    cr_assert_not(batch_has_backlog(sched.batch));
    batch_submit(sched.batch, &few->work, NULL);
    batch_submit(sched.batch, &bulk->work, NULL);
    cr_assert_not(batch_has_backlog(sched.batch), "512 tokens wait for two boards, besides bulk ones");
    batch_submit(sched.batch, &more->work, NULL);
    cr_assert(batch_has_backlog(sched.batch), "528 do");
    fake_board_finish(sched.boards[0], STATUS_OK);
    cr_assert_not(batch_has_backlog(sched.batch), "a text was taken");
    finish_all(&sched);
    cr_assert_eq(few->done + more->done + bulk->done, 3);
    close_sched(&sched);
    free(few);
    free(more);
    free(bulk);
}

Test(batch, cancelling_drops_what_waits_and_stops_what_runs)
{
    struct sched sched;
    open_sched(&sched, 1, 8, 100);
    struct request *running = make_request(3, 8, BATCH_POOL_MEAN);
    struct request *waiting = make_request(2, 8, BATCH_POOL_MEAN);
    struct request *other = make_request(1, 8, BATCH_POOL_MEAN);
    batch_submit(sched.batch, &running->work, NULL);
    batch_submit(sched.batch, &waiting->work, NULL);
    batch_submit(sched.batch, &other->work, NULL);
    batch_cancel(sched.batch, &waiting->work);
    cr_assert_eq(waiting->done, 1);
    cr_assert_eq(waiting->status, STATUS_CANCELLED);
    batch_cancel(sched.batch, &running->work);
    cr_assert_eq(running->done, 1, "at once, though its first text is still on the board");
    cr_assert_eq(running->status, STATUS_CANCELLED);
    cr_assert(fake_board_cancelled(sched.boards[0]), "where it stops at the next layer");
    fake_board_finish(sched.boards[0], STATUS_OK);
    cr_assert_eq(running->done, 1);
    finish_all(&sched);
    cr_assert_eq(other->status, STATUS_OK);
    cr_assert_eq(tokens_dispatched, 16, "only the running text and the other's were computed");
    batch_cancel(sched.batch, &other->work);
    cr_assert_eq(other->done, 1, "cancelling what is done does nothing");
    close_sched(&sched);
    free(running);
    free(waiting);
    free(other);
}

Test(batch, batch_mates_of_the_cancelled_go_on)
{
    struct sched sched;
    open_sched(&sched, 1, 100, 100);
    struct request *first = make_request(1, 8, BATCH_POOL_MEAN);
    struct request *gone = make_request(1, 8, BATCH_POOL_MEAN);
    struct request *mate = make_request(1, 8, BATCH_POOL_MEAN);
    batch_submit(sched.batch, &first->work, NULL);
    batch_submit(sched.batch, &gone->work, NULL);
    batch_submit(sched.batch, &mate->work, NULL);
    fake_board_finish(sched.boards[0], STATUS_OK);
    batch_cancel(sched.batch, &gone->work);
    fake_board_finish(sched.boards[0], STATUS_OK);
    cr_assert_eq(gone->status, STATUS_CANCELLED);
    cr_assert_eq(mate->status, STATUS_OK);
    cr_assert_float_eq(mate->out[0][0], 13.5f, 0);
    close_sched(&sched);
    free(first);
    free(gone);
    free(mate);
}
