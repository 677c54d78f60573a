/* Boards through their public face: opening, loading, running. */
#include <criterion/criterion.h>
#include <math.h>
#include <sched.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "accel/backend_selftest.h"
#include "accel/cpu/cpu_flags.h"
#include "tests/accel/notes.h"

Test(board, opens_by_kind)
{
    struct board *board = NULL;
    struct error err;
    cr_assert_eq(board_open(&board, &(struct board_options){.kind = "asic"}, &err), STATUS_USAGE);
    cr_assert_str_eq(err.message, "unknown kind of board \"asic\"; known are: emu, ref, fp32, xrt");
    cr_assert_eq(board_open(&board, &(struct board_options){.index = 7}, &err), STATUS_OK);
    cr_assert_str_eq(board_name(board), "emu7");
    board_close(&board);
    cr_assert_null(board);
    board_close(&board);
    cr_assert_eq(board_open(&board, &(struct board_options){.kind = "fp32", .index = 2}, &err), STATUS_OK);
    cr_assert_str_eq(board_name(board), "fp32-2");
    board_close(&board);
}

Test(board, stays_on_its_core)
{
    struct board *board = NULL;
    struct error err;
    cpu_set_t allowed;
    int core = 0;
    sched_getaffinity(0, sizeof allowed, &allowed);
    while (!CPU_ISSET(core, &allowed))
        core++;
    cr_assert_eq(board_open(&board, &(struct board_options){.cpu = core + 1}, &err), STATUS_OK);
    cr_assert_eq(board_selftest(board, &err), STATUS_OK);
    board_close(&board);
    cr_assert_eq(board_open(&board, &(struct board_options){.cpu = 1 << 20}, &err), STATUS_IO);
    cr_assert(strstr(err.message, "core"), "%s", err.message);
    cr_assert_null(board);
}

Test(board, loads_only_what_fits)
{
    struct image *int8 = tiny_image(&tiny_shapes[2], IMAGE_INT8, 1), *fp32 = tiny_image(&tiny_shapes[2], IMAGE_FP32, 1);
    struct error err;
    for (int k = 0; k < N_KINDS; k++) {
        struct image *right = kind_engines[k]->precision == IMAGE_FP32 ? fp32 : int8;
        struct image *wrong = right == fp32 ? int8 : fp32;
        struct board *board = open_board(kinds[k]);
        cr_assert_eq(board_load(board, wrong, 0, 3, &err), STATUS_UNSUPPORTED);
        cr_assert_eq(board_load(board, right, 0, 4, &err), STATUS_UNSUPPORTED);
        cr_assert_eq(board_load(board, right, 2, 2, &err), STATUS_UNSUPPORTED);
        unsigned char *byte = (unsigned char *)right->bytes + right->size / 2;
        *byte ^= 4;
        cr_assert_eq(board_load(board, right, 0, 3, &err), STATUS_BACKEND);
        cr_assert(strstr(err.message, "checksum"));
        *byte ^= 4;
        struct board_stats stats;
        board_stats(board, &stats);
        cr_assert_eq(stats.state, BOARD_EMPTY);
        cr_assert_eq(board_load(board, right, 0, 3, &err), STATUS_OK);
        cr_assert_eq(board_load(board, right, 1, 3, &err), STATUS_OK, "again, with another range");
        board_stats(board, &stats);
        cr_assert_eq(stats.state, BOARD_READY);
        board_close(&board);
    }
    image_release(&int8);
    image_release(&fp32);
}

Test(board, keeps_its_image)
{
    struct image *image = tiny_image(&tiny_shapes[0], IMAGE_INT8, 1), *held = image_retain(image);
    struct log log = LOG_INIT;
    struct board *board = open_loaded("ref", image);
    image_release(&image);
    struct note *note = note_create(&log, held, 1);
    image_release(&held); /* the board's is the last one */
    cr_assert_eq(note_run(board, note), STATUS_OK);
    board_close(&board);
    note_destroy(note);
}

