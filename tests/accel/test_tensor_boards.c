/* TENSOR tasks on boards: those that fail, hang, are cancelled, reset or closed let the others go, and only who is at
 * fault says so. What engines make of them, test_tensor.c sees.
 */
#include <criterion/criterion.h>
#include <sched.h>
#include <string.h>

#include "base/mem.h"
#include "tests/accel/notes.h"

enum { MOST = 4 };

struct pool {
    struct image *image;
    struct board *boards[MOST];
    uint32_t n;
    struct log log;
    struct note *notes[MOST]; /* the first has the job of all */
    struct note *right;
    struct board_team team;
    void *exchange;
};

static void open_pool(struct pool *pool, uint32_t n)
{
    *pool = (struct pool){.image = tiny_image(&tiny_shapes[2], IMAGE_INT8, 1), .n = n, .log = LOG_INIT};
    pool->right = note_create(&pool->log, pool->image, 3);
    cr_assert_eq(tiny_run(&ref_engine, &pool->right->batch, NULL), STATUS_OK);
    for (uint32_t m = 0; m < n; m++) {
        pool->boards[m] = open_loaded("emu", pool->image);
        pool->notes[m] = note_create(&pool->log, pool->image, 3);
    }
    const struct board_job *job = &pool->notes[0]->batch.job;
    size_t size = board_exchange_size(pool->boards[0], pool->image, job->n_rows, n);
    cr_assert_gt(size, 0);
    pool->exchange = mem_alloc_aligned(BOARD_TEAM_ALIGN, size);
}

static void close_pool(struct pool *pool)
{
    for (uint32_t m = 0; m < pool->n; m++) {
        board_close(&pool->boards[m]);
        note_destroy(pool->notes[m]);
    }
    note_destroy(pool->right);
    mem_free(pool->exchange);
    image_release(&pool->image);
}

static void submit_one(struct pool *pool, uint32_t member)
{
    struct board_task *task = &pool->notes[member]->task;
    task->job = &pool->notes[0]->batch.job;
    task->kind = BOARD_TENSOR;
    task->team = &pool->team;
    task->member = member;
    board_submit(pool->boards[member], task);
}

static void submit(struct pool *pool)
{
    board_team_init(&pool->team, pool->n, pool->exchange);
    for (uint32_t m = 0; m < pool->n; m++)
        submit_one(pool, m);
}

static void run(struct pool *pool)
{
    uint32_t before = pool->log.n;
    submit(pool);
    log_wait(&pool->log, before + pool->n);
}

static void expect_right(struct pool *pool)
{
    run(pool);
    for (uint32_t m = 0; m < pool->n; m++)
        cr_assert_eq(pool->notes[m]->status, STATUS_OK, "%s", pool->notes[m]->message);
    cr_assert(tiny_batch_equal(&pool->notes[0]->batch, &pool->right->batch), "wrong bits");
}

/* All but `culprit` (MOST: nobody) left without being at fault. */
static void expect_fault(const struct pool *pool, uint32_t culprit)
{
    for (uint32_t m = 0; m < pool->n; m++)
        cr_expect_eq(pool->notes[m]->status, m == culprit ? STATUS_BACKEND : STATUS_CANCELLED, "board %u: %s", m,
                     pool->notes[m]->message);
}

Test(tensor, boards_compute_together_and_count_each_row_once)
{
    for (uint32_t n = 1; n <= MOST; n++) {
        struct pool pool;
        uint64_t rows = 0;
        open_pool(&pool, n);
        expect_right(&pool);
        expect_right(&pool);
        for (uint32_t m = 0; m < n; m++) {
            struct board_stats stats;
            board_stats(pool.boards[m], &stats);
            cr_expect(stats.tasks_done == 2 && stats.layers == 6);
            rows += stats.rows;
        }
        cr_expect_eq(rows, 2 * 3 * NOTE_ROWS);
        close_pool(&pool);
    }
}

