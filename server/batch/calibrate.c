#include "server/batch/calibrate.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/mem.h"

/* A layer of a few tokens that takes this long is a simulated board's, or a sanitizer's. */
#define SLOW_NS 2e8

struct wait {
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool is_done;
    enum status status;
    struct error err;
};

static void on_done(struct board_task *task, enum status status, const struct error *err)
{
    struct wait *wait = task->cookie;
    pthread_mutex_lock(&wait->lock);
    wait->status = status;
    if (status != STATUS_OK && err)
        wait->err = *err;
    wait->is_done = true;
    pthread_cond_signal(&wait->done);
    pthread_mutex_unlock(&wait->lock);
}

static enum status run_and_wait(struct board *board, struct board_job *job, struct error *err)
{
    struct wait wait = {.lock = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER};
    struct board_task task = {
        .job = job, .kind = BOARD_RUN, .layer_end = 1, .row_end = job->n_rows, .on_done = on_done, .cookie = &wait};
    board_submit(board, &task);
    pthread_mutex_lock(&wait.lock);
    while (!wait.is_done)
        pthread_cond_wait(&wait.done, &wait.lock);
    pthread_mutex_unlock(&wait.lock);
    if (wait.status != STATUS_OK && err)
        *err = wait.err;
    return wait.status;
}

/* The shorter of two runs: the first pays for memory that was never touched. */
static enum status measure(struct cost_sample *ret, struct board *board, struct board_job *job, uint32_t rows,
                           struct error *err)
{
    uint32_t cu_seqlens[2] = {0, rows};
    job->n_seqs = 1;
    job->n_rows = rows;
    job->cu_seqlens = cu_seqlens;
    double best = 0;
    for (int run = 0; run < 2 && best < SLOW_NS; run++) {
        uint64_t begin = clock_now_ns();
        enum status status = run_and_wait(board, job, err);
        if (status != STATUS_OK)
            return status;
        double took = (double)(clock_now_ns() - begin);
        best = run == 0 || took < best ? took : best;
    }
    *ret = (struct cost_sample){cost_add((struct cost_load){0}, rows), best};
    return STATUS_OK;
}

enum status calibrate_cost(struct cost_model *model, const struct image *image, struct board *board, struct error *err)
{
    uint32_t longest = image->shape.positions < 256 ? image->shape.positions : 256;
    uint32_t lengths[3] = {8, 64, longest};
    if (longest < 2 * lengths[1])
        return STATUS_OK; /* a toy model: the guesses will do */
    uint32_t *ids = mem_calloc(longest, sizeof *ids);
    float *hidden = mem_calloc((size_t)longest * image->shape.hidden, sizeof *hidden);
    struct cost_sample samples[3];
    enum status status = STATUS_OK;
    if (!ids || !hidden)
        status = error_set(err, STATUS_NO_MEMORY, "no memory to measure a board");
    struct board_job job = {.image = image, .ids = ids, .hidden = hidden};
    if (status == STATUS_OK)
        status = measure(&samples[0], board, &job, lengths[0], err);
    bool slow = status == STATUS_OK && samples[0].layer_ns >= SLOW_NS;
    for (int i = 1; i < 3 && status == STATUS_OK && !slow; i++)
        status = measure(&samples[i], board, &job, lengths[i], err);
    if (status == STATUS_OK && slow)
        cost_fit_one(model, &samples[0]);
    else if (status == STATUS_OK)
        cost_fit(model, samples);
    mem_free(hidden);
    mem_free(ids);
    return status;
}