Test(board, loads_only_when_idle)
{
    struct image *image = tiny_image(&tiny_shapes[0], IMAGE_INT8, 1);
    struct log log = LOG_INIT;
    struct error err;
    sem_t hold;
    sem_init(&hold, 0, 0);
    struct board *board = open_loaded("ref", image);
    struct note *first = note_create(&log, image, 1), *second = note_create(&log, image, 2);
    first->then_wait = &hold;
    board_submit(board, &first->task);
    board_submit(board, &second->task);
    cr_assert_eq(board_load(board, image, 0, 1, &err), STATUS_BACKEND);
    struct board_stats stats;
    board_stats(board, &stats);
    cr_assert_eq(stats.state, BOARD_BUSY);
    sem_post(&hold);
    log_wait(&log, 2);
    cr_assert_eq(second->status, STATUS_OK);
    cr_assert_eq(board_load(board, image, 0, 1, &err), STATUS_OK);
    board_close(&board);
    note_destroy(first);
    note_destroy(second);
    image_release(&image);
}

Test(board, passes_its_selftest)
{
    for (int k = 0; k < N_KINDS; k++) {
        struct error err = {0};
        struct board *board = open_board(kinds[k]);
        cr_assert_eq(board_selftest(board, &err), STATUS_OK, "%s", err.message);
        cr_assert_eq(board_selftest(board, &err), STATUS_OK, "%s", err.message);
        board_close(&board);
    }
}

/* The model that cards are tested with has known bits too, which every int8 engine computes. */
Test(board, selftest_for_cards_has_the_bits_of_all)
{
    const struct engine_ops *ops[] = {&cpu_engine, &ref_engine};
    for (int e = 0; e < 2; e++) {
        struct backend_selftest *test = NULL;
        struct error err = {0};
        cr_assert_eq(backend_selftest_create(&test, IMAGE_INT8, true, cpu_engine_sections(), &err), STATUS_OK);
        cr_assert_eq(backend_selftest_check(test, &err), STATUS_BACKEND, "nothing was computed");
        struct tiny_batch batch = {.job = test->job};
        cr_assert_eq(tiny_run(ops[e], &batch, &err), STATUS_OK, "%s", err.message);
        cr_assert_eq(backend_selftest_check(test, &err), STATUS_OK, "%s", err.message);
        backend_selftest_destroy(&test);
    }
}

Test(board, cards_need_an_address_and_an_xclbin)
{
    struct board *board = NULL;
    struct error err;
    cr_assert_eq(board_open(&board, &(struct board_options){.kind = "xrt"}, &err), STATUS_USAGE);
    cr_assert_str_eq(err.message, "a board on a card is named xrt:0, or xrt:0000:65:00.1");
    cr_assert_eq(board_open(&board, &(struct board_options){.kind = "xrt", .card = "0"}, &err), STATUS_USAGE);
    cr_assert(strstr(err.message, "--xclbin is missing"));
    struct board_options options = {.kind = "xrt", .card = "0", .xclbin = "x", .xrt_host = "/no/such/program"};
    cr_assert_eq(board_open(&board, &options, &err), STATUS_USAGE);
    cr_assert(strstr(err.message, "there is no /no/such/program, which opens cards"), "%s", err.message);
    cr_assert(strstr(err.message, "--xrt-host names another place"), "%s", err.message);
    options.xrt_host = "/bin/false";
    cr_assert_eq(board_open(&board, &options, &err), STATUS_BACKEND);
    cr_assert(strstr(err.message, "its host process ended with exit code 1"), "%s", err.message);
    cr_assert_null(board);
}

Test(board, selftest_notices_a_difference)
{
    const struct engine_ops *ops[] = {&cpu_engine, &fp32_engine};
    for (int e = 0; e < 2; e++) {
        struct backend_selftest *test = NULL;
        struct error err = {0};
        cr_assert_eq(backend_selftest_create(&test, ops[e]->precision, false, cpu_engine_sections(), &err), STATUS_OK);
        cr_assert_eq(backend_selftest_check(test, &err), STATUS_BACKEND, "nothing was computed");
        struct tiny_batch batch = {.job = test->job};
        cr_assert_eq(tiny_run(ops[e], &batch, &err), STATUS_OK, "%s", err.message);
        cr_assert_eq(backend_selftest_check(test, &err), STATUS_OK, "%s", err.message);
        float *last = test->job.hidden + (size_t)test->job.n_rows * test->image->shape.hidden - 1;
        *last = e == 0 ? nextafterf(*last, 100) : *last + 1;
        cr_assert_eq(backend_selftest_check(test, &err), STATUS_BACKEND);
        *last = NAN;
        cr_assert_eq(backend_selftest_check(test, &err), STATUS_BACKEND);
        backend_selftest_destroy(&test);
        backend_selftest_destroy(&test);
    }
}

