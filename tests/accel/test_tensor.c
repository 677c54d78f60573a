/* TENSOR tasks: flipped bits are found and put down to whoever flipped them; boards that fail, hang, are cancelled or
 * reset let the others go. That bits are right otherwise, test_cpu_engine.c sees.
 */
#include <criterion/criterion.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "accel/cpu/cpu_flags.h"
#include "accel/float_mode.h"
#include "base/mem.h"
#include "tests/accel/cpu_check.h"
#include "tests/accel/notes.h"
#include "tests/accel/team_run.h"

enum { MOST = 4 };

static const uint32_t lengths[] = {1, 16, 17, 33, 5, 64, 2, 0};

/* Engines --------------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    unsigned flag;
} flips[] = {
    {"accumulator", ENGINE_FLIP_ACCUMULATOR},
    {"weight", ENGINE_FLIP_WEIGHT},
    {"activation", ENGINE_FLIP_ACTIVATION},
    {"hidden state", ENGINE_FLIP_HIDDEN},
};

struct crew {
    struct engine *engines[MOST];
    uint32_t n;
    struct tiny_batch batch;
    const struct tiny_batch *right;
};

/* A bit flips on one engine: who is said to be at fault is that one. False: nothing changed by it. */
static bool found(struct crew *crew, uint32_t culprit, const char *name, unsigned flag, uint64_t seed)
{
    struct team_end ends[MOST];
    cr_assert(engine_inject(crew->engines[culprit], flag, seed));
    for (int run = 0; run < 2; run++) {
        team_run(crew->engines, crew->n, &crew->batch.job, ends);
        if (ends[0].status == STATUS_OK) {
            for (uint32_t m = 0; m < crew->n; m++)
                cr_assert_eq(ends[m].status, STATUS_OK, "%s", ends[m].err.message);
            cr_assert(tiny_batch_equal(&crew->batch, crew->right), "a flipped bit of %s, seed %llu, went unseen", name,
                      (unsigned long long)seed);
            continue;
        }
        for (uint32_t m = 0; m < crew->n; m++) {
            cr_assert_eq(ends[m].status, m == culprit ? STATUS_BACKEND : STATUS_CANCELLED,
                         "flipped bit of %s, seed %llu: board %u, not %u, of %u: %s", name, (unsigned long long)seed, m,
                         culprit, crew->n, ends[m].err.message);
            cr_assert(strstr(ends[m].err.message, "checksum of "), "%s", ends[m].err.message);
        }
        return true;
    }
    return false;
}

static void check_flips(const struct image *image, const struct tiny_batch *right)
{
    for (uint32_t n = 1; n <= MOST; n *= 2) {
        struct crew crew = {.n = n, .right = right};
        struct error err = {0};
        tiny_batch_init(&crew.batch, image, lengths, 7);
        for (uint32_t m = 0; m < n; m++)
            cr_assert_eq(cpu_engine.create(&crew.engines[m], image, true, &err), STATUS_OK, "%s", err.message);
        const int rounds = check_rounds(8);
        for (size_t f = 0; f < sizeof flips / sizeof *flips; f++) {
            int n_found = 0;
            for (int round = 0; round < rounds; round++)
                n_found += found(&crew, check_below(n), flips[f].name, flips[f].flag, check_random());
            cr_assert_geq(n_found, rounds / 2, "%u boards: of %d flips of %s %d were found", n, rounds, flips[f].name,
                          n_found);
        }
        for (uint32_t m = 0; m < n; m++)
            cpu_engine.destroy(crew.engines[m]);
        tiny_batch_finish(&crew.batch);
    }
}

Test(tensor, a_flipped_bit_is_put_down_to_its_board)
{
    static const struct image_shape shape = {.hidden = 128,
                                             .layers = 2,
                                             .heads = 8,
                                             .intermediate = 512,
                                             .vocab = 101,
                                             .positions = 96,
                                             .types = 2,
                                             .layer_norm_eps = 1e-12f};
    uint32_t mode = float_mode_set();
    check_begin("flipped bits of a team");
    struct image *image = tiny_image(&shape, IMAGE_INT8, 5);
    struct tiny_batch right;
    struct error err = {0};
    tiny_batch_init(&right, image, lengths, 7);
    cr_assert_eq(tiny_run(&ref_engine, &right, &err), STATUS_OK, "%s", err.message);
    for (const struct cpu_set *set = cpu_sets; set < cpu_sets + CPU_N_SETS; set++) {
        if (set->flag & ~cpu_flags_detected()) {
            printf("skipped: no %s on this machine\n", set->name);
            continue;
        }
        cpu_flags_set_mask(set->mask);
        check_flips(image, &right);
    }
    tiny_batch_finish(&right);
    image_release(&image);
    float_mode_restore(mode);
}

