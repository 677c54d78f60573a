/* Boards that fail, are cancelled, closed, or run out of memory: each task still ends exactly once. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/mem.h"
#include "tests/accel/notes.h"

Test(board_failures, a_failure_does_not_poison_the_next)
{
    for (int k = 0; k < N_KINDS; k++) {
        struct image *image = tiny_image(&tiny_shapes[0], kind_engines[k]->precision, 1);
        struct log log = LOG_INIT;
        struct board *board = open_loaded(kinds[k], image);
        struct note *good = note_create(&log, image, 1), *bad = note_create(&log, image, 1);
        bad->batch.ids[4] = image->shape.vocab;
        cr_assert_eq(note_run(board, good), STATUS_OK);
        cr_assert_eq(note_run(board, bad), STATUS_BACKEND);
        cr_assert(strstr(bad->message, "row 4 has token 101; the vocabulary has 101"), "%s", bad->message);
        cr_assert_eq(strncmp(bad->message, "board ", 6), 0);
        bad->batch.ids[4] = good->batch.ids[4];
        cr_assert_eq(note_run(board, bad), STATUS_OK);
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

Test(board_failures, nothing_runs_without_its_model)
{
    struct image *image = tiny_image(&tiny_shapes[0], IMAGE_INT8, 1),
                 *other = tiny_image(&tiny_shapes[0], IMAGE_INT8, 1);
    struct log log = LOG_INIT;
    struct note *note = note_create(&log, image, 1);
    struct board *board = open_board("emu");
    cr_assert_eq(note_run(board, note), STATUS_BACKEND);
    cr_assert_eq(board_load(board, other, 0, 2, NULL), STATUS_OK);
    cr_assert_eq(note_run(board, note), STATUS_BACKEND);
    cr_assert(strstr(note->message, "not loaded"));
    board_close(&board);
    note_destroy(note);
    image_release(&image);
    image_release(&other);
}

Test(board_failures, cancelled_tasks_complete_as_such)
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
    cr_assert_eq(note_run(board, third), STATUS_CANCELLED);
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

Test(board_failures, close_cancels_what_waits)
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
Test(board_failures, exactly_once_whatever_races)
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

Test(board_failures, every_allocation_may_fail)
{
    for (int k = 0; k < N_KINDS; k++) {
        struct image *image = tiny_image(&tiny_shapes[0], kind_engines[k]->precision, 1);
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
                status = note_run(board, note);
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

static void *reset_board(void *board)
{
    cr_assert_eq(board_reset(board, NULL), STATUS_OK);
    return NULL;
}

Test(board_failures, reset_ends_what_waits_and_keeps_the_model)
{
    struct image *image = tiny_image(&tiny_shapes[0], IMAGE_INT8, 1);
    struct log log = LOG_INIT;
    sem_t hold;
    sem_init(&hold, 0, 0);
    struct board *board = open_loaded("emu", image);
    struct note *notes[4];
    for (int i = 0; i < 4; i++) {
        notes[i] = note_create(&log, image, 1);
        notes[i]->then_wait = i == 0 ? &hold : NULL;
        board_submit(board, &notes[i]->task);
    }
    pthread_t resetter;
    pthread_create(&resetter, NULL, reset_board, board);
    sem_post(&hold);
    pthread_join(resetter, NULL);
    log_wait(&log, 4);
    bool refused = false;
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(notes[i]->done, 1);
        cr_assert(notes[i]->status == STATUS_OK || notes[i]->status == STATUS_BACKEND);
        cr_assert(!refused || notes[i]->status == STATUS_BACKEND);
        refused |= notes[i]->status == STATUS_BACKEND;
    }
    cr_assert_eq(note_run(board, notes[3]), STATUS_OK);
    cr_assert(notes[0]->status != STATUS_OK || tiny_batch_equal(&notes[0]->batch, &notes[3]->batch));
    board_close(&board);
    for (int i = 0; i < 4; i++)
        note_destroy(notes[i]);
    image_release(&image);
}
