/* A whole model with its real weights on the simulated engine, all layers in one command, bit for bit against the
 * reference.
 *
 *     minilm MODEL_DIRECTORY [LENGTH ...]      a batch of sequences of so many tokens, default 4
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accel/engine.h"
#include "accel/sim/sim_engine.h"
#include "server/model/model.h"

enum { MOST = 64, MOST_SEQUENCES = 8 };

static int fail(const char *what, const struct error *err)
{
    fprintf(stderr, "%s: %s\n", what, err->message);
    return 1;
}

static enum status compute(const struct engine_ops *ops, struct board_job *job, struct error *err)
{
    struct engine *engine = NULL;
    uint32_t layers = job->image->shape.layers;
    struct board_task task = {.job = job, .kind = BOARD_RUN, .layer_end = layers, .row_end = job->n_rows};
    enum status status = ops->create(&engine, job->image, true, err);
    if (!status && ops->run_layers)
        status = ops->run_layers(engine, &task, NULL, err);
    for (uint32_t layer = 0; layer < layers && !status && !ops->run_layers; layer++)
        status = ops->run(engine, job, BOARD_RUN, layer, 0, job->n_rows, err);
    if (engine)
        ops->destroy(engine);
    return status;
}

int main(int argc, char **argv)
{
    struct error err = {0};
    struct model_info info = {0};
    struct image *image = NULL;
    uint32_t cu_seqlens[MOST_SEQUENCES + 1] = {0, 4}, n = argc > 2 ? (uint32_t)argc - 2 : 1;
    if (argc < 2 || n > MOST_SEQUENCES) {
        fprintf(stderr, "usage: minilm MODEL_DIRECTORY [LENGTH ...], up to %d of them\n", MOST_SEQUENCES);
        return 2;
    }
    for (int i = 2; i < argc; i++)
        cu_seqlens[i - 1] = cu_seqlens[i - 2] + (uint32_t)atoi(argv[i]);
    uint32_t tokens = cu_seqlens[n];
    if (tokens < 1 || tokens > MOST) {
        fprintf(stderr, "minilm takes 1 to %d tokens in all\n", MOST);
        return 2;
    }
    if (model_read_info(&info, argv[1], false, &err) ||
        model_load_image(&image, argv[1], &info, IMAGE_INT8, NULL, &err))
        return fail("model", &err);
    uint32_t ids[MOST];
    for (uint32_t i = 0; i < tokens; i++)
        ids[i] = i * 7919 % image->shape.vocab;
    size_t size = (size_t)tokens * image->shape.hidden * sizeof(float);
    float *expected = malloc(size), *hidden = malloc(size);
    if (!expected || !hidden)
        return 1;
    struct board_job job = {.image = image, .n_seqs = n, .n_rows = tokens, .cu_seqlens = cu_seqlens, .ids = ids};
    job.hidden = expected;
    if (compute(&ref_engine, &job, &err))
        return fail("reference", &err);
    job.hidden = hidden;
    if (compute(&sim_engine, &job, &err))
        return fail("engine", &err);
    bool same = memcmp(expected, hidden, size) == 0;
    printf("%u layers, %u sequences, %u tokens, %zu values: %s\n", image->shape.layers, n, tokens, size / sizeof(float),
           same ? "the reference's bits" : "DIFFERENT");
    free(expected);
    free(hidden);
    image_release(&image);
    return same ? 0 : 1;
}