Test(tensor, a_board_that_fails_lets_the_others_go)
{
    static const enum board_fault_kind faults[] = {BOARD_FAULT_FAIL, BOARD_FAULT_LOAD};
    for (uint32_t n = 2; n <= MOST; n += 2)
        for (uint32_t culprit = 0; culprit < n; culprit++)
            for (int f = 0; f < 2; f++) {
                struct pool pool;
                open_pool(&pool, n);
                cr_assert_eq(board_inject(pool.boards[culprit], &(struct board_fault){.kind = faults[f]}, NULL),
                             STATUS_OK);
                run(&pool);
                expect_fault(&pool, culprit);
                if (faults[f] == BOARD_FAULT_FAIL)
                    expect_right(&pool);
                struct board_stats stats;
                board_stats(pool.boards[(culprit + 1) % n], &stats);
                cr_expect(stats.tasks_failed == 0 && stats.tasks_cancelled == 1 && !stats.last_error[0]);
                close_pool(&pool);
            }
}

/* Board 1 hangs, and the two others wait for it. */
static void open_hanging(struct pool *pool)
{
    open_pool(pool, 3);
    cr_assert_eq(board_inject(pool->boards[1], &(struct board_fault){.kind = BOARD_FAULT_HANG}, NULL), STATUS_OK);
    submit(pool);
    while (!board_team_is_late(&pool->team, 1) || board_team_is_late(&pool->team, 0) ||
           board_team_is_late(&pool->team, 2))
        sched_yield();
}

/* It is reset, as the scheduler would do it; meanwhile the others wait, or were told to go. */
static void hang(bool told)
{
    struct pool pool;
    open_hanging(&pool);
    if (told) {
        const struct error err = {.status = STATUS_CANCELLED, .message = "one of them hangs"};
        board_team_break(&pool.team, BOARD_TEAM_NOBODY, &err);
        log_wait(&pool.log, 2);
        cr_expect_eq(pool.notes[1]->done, 0);
    }
    cr_assert_eq(board_reset(pool.boards[1], NULL), STATUS_OK);
    log_wait(&pool.log, 3);
    expect_fault(&pool, 1);
    expect_right(&pool);
    close_pool(&pool);
}

Test(tensor, a_board_that_hangs_is_waited_for_until_it_is_reset)
{
    hang(false);
}

Test(tensor, those_who_wait_for_one_that_hangs_can_be_told_to_go)
{
    hang(true);
}

/* Between layers, whatever the moment: all leave, none is at fault. */
Test(tensor, a_cancelled_job_is_left_by_all)
{
    struct pool pool;
    open_pool(&pool, 2);
    for (int round = 0; round < 50; round++) {
        uint32_t before = pool.log.n;
        atomic_store(&pool.notes[0]->batch.job.cancelled, false);
        submit(&pool);
        for (int i = 0; i < round * 20; i++)
            sched_yield();
        board_cancel(pool.boards[round % 2], &pool.notes[0]->batch.job);
        log_wait(&pool.log, before + 2);
        cr_assert_eq(pool.notes[0]->status, pool.notes[1]->status);
        cr_assert(pool.notes[0]->status == STATUS_OK || pool.notes[0]->status == STATUS_CANCELLED);
    }
    atomic_store(&pool.notes[0]->batch.job.cancelled, false);
    expect_right(&pool);
    close_pool(&pool);
}

static void *reset_board(void *board)
{
    cr_assert_eq(board_reset(board, NULL), STATUS_OK);
    return NULL;
}

/* At any moment: it is at fault, or all was done before; others may have been done before it was reset. */
Test(tensor, a_board_that_is_reset_lets_the_others_go)
{
    struct pool pool;
    open_pool(&pool, 2);
    for (int round = 0; round < 30; round++) {
        pthread_t resetter;
        uint32_t before = pool.log.n;
        submit(&pool);
        for (int i = 0; i < round * 10; i++)
            sched_yield();
        pthread_create(&resetter, NULL, reset_board, pool.boards[1]);
        pthread_join(resetter, NULL);
        log_wait(&pool.log, before + 2);
        if (pool.notes[0]->status)
            expect_fault(&pool, 1);
        else
            cr_assert(pool.notes[1]->status == STATUS_OK || pool.notes[1]->status == STATUS_BACKEND);
    }
    expect_right(&pool);
    close_pool(&pool);
}

