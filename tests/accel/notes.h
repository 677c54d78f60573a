/* Boards for tests, and tasks that note how they ended. */
#ifndef TESTS_ACCEL_NOTES_H
#define TESTS_ACCEL_NOTES_H

#include <pthread.h>
#include <semaphore.h>

#include "tests/accel/tiny.h"

/** The kinds of boards, and what each computes with. */
enum { N_KINDS = 3, NOTE_ROWS = 21, MAX_TASKS = 256 };
extern const char *const kinds[N_KINDS];
extern const struct engine_ops *const kind_engines[N_KINDS];

/** The test fails where these do. */
struct board *open_board(const char *kind);
struct board *open_loaded(const char *kind, struct image *image);

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

/** A task over all layers of a batch of NOTE_ROWS rows; its end goes into `log`. */
struct note *note_create(struct log *log, const struct image *image, uint64_t seed);
void note_destroy(struct note *note);
/** Wait until n tasks have ended. */
void log_wait(struct log *log, uint32_t n);
/** Submit and wait. */
enum status note_run(struct board *board, struct note *note);

#endif
