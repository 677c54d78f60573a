/* Boards through their public face: order, exactly one completion each, failures, close. */
#include <criterion/criterion.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accel/backend.h"
#include "accel/backend_selftest.h"
#include "server/base/mem.h"
#include "tests/accel/tiny.h"

static const char *const kinds[] = {"emu", "ref", "fp32"};
static const uint32_t lengths[] = {3, 17, 1, 0};
enum { N_KINDS = 3, ROWS = 21, MAX_TASKS = 256 };

static enum image_precision precision_of(const char *kind)
{
    return strcmp(kind, "fp32") == 0 ? IMAGE_FP32 : IMAGE_INT8;
}

static struct board *open_board(const char *kind)
{
    struct board *board = NULL;
    struct error err = {0};
    cr_assert_eq(board_open(&board, &(struct board_options){.kind = kind}, &err), STATUS_OK, "%s", err.message);
    return board;
}

static struct board *open_loaded(const char *kind, struct image *image)
{
    struct board *board = open_board(kind);
    struct error err = {0};
    cr_assert_eq(board_load(board, image, 0, image->shape.layers, &err), STATUS_OK, "%s", err.message);
    return board;
}

/* Tasks that note how they ended ---------------------------------------------------------------------------------- */

struct note {
    struct board_task task; /* first */
    struct log *log;
    struct tiny_batch batch;
    int done; /* how often */
    enum status status;
    char message[512];
    struct board *then_submit_to; /* what on_done does besides: submit `then`, */
    struct note *then;
    struct board_job *then_cancel; /* cancel a job, */
    sem_t *then_wait;              /* or hold the board up */
};

struct log {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct note *order[MAX_TASKS];
    uint32_t n;
};

#define LOG_INIT                                                                                                       \
    {                                                                                                                  \
        .lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER                                            \
    }

static void note_done(struct board_task *task, enum status status, const struct error *err)
{
    struct note *note = (struct note *)task;
    if (note->then_cancel)
        atomic_store(&note->then_cancel->cancelled, true);
    if (note->then_wait)
        sem_wait(note->then_wait);
    if (note->then_submit_to)
        board_submit(note->then_submit_to, &note->then->task);
    pthread_mutex_lock(&note->log->lock);
    note->done++;
    note->status = status;
    if (status)
        snprintf(note->message, sizeof note->message, "%s", err->message);
    note->log->order[note->log->n++ % MAX_TASKS] = note;
    pthread_cond_broadcast(&note->log->wake);
    pthread_mutex_unlock(&note->log->lock);
}

static struct note *note_create(struct log *log, const struct image *image, uint64_t seed)
{
    struct note *note = calloc(1, sizeof *note);
    note->log = log;
    tiny_batch_init(&note->batch, image, lengths, seed);
    note->task = (struct board_task){.job = &note->batch.job,
                                     .layer_end = image->shape.layers,
                                     .row_end = note->batch.job.n_rows,
                                     .on_done = note_done};
    return note;
}

static void note_destroy(struct note *note)
{
    tiny_batch_finish(&note->batch);
    free(note);
}

static void log_wait(struct log *log, uint32_t n)
{
    pthread_mutex_lock(&log->lock);
    while (log->n < n)
        pthread_cond_wait(&log->wake, &log->lock);
    pthread_mutex_unlock(&log->lock);
}

/* Submit and wait. */
static enum status run(struct board *board, struct note *note)
{
    uint32_t before = note->log->n;
    board_submit(board, &note->task);
    log_wait(note->log, before + 1);
    return note->status;
}

/* Opening, loading ------------------------------------------------------------------------------------------------- */

