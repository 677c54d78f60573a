/* Faults injected on emulated boards: each hits as often as asked for, and the board is as good as new behind it. */
#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "tests/accel/notes.h"

struct bench {
    struct image *image;
    struct board *board;
    struct log log;
    struct note *note;
    struct note *right; /* what the note comes to without faults */
};

static void bench_begin(struct bench *bench, const char *kind, const struct engine_ops *ops)
{
    *bench = (struct bench){.log = LOG_INIT};
    bench->image = tiny_image(&tiny_shapes[0], ops->precision, 1);
    bench->board = open_loaded(kind, bench->image);
    bench->note = note_create(&bench->log, bench->image, 7);
    bench->right = note_create(&bench->log, bench->image, 7);
    cr_assert_eq(note_run(bench->board, bench->right), STATUS_OK);
}

static void bench_end(struct bench *bench)
{
    board_close(&bench->board);
    note_destroy(bench->note);
    note_destroy(bench->right);
    image_release(&bench->image);
}

static void inject(struct bench *bench, struct board_fault fault)
{
    struct error err = {0};
    cr_assert_eq(board_inject(bench->board, &fault, &err), STATUS_OK, "%s", err.message);
}

static void expect_failure(struct bench *bench, const char *words)
{
    cr_assert_eq(note_run(bench->board, bench->note), STATUS_BACKEND);
    cr_assert_not_null(strstr(bench->note->message, words), "%s", bench->note->message);
}

static void expect_right(struct bench *bench)
{
    cr_assert_eq(note_run(bench->board, bench->note), STATUS_OK, "%s", bench->note->message);
    cr_assert(tiny_batch_equal(&bench->note->batch, &bench->right->batch));
}

Test(faults, tasks_fail_as_often_as_asked)
{
    for (int k = 0; k < N_KINDS; k++) {
        struct bench bench;
        bench_begin(&bench, kinds[k], kind_engines[k]);
        inject(&bench, (struct board_fault){.kind = BOARD_FAULT_FAIL});
        expect_failure(&bench, "injected");
        expect_right(&bench);
        inject(&bench, (struct board_fault){.kind = BOARD_FAULT_FAIL, .count = 2});
        expect_failure(&bench, "injected");
        cr_assert_eq(board_reset(bench.board, NULL), STATUS_OK);
        struct error err;
        cr_assert_eq(board_selftest(bench.board, &err), STATUS_BACKEND, "the second one hits the self-test");
        cr_assert_eq(board_selftest(bench.board, &err), STATUS_OK);
        expect_right(&bench);
        bench_end(&bench);
    }
}

static bool queue_is(struct board *board, uint32_t n)
{
    struct board_stats stats;
    board_stats(board, &stats);
    return stats.queued == n;
}

Test(faults, a_hung_task_ends_with_a_reset)
{
    struct bench bench;
    bench_begin(&bench, "emu", kind_engines[0]);
    inject(&bench, (struct board_fault){.kind = BOARD_FAULT_HANG});
    board_submit(bench.board, &bench.note->task);
    board_cancel(bench.board, &bench.note->batch.job);
    usleep(20000);
    cr_assert(queue_is(bench.board, 1) || bench.note->status == STATUS_CANCELLED);
    cr_assert_eq(board_reset(bench.board, NULL), STATUS_OK);
    log_wait(&bench.log, 2);
    cr_assert_eq(bench.note->done, 1);
    atomic_store(&bench.note->batch.job.cancelled, false);
    inject(&bench, (struct board_fault){.kind = BOARD_FAULT_HANG});
    board_submit(bench.board, &bench.note->task);
    bench_end(&bench); /* closing ends it, too */
}

Test(faults, a_hung_self_test_is_given_up)
{
    struct bench bench;
    bench_begin(&bench, "emu", kind_engines[0]);
    inject(&bench, (struct board_fault){.kind = BOARD_FAULT_HANG});
    struct error err;
    cr_assert_eq(board_selftest(bench.board, &err), STATUS_BACKEND);
    cr_assert_not_null(strstr(err.message, "did not end within"), "%s", err.message);
    cr_assert_eq(board_selftest(bench.board, &err), STATUS_OK);
    expect_right(&bench);
    bench_end(&bench);
}