/* It is not what hangs, but whoever resets it need not know. */
Test(tensor, a_board_that_waits_for_another_can_be_reset)
{
    struct pool pool;
    open_hanging(&pool);
    cr_assert_eq(board_reset(pool.boards[0], NULL), STATUS_OK);
    log_wait(&pool.log, 2);
    cr_expect_eq(pool.notes[1]->done, 0);
    cr_assert_eq(board_reset(pool.boards[1], NULL), STATUS_OK);
    log_wait(&pool.log, 3);
    expect_fault(&pool, 0);
    expect_right(&pool);
    close_pool(&pool);
}

Test(tensor, a_board_that_waits_for_another_can_be_closed)
{
    struct pool pool;
    open_hanging(&pool);
    board_close(&pool.boards[0]);
    log_wait(&pool.log, 2);
    cr_expect_eq(pool.notes[1]->done, 0);
    board_close(&pool.boards[1]);
    log_wait(&pool.log, 3);
    expect_fault(&pool, MOST);
    close_pool(&pool);
}

Test(tensor, a_board_is_not_of_a_team_that_it_is_done_with)
{
    struct pool pool;
    open_pool(&pool, 2);
    expect_right(&pool);
    cr_assert_eq(board_reset(pool.boards[1], NULL), STATUS_OK);
    cr_expect_eq(pool.team.culprit, BOARD_TEAM_NOBODY);
    close_pool(&pool);
}

/* The others may have been told to go before it was. */
Test(tensor, a_board_that_was_reset_is_not_done)
{
    struct pool pool;
    open_pool(&pool, 2);
    const struct board_fault slow = {.kind = BOARD_FAULT_SLOW, .factor = 1e9, .for_ns = UINT64_MAX};
    cr_assert_eq(board_inject(pool.boards[1], &slow, NULL), STATUS_OK);
    for (uint32_t m = 0; m < 2; m++)
        pool.notes[m]->task.layer_end = 1;
    submit(&pool);
    log_wait(&pool.log, 1); /* board 1 has computed, too, but takes its time */
    cr_assert_eq(pool.notes[0]->status, STATUS_OK);
    cr_assert_eq(board_reset(pool.boards[1], NULL), STATUS_OK);
    log_wait(&pool.log, 2);
    cr_expect_eq(pool.notes[1]->status, STATUS_BACKEND);
    close_pool(&pool);
}

Test(tensor, a_closing_board_lets_the_others_go)
{
    struct pool pool;
    open_pool(&pool, 2);
    cr_assert_eq(board_inject(pool.boards[1], &(struct board_fault){.kind = BOARD_FAULT_HANG}, NULL), STATUS_OK);
    submit(&pool);
    board_close(&pool.boards[1]);
    log_wait(&pool.log, 2);
    expect_fault(&pool, MOST);
    close_pool(&pool);
}

/* Who cannot is refused, and does not hold the others. */
Test(tensor, boards_that_cannot_refuse)
{
    for (int k = 1; k < N_KINDS; k++) {
        struct pool pool;
        open_pool(&pool, 2);
        struct image *image = kind_engines[k]->precision == IMAGE_INT8 ? image_retain(pool.image)
                                                                       : tiny_image(&tiny_shapes[2], IMAGE_FP32, 1);
        board_close(&pool.boards[1]);
        pool.boards[1] = open_loaded(kinds[k], image);
        cr_expect_eq(board_exchange_size(pool.boards[1], image, 8, 2), 0);
        run(&pool);
        expect_fault(&pool, 1);
        image_release(&image);
        close_pool(&pool);
    }
}

Test(tensor, tasks_without_a_place_in_a_team_are_refused)
{
    struct pool pool;
    open_pool(&pool, 1);
    submit(&pool);
    log_wait(&pool.log, 1);
    struct board_task *task = &pool.notes[0]->task;
    task->team = NULL;
    cr_expect_eq(note_run(pool.boards[0], pool.notes[0]), STATUS_BACKEND);
    board_team_init(&pool.team, 1, pool.exchange);
    task->team = &pool.team;
    task->member = 1;
    cr_expect_eq(note_run(pool.boards[0], pool.notes[0]), STATUS_BACKEND);
    board_team_init(&pool.team, 1, pool.exchange);
    task->member = 0;
    task->row_end--;
    cr_expect_eq(note_run(pool.boards[0], pool.notes[0]), STATUS_BACKEND);
    cr_expect(strstr(pool.notes[0]->message, "of a team, which has all"), "%s", pool.notes[0]->message);
    close_pool(&pool);
}