/* A weight of one board's own copy of the image is wrong, in its half of the last layer's last outputs. */
static void damage(const uint32_t *of, uint32_t culprit)
{
    struct image *image = tiny_image(&tiny_shapes[6], IMAGE_INT8, 5), *damaged = NULL;
    struct tiny_batch batch;
    struct error err = {0};
    struct engine *engines[2];
    struct team_end ends[2];
    const unsigned flags = cpu_flags();
    tiny_batch_init(&batch, image, of, 7);
    cr_assert_eq(image_copy(&damaged, image, &err), STATUS_OK);
    cpu_flags_set_mask(0); /* other kernels may read the weights of a section instead */
    for (uint32_t e = 0; e < 2; e++)
        cr_assert_eq(cpu_engine.create(&engines[e], e == culprit ? damaged : image, true, &err), STATUS_OK);
    cpu_flags_set_mask(flags);
    const struct image_linear *ffn2 = &damaged->layers[image->shape.layers - 1].ffn2;
    int8_t *weights = (int8_t *)ffn2->weights + (size_t)ffn2->in_padded * ffn2->out_padded / 2 * culprit;
    for (uint32_t i = 0; i < IMAGE_PANEL * IMAGE_GROUP; i++)
        weights[i] ^= 0x10;
    team_run(engines, 2, &batch.job, ends);
    cr_expect_eq(ends[1 - culprit].status, STATUS_CANCELLED);
    cr_expect_eq(ends[culprit].status, STATUS_BACKEND);
    cr_expect(strstr(ends[culprit].err.message, "checksum of ffn2, layer 0"), "%s", ends[culprit].err.message);
    for (int e = 0; e < 2; e++)
        cpu_engine.destroy(engines[e]);
    tiny_batch_finish(&batch);
    image_release(&damaged);
    image_release(&image);
}

/* Whoever else has rows sees whose outputs are not right; of one row the first board has none, and waits to hear. */
Test(tensor, a_damaged_image_is_put_down_to_its_board)
{
    static const uint32_t one[] = {1, 0};
    uint32_t mode = float_mode_set();
    check_begin("damaged image of a team");
    damage(lengths, 0);
    damage(lengths, 1);
    damage(one, 0);
    float_mode_restore(mode);
}

Test(tensor, engines_with_other_kernels_are_no_team)
{
    struct image *image = tiny_image(&tiny_shapes[0], IMAGE_INT8, 5);
    struct tiny_batch batch;
    struct error err = {0};
    struct engine *engines[2];
    struct team_end ends[2];
    const unsigned all = cpu_flags();
    if (!(cpu_flags_detected() & CPU_AVX2)) {
        printf("skipped: one instruction set on this machine\n");
        image_release(&image);
        return;
    }
    tiny_batch_init(&batch, image, lengths, 7);
    for (int e = 0; e < 2; e++) {
        cpu_flags_set_mask(e ? CPU_AVX2 : 0);
        cr_assert_eq(cpu_engine.create(&engines[e], image, true, &err), STATUS_OK);
    }
    cpu_flags_set_mask(all);
    team_run(engines, 2, &batch.job, ends);
    int backend = ends[0].status == STATUS_BACKEND ? 0 : 1;
    cr_expect_eq(ends[backend].status, STATUS_BACKEND);
    cr_expect(strstr(ends[backend].err.message, "no kernels of"), "%s", ends[backend].err.message);
    cr_expect_eq(ends[1 - backend].status, STATUS_CANCELLED);
    for (int e = 0; e < 2; e++)
        cpu_engine.destroy(engines[e]);
    tiny_batch_finish(&batch);
    image_release(&image);
}

/* Boards ---------------------------------------------------------------------------------------------------------- */

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

/* It is reset, as the scheduler would do it; meanwhile the others wait, or were told to go. */
static void hang(bool told)
{
    struct pool pool;
    open_pool(&pool, 3);
    cr_assert_eq(board_inject(pool.boards[1], &(struct board_fault){.kind = BOARD_FAULT_HANG}, NULL), STATUS_OK);
    submit(&pool);
    while (!board_team_is_late(&pool.team, 1) || board_team_is_late(&pool.team, 0) || board_team_is_late(&pool.team, 2))
        sched_yield();
    if (told) {
        const struct error err = {.status = STATUS_CANCELLED, .message = "one of them hangs"};
        board_team_break(&pool.team, BOARD_TEAM_NOBODY, &err);
        log_wait(&pool.log, 2);
        cr_expect_eq(pool.notes[1]->done, 0);
    }
    cr_assert_eq(board_reset(pool.boards[1], NULL), STATUS_OK);
    log_wait(&pool.log, 3);
    expect_fault(&pool, told ? MOST : 1);
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

/* At any moment: it is at fault, or all was done before. */
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
        if (pool.notes[0]->status || pool.notes[1]->status)
            expect_fault(&pool, 1);
    }
    expect_right(&pool);
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
