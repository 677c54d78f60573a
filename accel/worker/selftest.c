/* The self-test goes through the queue like any task, but with an engine of its own. */
#include "accel/backend_selftest.h"
#include "accel/worker/worker_board.h"
#include "base/clock.h"
#include "base/cond.h"

/* Unless an engine wants more. */
#define SELFTEST_NS 1500000000ull

struct selftest {
    struct board_task task;
    struct engine *engine;
    pthread_mutex_t lock;
    pthread_cond_t done_wake;
    bool done;
    enum status status;
    struct error err;
};

static void selftest_done(struct board_task *task, enum status status, const struct error *err)
{
    struct selftest *test = (struct selftest *)task;
    pthread_mutex_lock(&test->lock);
    test->status = status;
    if (status)
        test->err = *err;
    test->done = true;
    pthread_cond_signal(&test->done_wake);
    pthread_mutex_unlock(&test->lock);
}

struct engine *worker_selftest_engine(const struct board_task *task)
{
    return task->on_done == selftest_done ? ((const struct selftest *)task)->engine : NULL;
}

/* Wait for the test's end, which a hanging board must be forced to. False: it was. */
static bool selftest_wait(struct worker *worker, struct selftest *test, uint64_t limit_ns)
{
    uint64_t at = clock_now_ns() + limit_ns;
    pthread_mutex_lock(&test->lock);
    while (!test->done && clock_now_ns() < at)
        cond_wait_until(&test->done_wake, &test->lock, at);
    bool done = test->done;
    pthread_mutex_unlock(&test->lock);
    if (!done)
        worker_give_up(worker);
    pthread_mutex_lock(&test->lock);
    while (!test->done)
        pthread_cond_wait(&test->done_wake, &test->lock);
    pthread_mutex_unlock(&test->lock);
    return done;
}

enum status worker_selftest(struct board *board, struct error *err)
{
    struct worker *worker = (struct worker *)board;
    struct backend_selftest *input = NULL;
    struct selftest test = {.lock = PTHREAD_MUTEX_INITIALIZER};
    cond_init(&test.done_wake);
    enum status status = backend_selftest_create(&input, worker->ops->precision, worker->ops->is_card,
                                                 board_sections(board->backend->kind), err);
    if (!status)
        status = worker_create_engine(worker, &test.engine, input->image, err);
    if (!status) {
        test.task = input->task;
        test.task.on_done = selftest_done;
        worker_submit(board, &test.task);
        uint64_t limit_ns = worker->ops->selftest_ns ? worker->ops->selftest_ns : SELFTEST_NS;
        bool ended = selftest_wait(worker, &test, limit_ns);
        worker->ops->destroy(test.engine);
        if (test.status && !ended)
            status = error_set(err, STATUS_BACKEND, "self-test of board %s: it did not end within %.1f seconds",
                               worker->base.name, (double)limit_ns * 1e-9);
        else if (test.status)
            status = error_set(err, STATUS_BACKEND, "self-test of %s", test.err.message); /* names the board */
        else if (backend_selftest_check(input, err))
            status = error_prefix(err, STATUS_BACKEND, "board %s: ", worker->base.name);
    }
    backend_selftest_destroy(&input);
    pthread_cond_destroy(&test.done_wake);
    return status;
}
