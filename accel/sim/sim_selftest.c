#include <string.h>

#include "accel/backend.h"
#include "accel/backend_selftest.h"
#include "accel/float_mode.h"
#include "accel/sim/sim_engine.h"

/* The smallest shape that goes through every part of the engine: two heads, two layers, sequences of one token and of a
 * block and one. */
static const struct image_shape shape = {.hidden = 64,
                                         .layers = 2,
                                         .heads = 2,
                                         .intermediate = 128,
                                         .vocab = 16,
                                         .positions = 32,
                                         .types = 1,
                                         .activation = IMAGE_GELU,
                                         .layer_norm_eps = 1e-6f};
enum { H = 64, N_SEQS = 2, N_ROWS = 18 };
static const uint32_t cu_seqlens[] = {0, 1, 18};

static enum status compute(const struct engine_ops *ops, struct board_job *job, struct error *err)
{
    struct engine *engine = NULL;
    uint32_t mode = float_mode_set();
    struct board_task task = {.job = job, .kind = BOARD_RUN, .layer_end = shape.layers, .row_end = N_ROWS};
    enum status status = ops->create(&engine, job->image, true, err);
    if (!status && ops->run_layers)
        status = ops->run_layers(engine, &task, NULL, err);
    for (uint32_t layer = 0; layer < shape.layers && !status && !ops->run_layers; layer++)
        status = ops->run(engine, job, BOARD_RUN, layer, 0, N_ROWS, err);
    if (engine)
        ops->destroy(engine);
    float_mode_restore(mode);
    return status;
}

enum status sim_selftest(struct board *board, struct error *err)
{
    uint32_t ids[N_ROWS];
    float hidden[N_ROWS * H], expected[N_ROWS * H];
    for (uint32_t i = 0; i < N_ROWS; i++)
        ids[i] = i * 7 % shape.vocab;
    struct image *image = NULL;
    enum status status = backend_selftest_image(&image, &shape, IMAGE_INT8, NULL, err);
    struct board_job job = {.image = image, .n_seqs = N_SEQS, .n_rows = N_ROWS, .cu_seqlens = cu_seqlens, .ids = ids};
    job.hidden = expected;
    if (!status)
        status = compute(&ref_engine, &job, err);
    job.hidden = hidden;
    if (!status)
        status = compute(&sim_engine, &job, err);
    if (!status && memcmp(hidden, expected, sizeof hidden) != 0)
        status = error_set(err, STATUS_BACKEND, "board %s: self-test: the result is not the reference's", board->name);
    image_release(&image);
    return status;
}
