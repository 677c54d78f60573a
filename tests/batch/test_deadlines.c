/* A work past its deadline is completed with TIMEOUT, wherever it is; nobody else's is. */
#include "tests/batch/sched_fixture.h"

static struct request *submit(struct sched *sched, uint32_t n, uint32_t tokens, enum batch_class class,
                              uint64_t limit_ns)
{
    struct request *request = make_request(n, tokens, BATCH_POOL_MEAN);
    struct error err;
    request->work.class = class;
    request->work.deadline_ns = limit_ns ? clock_now_ns() + limit_ns : 0;
    cr_assert_eq(batch_submit(sched->batch, &request->work, &err), STATUS_OK, "%s", err.message);
    check_invariants(sched);
    return request;
}

Test(deadlines, what_waits_past_its_deadline_is_dropped)
{
    struct sched sched;
    open_sched(&sched, 1, 8, 100);
    struct request *running = submit(&sched, 1, 8, BATCH_INTERACTIVE, 0);
    struct request *late = submit(&sched, 1, 8, BATCH_INTERACTIVE, 100000000);
    WAIT_FOR(late->done == 1);
    cr_assert_eq(late->status, STATUS_TIMEOUT);
    cr_assert_not_null(strstr(late->err.message, "waited for a board"));
    finish_all(&sched);
    cr_assert_eq(running->status, STATUS_OK);
    cr_assert_eq(tokens_dispatched, 8);
    close_sched(&sched);
    free(running);
    free(late);
}

/* The board still holds it: the work does not wait for that. */
Test(deadlines, what_runs_past_its_deadline_is_cancelled)
{
    struct sched sched;
    open_sched(&sched, 1, 100, 100);
    struct request *late = submit(&sched, 2, 8, BATCH_INTERACTIVE, 50000000);
    WAIT_FOR(late->done == 1);
    check_invariants(&sched);
    cr_assert_eq(late->status, STATUS_TIMEOUT);
    cr_assert_not_null(strstr(late->err.message, "was computed"));
    cr_assert_eq(fake_board_held(sched.boards[0]), 1);
    cr_assert(fake_board_cancelled(sched.boards[0]));
    fake_board_finish(sched.boards[0], STATUS_OK);
    cr_assert_eq(late->done, 1);
    close_sched(&sched);
    free(late);
}

/* The timer looks every 10 ms: whatever its last look said, a result behind the deadline is late. */
Test(deadlines, what_is_computed_behind_its_deadline_is_late)
{
    for (int i = 0; i < 20; i++) {
        struct sched sched;
        open_sched(&sched, 1, 100, 100);
        struct request *late = submit(&sched, 1, 8, BATCH_INTERACTIVE, 2000000);
        struct request *mate = submit(&sched, 1, 8, BATCH_INTERACTIVE, 0);
        while (clock_now_ns() < late->work.deadline_ns)
            ;
        finish_all(&sched);
        cr_assert_eq(late->done, 1);
        cr_assert_eq(late->status, STATUS_TIMEOUT);
        cr_assert_eq(mate->status, STATUS_OK);
        check_invariants(&sched);
        close_sched(&sched);
        free(late);
        free(mate);
    }
}

Test(deadlines, batch_mates_of_what_is_late_go_on)
{
    struct sched sched;
    open_sched(&sched, 1, 100, 100);
    struct request *first = submit(&sched, 1, 8, BATCH_INTERACTIVE, 0);
    struct request *late = submit(&sched, 1, 8, BATCH_INTERACTIVE, 150000000);
    struct request *mate = submit(&sched, 2, 8, BATCH_INTERACTIVE, 0);
    fake_board_finish(sched.boards[0], STATUS_OK);
    cr_assert_eq(fake_board_peek(sched.boards[0]).row_end, 24);
    WAIT_FOR(late->done == 1);
    cr_assert_eq(late->status, STATUS_TIMEOUT);
    cr_assert_not(fake_board_cancelled(sched.boards[0]));
    finish_all(&sched);
    cr_assert_eq(mate->status, STATUS_OK);
    cr_assert_float_eq(mate->out[1][0], 23.5f, 0);
    cr_assert_float_eq(late->out[0][0], 0, 0, "its memory is no longer written");
    close_sched(&sched);
    free(first);
    free(late);
    free(mate);
}

/* On a machine that was busy when the server started, say. */
Test(deadlines, an_estimate_that_is_wrong_does_not_refuse_for_ever)
{
    struct sched sched;
    open_sched(&sched, 1, 100, 100);
    sched.batch->cost[0].layer_ns = 1e12;
    struct request *request = make_request(1, 8, BATCH_POOL_MEAN);
    struct error err;
    enum status status = STATUS_TIMEOUT;
    uint32_t refused = 0;
    for (; status == STATUS_TIMEOUT && refused < 100; refused++) {
        request->work.deadline_ns = clock_now_ns() + 60000000000;
        status = batch_submit(sched.batch, &request->work, &err);
    }
    cr_assert_eq(status, STATUS_OK, "%s", err.message);
    cr_assert_gt(refused, 2);
    finish_all(&sched);
    cr_assert_eq(request->status, STATUS_OK);
    cr_assert_float_eq(sched.batch->belief, 1, 0);
    close_sched(&sched);
    free(request);
}

/* A bulk batch between two layers, while the board has something better to do. */
Test(deadlines, what_is_suspended_past_its_deadline_is_dropped)
{
    struct sched sched;
    open_sched(&sched, 1, 4000, 100);
    struct request *late = submit(&sched, 60, 16, BATCH_BULK, 300000000);
    struct request *quick = submit(&sched, 1, 8, BATCH_INTERACTIVE, 0);
    fake_board_finish(sched.boards[0], STATUS_OK);
    check_invariants(&sched);
    cr_assert_eq(fake_board_peek(sched.boards[0]).row_end, 8, "the interactive text is next");
    cr_assert_eq(late->done, 0);
    WAIT_FOR(late->done == 1);
    check_invariants(&sched);
    cr_assert_eq(late->status, STATUS_TIMEOUT);
    cr_assert_eq(quick->done, 0);
    finish_all(&sched);
    cr_assert_eq(quick->status, STATUS_OK);
    struct batch_stats stats;
    batch_get_stats(sched.batch, &stats);
    cr_assert_eq(stats.running_items, 0);
    close_sched(&sched);
    free(late);
    free(quick);
}

/* Some of it was computed, some runs, some waits. */
Test(deadlines, one_work_in_several_places_ends_once)
{
    struct sched sched;
    open_sched(&sched, 2, 16, 100);
    struct request *late = submit(&sched, 8, 8, BATCH_INTERACTIVE, 100000000);
    fake_board_finish(sched.boards[0], STATUS_OK);
    cr_assert_eq(late->done, 0);
    WAIT_FOR(late->done > 0);
    cr_assert_eq(late->status, STATUS_TIMEOUT);
    finish_all(&sched);
    cr_assert_eq(late->done, 1);
    close_sched(&sched);
    free(late);
}