/* What only AVX2 reads is wanted by the kind that computes so, and only where it does. */
Test(board, wants_the_sections_that_it_reads)
{
    const unsigned all = cpu_flags();
    const struct image_sections *fallback = board_sections(NULL);
    cr_assert_eq(fallback, board_sections("emu"));
    cr_assert_null(board_sections("ref"));
    cr_assert_null(board_sections("fp32"));
    cr_assert_null(board_sections("no such kind"));
    cpu_flags_set_mask(0);
    cr_assert_null(board_sections("emu"));
    if (cpu_flags_detected() & CPU_AVX2) {
        cpu_flags_set_mask(CPU_AVX2);
        cr_assert_not_null(board_sections("emu"));
        cr_assert_eq(board_sections("emu")->n, 1);
    }
    cpu_flags_set_mask(all);
}

Test(board, says_what_it_computes_with)
{
    static const char *const types[N_KINDS] = {"fpga+emulated", "cpu", "cpu"};
    for (int k = 0; k < N_KINDS; k++) {
        struct board *board = open_board(kinds[k]);
        cr_assert_str_eq(board_compute_type(board), types[k]);
        board_close(&board);
    }
}

Test(board, says_which_instruction_set_runs)
{
    const unsigned all = cpu_flags();
    for (const struct cpu_set *set = cpu_sets; set < cpu_sets + CPU_N_SETS; set++) {
        if (set->flag & ~cpu_flags_detected())
            continue;
        cpu_flags_set_mask(set->mask);
        struct board *board = open_board("emu");
        cr_expect_str_eq(board_instruction_set(board), set->name);
        board_close(&board);
    }
    cpu_flags_set_mask(all);
    struct board *board = open_board("ref");
    cr_expect_str_eq(board_instruction_set(board), "c");
    board_close(&board);
    board = open_board("fp32");
    cr_expect(*board_instruction_set(board));
    board_close(&board);
}

/* Running ---------------------------------------------------------------------------------------------------------- */

Test(board, runs_in_order_and_right)
{
    for (int k = 0; k < N_KINDS; k++) {
        struct image *image = tiny_image(&tiny_shapes[1], kind_engines[k]->precision, 1);
        struct log log = LOG_INIT;
        struct board *board = open_loaded(kinds[k], image);
        struct note *notes[32];
        for (int i = 0; i < 32; i++) {
            notes[i] = note_create(&log, image, (uint64_t)i);
            board_submit(board, &notes[i]->task);
        }
        log_wait(&log, 32);
        for (int i = 0; i < 32; i++) {
            struct note *expected = note_create(&log, image, (uint64_t)i);
            cr_assert_eq(tiny_run(kind_engines[k], &expected->batch, NULL), STATUS_OK);
            cr_assert_eq(log.order[i], notes[i]);
            cr_assert(notes[i]->done == 1 && notes[i]->status == STATUS_OK);
            cr_assert(tiny_batch_equal(&expected->batch, &notes[i]->batch));
            note_destroy(expected);
        }
        struct board_stats stats;
        board_stats(board, &stats);
        cr_assert(stats.tasks_done == 32 && stats.tasks_failed == 0 && stats.tasks_cancelled == 0);
        cr_assert(stats.layers == 64 && stats.rows == 64 * NOTE_ROWS && stats.queued == 0 && stats.busy_ns > 0);
        board_close(&board);
        for (int i = 0; i < 32; i++)
            note_destroy(notes[i]);
        image_release(&image);
    }
}