Test(faults, a_slow_board_computes_the_same)
{
    struct bench bench;
    bench_begin(&bench, "emu", kind_engines[0]);
    inject(&bench, (struct board_fault){.kind = BOARD_FAULT_SLOW, .factor = 50, .for_ns = UINT64_MAX});
    expect_right(&bench);
    struct error err;
    cr_assert_eq(board_inject(bench.board, &(struct board_fault){.kind = BOARD_FAULT_SLOW, .factor = 0.5}, &err),
                 STATUS_USAGE);
    inject(&bench, (struct board_fault){.kind = BOARD_FAULT_SLOW, .factor = 1e9, .for_ns = UINT64_MAX});
    board_submit(bench.board, &bench.note->task); /* nobody waits for years */
    cr_assert_eq(board_reset(bench.board, NULL), STATUS_OK);
    log_wait(&bench.log, 3);
    cr_assert_eq(bench.note->status, STATUS_BACKEND);
    inject(&bench, (struct board_fault){.kind = BOARD_FAULT_SLOW, .factor = 1});
    expect_right(&bench);
    bench_end(&bench);
}

Test(faults, a_board_that_lost_its_image_comes_back_after_some_loads)
{
    struct bench bench;
    bench_begin(&bench, "emu", kind_engines[0]);
    inject(&bench, (struct board_fault){.kind = BOARD_FAULT_LOAD, .count = 2});
    expect_failure(&bench, "lost its image");
    expect_failure(&bench, "lost its image");
    struct error err;
    cr_assert_eq(board_reset(bench.board, &err), STATUS_BACKEND);
    cr_assert_not_null(strstr(err.message, "died while it was loaded"), "%s", err.message);
    cr_assert_eq(board_load(bench.board, bench.image, 0, 2, &err), STATUS_BACKEND);
    cr_assert_eq(board_reset(bench.board, &err), STATUS_OK);
    expect_right(&bench);
    bench_end(&bench);
}

Test(faults, a_damaged_image_is_found_by_the_scrub_and_gone_after_a_reset)
{
    for (int k = 0; k < N_KINDS; k++) {
        struct bench bench;
        bench_begin(&bench, kinds[k], kind_engines[k]);
        struct error err;
        cr_assert_eq(board_scrub(bench.board, &err), STATUS_OK);
        inject(&bench, (struct board_fault){.kind = BOARD_FAULT_IMAGE, .seed = 8 * 12345 + 3});
        cr_assert_eq(board_scrub(bench.board, &err), STATUS_BACKEND, "an idle board's at once");
        note_run(bench.board, bench.note); /* right or wrong: it depends on the bit */
        cr_assert_eq(board_scrub(bench.board, &err), STATUS_BACKEND);
        cr_assert_not_null(strstr(err.message, "checksum"), "%s", err.message);
        cr_assert(image_verify(bench.image), "the others' image is what it was");
        cr_assert_eq(board_reset(bench.board, &err), STATUS_OK);
        cr_assert_eq(board_scrub(bench.board, &err), STATUS_OK);
        expect_right(&bench);
        bench_end(&bench);
    }
}

Test(faults, a_busy_boards_image_is_damaged_by_the_next_task)
{
    struct bench bench;
    bench_begin(&bench, "emu", kind_engines[0]);
    sem_t hold;
    sem_init(&hold, 0, 0);
    bench.note->then_wait = &hold;
    board_submit(bench.board, &bench.note->task);
    while (queue_is(bench.board, 1)) /* it counts as done before on_done is called */
        usleep(1000);
    struct note *second = note_create(&bench.log, bench.image, 8);
    board_submit(bench.board, &second->task);
    inject(&bench, (struct board_fault){.kind = BOARD_FAULT_IMAGE, .seed = 77});
    cr_assert_eq(board_scrub(bench.board, NULL), STATUS_OK);
    sem_post(&hold);
    log_wait(&bench.log, 3);
    cr_assert_eq(board_scrub(bench.board, NULL), STATUS_BACKEND);
    note_destroy(second);
    bench_end(&bench);
}

Test(faults, flipped_bits_are_found_where_the_engine_has_checksums)
{
    static const enum board_fault_kind flips[] = {BOARD_FAULT_ACCUMULATOR, BOARD_FAULT_WEIGHT, BOARD_FAULT_ACTIVATION,
                                                  BOARD_FAULT_HIDDEN};
    for (int k = 0; k < N_KINDS; k++) {
        struct bench bench;
        bench_begin(&bench, kinds[k], kind_engines[k]);
        for (size_t f = 0; f < sizeof flips / sizeof *flips; f++) {
            struct board_fault fault = {.kind = flips[f], .seed = 99 + f};
            struct error err;
            if (!kind_engines[k]->inject) {
                cr_assert_eq(board_inject(bench.board, &fault, &err), STATUS_UNSUPPORTED);
                cr_assert_not_null(strstr(err.message, board_fault_name(flips[f])), "%s", err.message);
                continue;
            }
            inject(&bench, fault);
            cr_assert_eq(note_run(bench.board, bench.note), STATUS_BACKEND, "%s", board_fault_name(flips[f]));
            expect_right(&bench);
        }
        bench_end(&bench);
    }
}