Test(board, opens_by_kind)
{
    struct board *board = NULL;
    struct error err;
    cr_assert_eq(board_open(&board, &(struct board_options){.kind = "asic"}, &err), STATUS_USAGE);
    cr_assert_str_eq(err.message, "unknown kind of board \"asic\"; known are: emu, ref, fp32");
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
        struct image *right = precision_of(kinds[k]) == IMAGE_FP32 ? fp32 : int8;
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
    cr_assert_eq(run(board, note), STATUS_OK);
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

Test(board, selftest_notices_a_difference)
{
    const struct engine_ops *ops[] = {&cpu_engine, &fp32_engine};
    for (int e = 0; e < 2; e++) {
        struct backend_selftest *test = NULL;
        struct error err = {0};
        cr_assert_eq(backend_selftest_create(&test, ops[e]->precision, &err), STATUS_OK);
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

/* Running ---------------------------------------------------------------------------------------------------------- */

Test(board, runs_in_order_and_right)
{
    for (int k = 0; k < N_KINDS; k++) {
        struct image *image = tiny_image(&tiny_shapes[1], precision_of(kinds[k]), 1);
        const struct engine_ops *ops[] = {&cpu_engine, &ref_engine, &fp32_engine};
        struct log log = LOG_INIT;
        struct board *board = open_loaded(kinds[k], image);
        struct note *notes[32];
        for (int i = 0; i < 32; i++) {
            notes[i] = note_create(&log, image, (uint64_t)i);
            board_submit(board, &notes[i]->task);
        }
        log_wait(&log, 32);
        for (int i = 0; i < 32; i++) {
            struct tiny_batch expected;
            tiny_batch_init(&expected, image, lengths, (uint64_t)i);
            cr_assert_eq(tiny_run(ops[k], &expected, NULL), STATUS_OK);
            cr_assert_eq(log.order[i], notes[i]);
            cr_assert(notes[i]->done == 1 && notes[i]->status == STATUS_OK);
            cr_assert(tiny_batch_equal(&expected, &notes[i]->batch));
            tiny_batch_finish(&expected);
        }
        struct board_stats stats;
        board_stats(board, &stats);
        cr_assert(stats.tasks_done == 32 && stats.tasks_failed == 0 && stats.tasks_cancelled == 0);
        cr_assert(stats.layers == 64 && stats.rows == 64 * ROWS && stats.queued == 0 && stats.busy_ns > 0);
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
    struct note *whole = note_create(&log, image, 1), *parts = note_create(&log, image, 1);
    cr_assert_eq(run(board, whole), STATUS_OK);
    for (uint32_t layer = 0; layer < 3; layer++) { /* the middle layer lies on the other board */
        parts->task.layer_begin = layer;
        parts->task.layer_end = layer + 1;
        cr_assert_eq(run(layer == 1 ? other : board, parts), STATUS_OK);
    }
    cr_assert(tiny_batch_equal(&whole->batch, &parts->batch));
    cr_assert_eq(run(other, parts), STATUS_BACKEND, "layer 2 is not loaded there");
    board_close(&board);
    board_close(&other);
    note_destroy(whole);
    note_destroy(parts);
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
    cr_assert_eq(run(boards[0], whole), STATUS_OK);
    struct note *pieces[] = {piece_create(&log, &split->batch.job, 0, 9),
                             piece_create(&log, &split->batch.job, 9, ROWS)};
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

/* Failing, cancelling, closing ------------------------------------------------------------------------------------- */

Test(board, a_failure_does_not_poison_the_next)
{
    for (int k = 0; k < N_KINDS; k++) {
        struct image *image = tiny_image(&tiny_shapes[0], precision_of(kinds[k]), 1);
        struct log log = LOG_INIT;
        struct board *board = open_loaded(kinds[k], image);
        struct note *good = note_create(&log, image, 1), *bad = note_create(&log, image, 1);
        bad->batch.ids[4] = image->shape.vocab;
        cr_assert_eq(run(board, good), STATUS_OK);
        cr_assert_eq(run(board, bad), STATUS_BACKEND);
        cr_assert(strstr(bad->message, "row 4 has token 101; the vocabulary has 101"), "%s", bad->message);
        cr_assert_eq(strncmp(bad->message, "board ", 6), 0);
        bad->batch.ids[4] = good->batch.ids[4];
        cr_assert_eq(run(board, bad), STATUS_OK);
        cr_assert(tiny_batch_equal(&good->batch, &bad->batch));
        struct board_stats stats;
        board_stats(board, &stats);
        cr_assert(stats.tasks_done == 2 && stats.tasks_failed == 1);
        cr_assert(strstr(stats.last_error, "row 4"));
        board_close(&board);
        note_destroy(good);
        note_destroy(bad);
        image_release(&image);
    }
}

Test(board, nothing_runs_without_its_model)
{
    struct image *image = tiny_image(&tiny_shapes[0], IMAGE_INT8, 1),
                 *other = tiny_image(&tiny_shapes[0], IMAGE_INT8, 1);
    struct log log = LOG_INIT;
    struct note *note = note_create(&log, image, 1);
    struct board *board = open_board("emu");
    cr_assert_eq(run(board, note), STATUS_BACKEND);
    cr_assert_eq(board_load(board, other, 0, 2, NULL), STATUS_OK);
    cr_assert_eq(run(board, note), STATUS_BACKEND);
    cr_assert(strstr(note->message, "not loaded"));
    board_close(&board);
    note_destroy(note);
    image_release(&image);
    image_release(&other);
}

Test(board, cancelled_tasks_complete_as_such)
{
    struct image *image = tiny_image(&tiny_shapes[0], IMAGE_INT8, 1);
    struct log log = LOG_INIT;
    struct board *board = open_loaded("emu", image);
    struct note *first = note_create(&log, image, 1), *second = note_create(&log, image, 2);
    struct note *third = note_create(&log, image, 3);
    first->then_cancel = &second->batch.job; /* from the board's thread: the second has not begun */
    board_submit(board, &first->task);
    board_submit(board, &second->task);
    board_submit(board, &third->task);
    log_wait(&log, 3);
    cr_assert_eq(first->status, STATUS_OK);
    cr_assert_eq(second->status, STATUS_CANCELLED);
    cr_assert_eq(third->status, STATUS_OK);
    board_cancel(board, &third->batch.job);
    cr_assert_eq(run(board, third), STATUS_CANCELLED);
    struct board_stats stats;
    board_stats(board, &stats);
    cr_assert(stats.tasks_done == 2 && stats.tasks_cancelled == 2 && stats.tasks_failed == 0);
    cr_assert_eq(stats.last_error[0], 0);
    board_close(&board);
    note_destroy(first);
    note_destroy(second);
    note_destroy(third);
    image_release(&image);
}

static void *close_board(void *board)
{
    board_close((struct board **)board);
    return NULL;
}

Test(board, close_cancels_what_waits)
{
    struct image *image = tiny_image(&tiny_shapes[0], IMAGE_INT8, 1);
    struct log log = LOG_INIT;
    struct board *board = open_loaded("emu", image);
    struct note *notes[9];
    for (int i = 0; i < 9; i++) {
        notes[i] = note_create(&log, image, 1);
        board_submit(board, &notes[i]->task);
    }
    pthread_t closer;
    pthread_create(&closer, NULL, close_board, &board);
    log_wait(&log, 9); /* all of them, whatever the moment */
    pthread_join(closer, NULL);
    cr_assert_null(board);
    bool cancelled = false;
    for (int i = 0; i < 9; i++) {
        cr_assert_eq(notes[i]->done, 1);
        cr_assert(notes[i]->status == STATUS_OK || notes[i]->status == STATUS_CANCELLED);
        cr_assert(!cancelled || notes[i]->status == STATUS_CANCELLED, "after the first cancelled one none runs");
        cancelled |= notes[i]->status == STATUS_CANCELLED;
        note_destroy(notes[i]);
    }
    image_release(&image);
}

struct racer {
    pthread_t thread;
    struct board *board;
    struct note **notes;
    uint32_t n;
    bool cancels;
};

static void *race(void *argument)
{
    struct racer *racer = argument;
    for (uint32_t i = 0; i < racer->n; i++) {
        if (racer->cancels)
            board_cancel(racer->board, &racer->notes[i]->batch.job);
        else
            board_submit(racer->board, &racer->notes[i]->task);
    }
    return NULL;
}

/* Three threads submit, one cancels every job at any moment, and the board is closed as soon as all are submitted. */
Test(board, exactly_once_whatever_races)
{
    enum { EACH = 40, N = 3 * EACH };
    struct image *image = tiny_image(&tiny_shapes[0], IMAGE_INT8, 1);
    for (int round = 0; round < 4; round++) {
        struct log log = LOG_INIT;
        struct board *board = open_loaded("emu", image);
        struct note *notes[N];
        struct racer racers[4];
        for (int i = 0; i < N; i++)
            notes[i] = note_create(&log, image, (uint64_t)i);
        for (int t = 0; t < 3; t++)
            racers[t] = (struct racer){.board = board, .notes = notes + t * EACH, .n = EACH};
        racers[3] = (struct racer){.board = board, .notes = notes, .n = N, .cancels = true};
        for (int t = round % 2 ? 0 : 3, end = t + 4; t < end; t++)
            pthread_create(&racers[t % 4].thread, NULL, race, &racers[t % 4]);
        for (int t = 0; t < 4; t++)
            pthread_join(racers[t].thread, NULL);
        board_close(&board);
        cr_assert_eq(log.n, N);
        for (int i = 0; i < N; i++) {
            cr_assert_eq(notes[i]->done, 1);
            cr_assert(notes[i]->status == STATUS_OK || notes[i]->status == STATUS_CANCELLED);
            note_destroy(notes[i]);
        }
    }
    image_release(&image);
}

Test(board, every_allocation_may_fail)
{
    for (int k = 0; k < N_KINDS; k++) {
        struct image *image = tiny_image(&tiny_shapes[0], precision_of(kinds[k]), 1);
        struct log log = LOG_INIT;
        struct note *note = note_create(&log, image, 1);
        enum status status = STATUS_NO_MEMORY;
        for (long n = 0; status; n++) {
            cr_assert_lt(n, 200);
            struct board *board = NULL;
            mem_fail_after(n);
            status = board_open(&board, &(struct board_options){.kind = kinds[k]}, NULL);
            if (!status)
                status = board_selftest(board, NULL);
            if (!status)
                status = board_load(board, image, 0, 2, NULL);
            if (!status)
                status = run(board, note);
            mem_fail_after(-1);
            cr_assert(status == STATUS_OK || status == STATUS_NO_MEMORY || status == STATUS_BACKEND);
            if (board && status) { /* and it is as good as new */
                struct error err = {0};
                cr_assert_eq(board_selftest(board, &err), STATUS_OK, "%s", err.message);
            }
            board_close(&board);
        }
        note_destroy(note);
        image_release(&image);
    }
}