Test(board, layers_in_turns_are_layers_at_once)
{
    struct image *image = tiny_image(&tiny_shapes[2], IMAGE_INT8, 1);
    struct log log = LOG_INIT;
    struct board *board = open_loaded("emu", image), *other = open_board("ref");
    cr_assert_eq(board_load(other, image, 1, 2, NULL), STATUS_OK);
    struct note *whole = note_create(&log, image, 1), *apart = note_create(&log, image, 1);
    cr_assert_eq(note_run(board, whole), STATUS_OK);
    for (uint32_t layer = 0; layer < 3; layer++) { /* the middle layer lies on the other board */
        apart->task.layer_begin = layer;
        apart->task.layer_end = layer + 1;
        cr_assert_eq(note_run(layer == 1 ? other : board, apart), STATUS_OK);
    }
    cr_assert(tiny_batch_equal(&whole->batch, &apart->batch));
    cr_assert_eq(note_run(other, apart), STATUS_BACKEND, "layer 2 is not loaded there");
    board_close(&board);
    board_close(&other);
    note_destroy(whole);
    note_destroy(apart);
    image_release(&image);
}

/* One piece of a split layer. */
static struct note *piece_create(struct log *log, struct board_job *job, uint32_t begin, uint32_t end)
{
    struct note *piece = note_create(log, job->image, 1);
    piece->task.job = job;
    piece->task.row_begin = begin;
    piece->task.row_end = end;
    return piece;
}

Test(board, two_boards_split_a_layer)
{
    struct image *image = tiny_image(&tiny_shapes[1], IMAGE_INT8, 1);
    struct log log = LOG_INIT;
    struct board *boards[] = {open_loaded("emu", image), open_loaded("ref", image)};
    struct note *whole = note_create(&log, image, 9), *split = note_create(&log, image, 9);
    tiny_batch_add_kv(&split->batch);
    cr_assert_eq(note_run(boards[0], whole), STATUS_OK);
    struct note *pieces[] = {piece_create(&log, &split->batch.job, 0, 9),
                             piece_create(&log, &split->batch.job, 9, NOTE_ROWS)};
    for (uint32_t layer = 0; layer < 2; layer++)
        for (int kind = BOARD_PROJECT; kind <= BOARD_FINISH; kind++) {
            uint32_t before = log.n;
            for (int b = 0; b < 2; b++) {
                pieces[b]->task.kind = (enum board_task_kind)kind;
                pieces[b]->task.layer_begin = layer;
                pieces[b]->task.layer_end = layer + 1;
                board_submit(boards[b], &pieces[b]->task);
            }
            log_wait(&log, before + 2);
            cr_assert(pieces[0]->status == STATUS_OK && pieces[1]->status == STATUS_OK);
        }
    cr_assert(tiny_batch_equal(&whole->batch, &split->batch));
    for (int b = 0; b < 2; b++) {
        board_close(&boards[b]);
        note_destroy(pieces[b]);
    }
    note_destroy(whole);
    note_destroy(split);
    image_release(&image);
}

static double cpu_seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* A board to which tasks come in quick succession waits awake for the next, but not for long. */
Test(board, sleeps_when_there_is_nothing_to_do)
{
    enum { TASKS = 200, IDLE_US = 500000 };
    struct image *image = tiny_image(&tiny_shapes[1], IMAGE_INT8, 1);
    struct log log = LOG_INIT;
    struct board *board = open_loaded("ref", image);
    struct note *notes[TASKS];
    for (int i = 0; i < TASKS; i++) {
        notes[i] = note_create(&log, image, 1);
        cr_assert_eq(note_run(board, notes[i]), STATUS_OK);
    }
    double before = cpu_seconds();
    usleep(IDLE_US);
    cr_expect_lt(cpu_seconds() - before, 0.05, "%.3f s of %.1f", cpu_seconds() - before, IDLE_US * 1e-6);
    board_close(&board);
    for (int i = 0; i < TASKS; i++)
        note_destroy(notes[i]);
    image_release(&image);
}

Test(board, on_done_may_submit)
{
    struct image *image = tiny_image(&tiny_shapes[0], IMAGE_INT8, 1);
    struct log log = LOG_INIT;
    struct board *board = open_loaded("ref", image);
    struct note *notes[20];
    for (int i = 19; i >= 0; i--) {
        notes[i] = note_create(&log, image, 1);
        notes[i]->then_submit_to = i < 19 ? board : NULL;
        notes[i]->then = i < 19 ? notes[i + 1] : NULL;
    }
    board_submit(board, &notes[0]->task);
    log_wait(&log, 20);
    board_close(&board);
    for (int i = 0; i < 20; i++) {
        cr_assert(notes[i]->done == 1 && notes[i]->status == STATUS_OK);
        note_destroy(notes[i]);
    }
    image_release(&image);
}
