#include "server/batch/calibrate.h"

#include <math.h>
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

static enum status measure(double *ret_ns, const struct subject *subject, struct board_job *job, uint32_t rows,
                           struct error *err)
{
    uint32_t cu_seqlens[2] = {0, rows};
    job->n_seqs = 1;
    job->n_rows = rows;
    job->cu_seqlens = cu_seqlens;
    uint64_t begin = clock_now_ns();
    enum status status = run_and_wait(subject, job, err);
    *ret_ns = (double)(clock_now_ns() - begin);
    return status;
}

enum { SHORT = 8, MEDIUM = 64, LONG = 256, SAMPLES = 5, ROUNDS = 3 };

/* What is run: so many rows through so many layers. */
static const struct {
    uint32_t rows, layers;
} plan[SAMPLES] = {{SHORT, 1}, {MEDIUM, 1}, {LONG, 1}, {SHORT, 2}, {LONG, 2}};

/* The shortest times of some rounds: the first pays for memory that was never touched and for a core that slept, and
 * what else runs on the machine rarely comes in the same place of each. A board so slow that it has no second layer to
 * run is measured by its first sample alone, and `ret_slow` is true. */
static enum status take_samples(double took_ns[SAMPLES], bool *ret_slow, const struct subject *subject,
                                struct board_job *job, uint32_t longest, struct error *err)
{
    uint32_t held = subject->layers.layer_end - subject->layers.layer_begin;
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < SAMPLES; i++) {
            struct subject part = *subject;
            double ns;
            if (plan[i].layers > held)
                continue;
            part.layers.layer_end = part.layers.layer_begin + plan[i].layers;
            enum status status = measure(&ns, &part, job, plan[i].rows < longest ? plan[i].rows : longest, err);
            if (status != STATUS_OK)
                return status;
            took_ns[i] = round == 0 || ns < took_ns[i] ? ns : took_ns[i];
            *ret_slow = took_ns[0] >= SLOW_NS;
            if (*ret_slow)
                return STATUS_OK;
        }
    }
    return STATUS_OK;
}

/* What a launch took besides its layers, by one of one layer and one of two (0: there was none); nothing where that is
 * so little of it that it may be chance. */
static double launch_of(double one_ns, double two_ns)
{
    double launch_ns = two_ns > 0 ? 2 * one_ns - two_ns : 0;
    return launch_ns > LEAST_LAUNCH * one_ns ? launch_ns : 0;
}

/* Split, a layer is two launches. */
static void fit(struct cost_model *model, const double took_ns[SAMPLES], bool slow, uint32_t longest)
{
    const double rows[3] = {SHORT, MEDIUM, longest};
    struct cost_sample samples[3];
    for (int i = 0; i < 3; i++)
        samples[i] = (struct cost_sample){cost_add((struct cost_load){0}, (uint32_t)rows[i]), took_ns[i]};
    if (slow) {
        cost_fit_one(model, samples);
        return;
    }
    double launches_ns[2] = {launch_of(took_ns[0], took_ns[3]), launch_of(took_ns[2], took_ns[4])};
    double move_ns = fmax((launches_ns[1] - launches_ns[0]) / (rows[2] - rows[0]), 0);
    double task_ns = fmax(launches_ns[0] - move_ns * rows[0], model->task_ns);
    for (int i = 0; i < 3; i++)
        samples[i].layer_ns -= task_ns - model->task_ns + move_ns * rows[i];
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
    struct subject subject = {board, loaded};
    double took_ns[SAMPLES] = {0};
    bool slow = false;
    enum status status = STATUS_OK;
    if (!ids || !hidden)
        status = error_set(err, STATUS_NO_MEMORY, "no memory to measure a board");
    struct board_job job = {.image = image, .ids = ids, .hidden = hidden};
    if (status == STATUS_OK)
        status = take_samples(took_ns, &slow, &subject, &job, longest, err);
    if (status == STATUS_OK)
        fit(model, took_ns, slow, longest);
    mem_free(hidden);
    mem_free(ids);
    return status;
}
