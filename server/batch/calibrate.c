#include "server/batch/calibrate.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/mem.h"

/* A layer of a few tokens that takes this long is a simulated board's, or a sanitizer's. */
#define SLOW_NS 2e8
/* A launch that takes less of a layer's time besides it cannot be told from chance. */
#define LEAST_LAUNCH 0.1

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

/* What a launch of so many rows took besides its layers; nothing where that is so little of it that it may be chance.
 * `one` is what a layer took in a launch of its own. */
static enum status measure_launch(double *ret_ns, const struct subject *subject, struct board_job *job,
                                  const struct cost_sample *one, struct error *err)
{
    struct subject two = *subject;
    two.layers.layer_end = two.layers.layer_begin + 2;
    *ret_ns = 0;
    if (two.layers.layer_end > subject->layers.layer_end)
        return STATUS_OK;
    struct cost_sample both;
    enum status status = measure(&both, &two, job, one->load.rows, err);
    double launch_ns = status == STATUS_OK ? 2 * one->layer_ns - both.layer_ns : 0;
    if (launch_ns > LEAST_LAUNCH * one->layer_ns)
        *ret_ns = launch_ns;
    return status;
}

/* One layer of three lengths, and what launches of the first and the last cost. */
static enum status take_samples(struct cost_sample samples[3], double launches_ns[2], const struct subject *subject,
                                struct board_job *job, uint32_t longest, struct error *err)
{
    const uint32_t lengths[] = {SHORT, MEDIUM, longest};
    struct subject one = *subject;
    one.layers.layer_end = one.layers.layer_begin + 1;
    enum status status = STATUS_OK;
    for (int i = 0; i < 3 && status == STATUS_OK; i++) {
        status = measure(&samples[i], &one, job, lengths[i], err);
        if (status == STATUS_OK && samples[0].layer_ns >= SLOW_NS)
            return STATUS_OK;
    }
    if (status == STATUS_OK)
        status = measure_launch(&launches_ns[0], subject, job, &samples[0], err);
    return status == STATUS_OK ? measure_launch(&launches_ns[1], subject, job, &samples[2], err) : status;
}

/* Split, a layer is two launches. */
static void fit(struct cost_model *model, struct cost_sample samples[3], const double launches_ns[2])
{
    double rows[] = {samples[0].load.rows, samples[2].load.rows};
    double move_ns = (launches_ns[1] - launches_ns[0]) / (rows[1] - rows[0]);
    move_ns = move_ns > 0 ? move_ns : 0;
    double task_ns = launches_ns[0] - move_ns * rows[0];
    task_ns = task_ns > model->task_ns ? task_ns : model->task_ns;
    for (int i = 0; i < 3; i++)
        samples[i].layer_ns -= task_ns - model->task_ns + move_ns * samples[i].load.rows;
    cost_fit(model, samples);
    model->barrier_ns += 2 * (task_ns - model->task_ns);
    model->task_ns = task_ns;
    model->move_ns = move_ns;
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
    double launches_ns[2];
    enum status status = STATUS_OK;
    if (!ids || !hidden)
        status = error_set(err, STATUS_NO_MEMORY, "no memory to measure a board");
    struct board_job job = {.image = image, .ids = ids, .hidden = hidden};
    if (status == STATUS_OK)
        status = take_samples(samples, launches_ns, &subject, &job, longest, err);
    if (status == STATUS_OK && samples[0].layer_ns >= SLOW_NS)
        cost_fit_one(model, &samples[0]);
    else if (status == STATUS_OK)
        fit(model, samples, launches_ns);
    mem_free(hidden);
    mem_free(ids);
    return status;
}
