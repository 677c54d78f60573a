/* A whole model with its real weights on the simulated engine, bit for bit against the reference.
 *
 *     minilm MODEL_DIRECTORY [TOKENS]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accel/engine.h"
#include "accel/sim/sim_engine.h"
#include "server/model/model.h"

enum { MOST = 64 };

static int fail(const char *what, const struct error *err)
{
    fprintf(stderr, "%s: %s\n", what, err->message);
    return 1;
}

static enum status compute(const struct engine_ops *ops, const struct board_job *job, struct error *err)
{
    struct engine *engine = NULL;
    enum status status = ops->create(&engine, job->image, true, err);
    for (uint32_t layer = 0; layer < job->image->shape.layers && !status; layer++)
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
    uint32_t tokens = argc > 2 ? (uint32_t)atoi(argv[2]) : 4;
    if (argc < 2 || tokens < 1 || tokens > MOST) {
        fprintf(stderr, "usage: minilm MODEL_DIRECTORY [TOKENS, 1 to %d]\n", MOST);
        return 2;
    }
    if (model_read_info(&info, argv[1], false, &err) ||
        model_load_image(&image, argv[1], &info, IMAGE_INT8, NULL, &err))
        return fail("model", &err);
    uint32_t cu_seqlens[] = {0, tokens}, ids[MOST];
    for (uint32_t i = 0; i < tokens; i++)
        ids[i] = i * 7919 % image->shape.vocab;
    size_t size = (size_t)tokens * image->shape.hidden * sizeof(float);
    float *expected = malloc(size), *hidden = malloc(size);
    if (!expected || !hidden)
        return 1;
    struct board_job job = {.image = image, .n_seqs = 1, .n_rows = tokens, .cu_seqlens = cu_seqlens, .ids = ids};
    job.hidden = expected;
    if (compute(&ref_engine, &job, &err))
        return fail("reference", &err);
    job.hidden = hidden;
    if (compute(&sim_engine, &job, &err))
        return fail("engine", &err);
    bool same = memcmp(expected, hidden, size) == 0;
    printf("%u layers, %u tokens, %zu values: %s\n", image->shape.layers, tokens, size / sizeof(float),
           same ? "the reference's bits" : "DIFFERENT");
    free(expected);
    free(hidden);
    image_release(&image);
    return same ? 0 : 1;
}
