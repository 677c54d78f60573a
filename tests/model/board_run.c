#include "tests/model/board_run.h"

#include <criterion/criterion.h>
#include <math.h>
#include <pthread.h>

struct completion {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;
    enum status status;
    struct error err;
};

static void on_done(struct board_task *task, enum status status, const struct error *err)
{
    struct completion *completion = task->cookie;
    pthread_mutex_lock(&completion->lock);
    completion->status = status;
    if (err)
        completion->err = *err;
    completion->done = true;
    pthread_cond_signal(&completion->changed);
    pthread_mutex_unlock(&completion->lock);
}

struct board *board_run_open(const char *kind, struct image *image)
{
    struct board *board;
    struct error err = {0};
    struct board_options options = {.kind = kind};
    cr_assert_eq(board_open(&board, &options, &err), STATUS_OK, "%s: %s", kind, err.message);
    cr_assert_eq(board_load(board, image, 0, image->shape.layers, &err), STATUS_OK, "%s: %s", kind, err.message);
    return board;
}

void board_run(struct board *board, const struct image *image, const uint32_t *ids, const uint32_t *cu_seqlens,
               uint32_t n_seqs, float *hidden)
{
    struct completion completion = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    struct board_job job = {
        .image = image,
        .n_seqs = n_seqs,
        .n_rows = cu_seqlens[n_seqs],
        .cu_seqlens = cu_seqlens,
        .ids = ids,
        .hidden = hidden,
    };
    struct board_task task = {
        .job = &job,
        .kind = BOARD_RUN,
        .layer_end = image->shape.layers,
        .row_end = job.n_rows,
        .on_done = on_done,
        .cookie = &completion,
    };
    board_submit(board, &task);
    pthread_mutex_lock(&completion.lock);
    while (!completion.done)
        pthread_cond_wait(&completion.changed, &completion.lock);
    pthread_mutex_unlock(&completion.lock);
    cr_assert_eq(completion.status, STATUS_OK, "%s: %s: %s", board_name(board), status_name(completion.status),
                 completion.err.message);
}

double board_cosine(const float *a, const float *b, uint32_t width)
{
    double ab = 0, aa = 0, bb = 0;
    for (uint32_t i = 0; i < width; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return ab / sqrt(aa * bb);
}

struct board_difference board_compare(const float *rows, const float *expected, uint32_t n_rows, uint32_t width)
{
    struct board_difference difference = {.min_cosine = 1};
    for (uint32_t row = 0; row < n_rows; row++) {
        const float *a = rows + (size_t)row * width, *b = expected + (size_t)row * width;
        for (uint32_t i = 0; i < width; i++)
            difference.max_abs = fmax(difference.max_abs, fabs((double)a[i] - (double)b[i]));
        double cosine = board_cosine(a, b, width);
        difference.mean_cosine += cosine / n_rows;
        difference.min_cosine = fmin(difference.min_cosine, cosine);
    }
    return difference;
}