/* A board opened without checks computes on with a flipped bit. */
Test(faults, flipped_bits_go_through_where_nothing_is_checked)
{
    struct bench bench;
    struct error err = {0};
    bench_begin(&bench, "emu", &cpu_engine);
    board_close(&bench.board);
    cr_assert_eq(board_open(&bench.board, &(struct board_options){.kind = "emu", .no_verify = true}, &err), STATUS_OK,
                 "%s", err.message);
    cr_assert_eq(board_load(bench.board, bench.image, 0, bench.image->shape.layers, &err), STATUS_OK, "%s",
                 err.message);
    expect_right(&bench);
    bool differs = false;
    for (uint64_t seed = 0; seed < 100 && !differs; seed++) {
        inject(&bench, (struct board_fault){.kind = BOARD_FAULT_HIDDEN, .seed = seed});
        enum status status = note_run(bench.board, bench.note); /* a value that is not finite is noticed still */
        differs = status == STATUS_OK && !tiny_batch_equal(&bench.note->batch, &bench.right->batch);
    }
    cr_assert(differs);
    expect_right(&bench);
    bench_end(&bench);
}

Test(faults, a_damaged_image_is_not_loaded_and_can_be_repaired)
{
    struct image *image = tiny_image(&tiny_shapes[0], IMAGE_INT8, 1);
    struct image *fresh = tiny_image(&tiny_shapes[0], IMAGE_INT8, 1);
    struct image *other = tiny_image(&tiny_shapes[0], IMAGE_INT8, 2);
    struct board *board = open_board("emu");
    cr_assert(image_scrub(image));
    ((unsigned char *)image->bytes)[image->size / 2] ^= 4;
    cr_assert_not(image_scrub(image));
    struct error err;
    cr_assert_eq(board_load(board, image, 0, 2, &err), STATUS_BACKEND);
    cr_assert_not_null(strstr(err.message, "checksum"), "%s", err.message);
    cr_assert_eq(image_repair(image, other, &err), STATUS_FORMAT);
    cr_assert_eq(board_load(board, image, 0, 2, &err), STATUS_BACKEND);
    cr_assert_eq(image_repair(image, fresh, &err), STATUS_OK);
    cr_assert_eq(board_load(board, image, 0, 2, &err), STATUS_OK);
    board_close(&board);
    image_release(&image);
    image_release(&fresh);
    image_release(&other);
}

Test(faults, a_copy_is_the_same_image)
{
    struct image *image = tiny_image(&tiny_shapes[0], IMAGE_INT8, 1), *copy = NULL;
    for (long n = 0; n < 2; n++) {
        mem_fail_after(n);
        cr_assert_eq(image_copy(&copy, image, NULL), STATUS_NO_MEMORY);
    }
    mem_fail_after(-1);
    cr_assert_eq(image_copy(&copy, image, NULL), STATUS_OK);
    cr_assert_neq(copy->bytes, image->bytes);
    cr_assert(image_verify(copy));
    cr_assert_eq(copy->checksum, image->checksum);
    struct tiny_batch a, b;
    static const uint32_t lengths[] = {5, 9, 0};
    tiny_batch_init(&a, image, lengths, 3);
    tiny_batch_init(&b, copy, lengths, 3);
    cr_assert_eq(tiny_run(kind_engines[0], &a, NULL), STATUS_OK);
    cr_assert_eq(tiny_run(kind_engines[0], &b, NULL), STATUS_OK);
    cr_assert(tiny_batch_equal(&a, &b));
    tiny_batch_finish(&a);
    tiny_batch_finish(&b);
    image_release(&image);
    image_release(&copy);
}

Test(faults, kinds_have_names)
{
    for (int i = 0; i < BOARD_FAULTS; i++)
        for (int j = 0; j < i; j++)
            cr_assert(strcmp(board_fault_name((enum board_fault_kind)i), board_fault_name((enum board_fault_kind)j)) !=
                      0);
    cr_assert_str_eq(board_fault_name(BOARD_FAULTS), "unknown");
    struct board *board = open_board("emu");
    cr_assert_eq(board_inject(board, &(struct board_fault){.kind = BOARD_FAULTS}, NULL), STATUS_USAGE);
    cr_assert_str_eq(board_kind(board), "emu");
    board_close(&board);
}
