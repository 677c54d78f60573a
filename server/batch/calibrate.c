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

/* A board, and layers that it holds. */
struct subject {
    struct board *board;
    struct planner_board layers;
};

static enum status run_and_wait(const struct subject *subject, struct board_job *job, struct error *err)
{
    struct wait wait = {.lock = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER};
    struct board_task task = {.job = job,
                              .kind = BOARD_RUN,
                              .layer_begin = subject->layers.layer_begin,
                              .layer_end = subject->layers.layer_end,
                              .row_end = job->n_rows,
                              .on_done = on_done,
                              .cookie = &wait};
    board_submit(subject->board, &task);
    pthread_mutex_lock(&wait.lock);
    while (!wait.is_done)
        pthread_cond_wait(&wait.done, &wait.lock);
    pthread_mutex_unlock(&wait.lock);
    if (wait.status != STATUS_OK && err)
        *err = wait.err;
    return wait.status;
}

/* The shorter of two runs: the first pays for memory that was never touched. */
static enum status measure(struct cost_sample *ret, const struct subject *subject, struct board_job *job, uint32_t rows,
                           struct error *err)
{
    uint32_t cu_seqlens[2] = {0, rows};
    job->n_seqs = 1;
    job->n_rows = rows;
    job->cu_seqlens = cu_seqlens;
    double best = 0;
    for (int run = 0; run < 2 && best < SLOW_NS; run++) {
        uint64_t begin = clock_now_ns();
        enum status status = run_and_wait(subject, job, err);
        if (status != STATUS_OK)
            return status;
        double took = (double)(clock_now_ns() - begin);
        best = run == 0 || took < best ? took : best;
    }
    *ret = (struct cost_sample){cost_add((struct cost_load){0}, rows), best};
    return STATUS_OK;
}

enum { SHORT = 8, MEDIUM = 64, LONG = 256 };

/* One layer of three lengths; and `ret_second_ns`, what a second layer of the short one took (0: not known). */
static enum status take_samples(struct cost_sample samples[3], double *ret_second_ns, const struct subject *subject,
                                struct board_job *job, uint32_t longest, struct error *err)
{
    struct subject one = *subject, two = *subject;
    one.layers.layer_end = one.layers.layer_begin + 1;
    two.layers.layer_end = two.layers.layer_begin + 2;
    enum status status = measure(&samples[0], &one, job, SHORT, err);
    if (status != STATUS_OK || samples[0].layer_ns >= SLOW_NS)
        return status;
    if (two.layers.layer_end <= subject->layers.layer_end) {
        struct cost_sample both;
        status = measure(&both, &two, job, SHORT, err);
        *ret_second_ns = status == STATUS_OK ? both.layer_ns - samples[0].layer_ns : 0;
    }
    if (status == STATUS_OK)
        status = measure(&samples[1], &one, job, MEDIUM, err);
    return status == STATUS_OK ? measure(&samples[2], &one, job, longest, err) : status;
}

/* What a launch costs besides its layers, as far as that is above what is guessed. Split, a layer is two launches. */
static void fit(struct cost_model *model, struct cost_sample samples[3], double second_ns)
{
    double launch_ns = second_ns > 0 ? samples[0].layer_ns - second_ns : 0;
    for (int i = 0; i < 3 && launch_ns > model->task_ns; i++)
        samples[i].layer_ns -= launch_ns;
    cost_fit(model, samples);
    if (launch_ns <= model->task_ns)
        return;
    model->task_ns = launch_ns;
    model->barrier_ns += 2 * launch_ns;
}

enum status calibrate_cost(struct cost_model *model, const struct image *image, struct board *board,
                           struct planner_board loaded, struct error *err)
{
    uint32_t longest = image->shape.positions < LONG ? image->shape.positions : LONG;
    if (longest < 2 * MEDIUM)
        return STATUS_OK; /* a toy model: the guesses will do */
    uint32_t *ids = mem_calloc(longest, sizeof *ids);
    float *hidden = mem_calloc((size_t)longest * image->shape.hidden, sizeof *hidden);
    struct cost_sample samples[3];
    struct subject subject = {board, loaded};
    double second_ns = 0;
    enum status status = STATUS_OK;
    if (!ids || !hidden)
        status = error_set(err, STATUS_NO_MEMORY, "no memory to measure a board");
    struct board_job job = {.image = image, .ids = ids, .hidden = hidden};
    if (status == STATUS_OK)
        status = take_samples(samples, &second_ns, &subject, &job, longest, err);
    if (status == STATUS_OK && samples[0].layer_ns >= SLOW_NS)
        cost_fit_one(model, &samples[0]);
    else if (status == STATUS_OK)
        fit(model, samples, second_ns);
    mem_free(hidden);
    mem_free(ids);
    return status;
}
