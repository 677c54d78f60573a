/* Works larger than the queue, and items of which only some rows are wanted. */
#include "tests/batch/sched_fixture.h"

Test(large, a_work_larger_than_the_queue_is_served_beside_others)
{
    struct sched sched;
    open_sched(&sched, 1, 8, 40);
    struct request *running = make_request(1, 8, BATCH_POOL_MEAN);
    struct request *large = make_request(64, 8, BATCH_POOL_MEAN);
    struct request *small = make_request(8, 8, BATCH_POOL_MEAN);
    struct request *late = make_request(1, 8, BATCH_POOL_MEAN);
    struct error err;
    cr_assert_eq(batch_submit(sched.batch, &running->work, &err), STATUS_OK);
    cr_assert_eq(batch_submit(sched.batch, &large->work, &err), STATUS_OK, "%s", err.message);
    cr_assert_eq(batch_submit(sched.batch, &small->work, &err), STATUS_OK, "it leaves space: %s", err.message);
    cr_assert_eq(batch_submit(sched.batch, &late->work, &err), STATUS_OVERLOADED);
    cr_assert_not_null(strstr(err.message, "72 texts are waiting and the limit is 40"), "%s", err.message);
    finish_all(&sched);
    cr_assert_eq(large->done, 1);
    for (int i = 0; i < 64; i++)
        cr_assert_float_eq(large->out[i][0], 10.0f * (float)(i + 1) + 3.5f, 0, "in order");
    cr_assert_eq(batch_submit(sched.batch, &late->work, &err), STATUS_OK, "all the space is back: %s", err.message);
    finish_all(&sched);
    close_sched(&sched);
    free(running);
    free(large);
    free(small);
    free(late);
}

Test(large, cancelling_gives_back_the_space)
{
    struct sched sched;
    open_sched(&sched, 1, 8, 33);
    struct request *running = make_request(1, 8, BATCH_POOL_MEAN);
    cr_assert_eq(batch_submit(sched.batch, &running->work, NULL), STATUS_OK);
    for (int round = 0; round < 3; round++) {
        struct request *large = make_request(64, 8, BATCH_POOL_MEAN);
        struct request *small = make_request(2, 8, BATCH_POOL_MEAN);
        cr_assert_eq(batch_submit(sched.batch, &large->work, NULL), STATUS_OK);
        cr_assert_eq(batch_submit(sched.batch, &small->work, NULL), STATUS_OVERLOADED);
        batch_cancel(sched.batch, &large->work);
        cr_assert_eq(large->done, 1);
        cr_assert_eq(large->status, STATUS_CANCELLED);
        free(large);
        free(small);
    }
    finish_all(&sched);
    close_sched(&sched);
    free(running);
}

Test(large, some_rows_of_an_item)
{
    struct sched sched;
    open_sched(&sched, 1, 100, 100);
    const enum batch_pooling poolings[] = {BATCH_POOL_CLS, BATCH_POOL_MEAN, BATCH_POOL_MAX};
    const float expected[] = {13, 14.5f, 16};
    for (int p = 0; p < 3; p++) {
        struct request *request = make_request(1, 8, poolings[p]);
        request->items[0].first_row = 3;
        request->items[0].n_rows = 4;
        cr_assert_eq(batch_submit(sched.batch, &request->work, NULL), STATUS_OK);
        finish_all(&sched);
        cr_assert_float_eq(request->out[0][0], expected[p], 0);
        free(request);
    }
    struct request *request = make_request(1, 8, BATCH_POOL_NONE);
    request->items[0].first_row = 6;
    request->items[0].n_rows = 2;
    cr_assert_eq(batch_submit(sched.batch, &request->work, NULL), STATUS_OK);
    finish_all(&sched);
    cr_assert_float_eq(request->out[0][0], 16, 0);
    cr_assert_float_eq(request->out[0][WIDTH], 17, 0);
    cr_assert_float_eq(request->out[0][2 * WIDTH], 0, 0, "nothing behind them");
    free(request);
    close_sched(&sched);
}
