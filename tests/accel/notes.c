#include "tests/accel/notes.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

const char *const kinds[N_KINDS] = {"emu", "ref", "fp32"};
const struct engine_ops *const kind_engines[N_KINDS] = {&cpu_engine, &ref_engine, &fp32_engine};
static const uint32_t lengths[] = {3, 17, 1, 0};

struct board *open_board(const char *kind)
{
    struct board *board = NULL;
    struct error err = {0};
    cr_assert_eq(board_open(&board, &(struct board_options){.kind = kind}, &err), STATUS_OK, "%s", err.message);
    return board;
}

struct board *open_loaded(const char *kind, struct image *image)
{
    struct board *board = open_board(kind);
    struct error err = {0};
    cr_assert_eq(board_load(board, image, 0, image->shape.layers, &err), STATUS_OK, "%s", err.message);
    return board;
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

struct note *note_create(struct log *log, const struct image *image, uint64_t seed)
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

void note_destroy(struct note *note)
{
    tiny_batch_finish(&note->batch);
    free(note);
}

void log_wait(struct log *log, uint32_t n)
{
    pthread_mutex_lock(&log->lock);
    while (log->n < n)
        pthread_cond_wait(&log->wake, &log->lock);
    pthread_mutex_unlock(&log->lock);
}

enum status note_run(struct board *board, struct note *note)
{
    uint32_t before = note->log->n;
    board_submit(board, &note->task);
    log_wait(note->log, before + 1);
    return note->status;
}
