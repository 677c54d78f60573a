#include <string.h>

#include "accel/backend.h"
#include "accel/sim/sim_engine.h"
#include "server/base/mem.h"

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
enum { H = 64, M = 128, N_SEQS = 2, N_ROWS = 18, LAYER = 4 * H * H + 2 * H * M + M + 9 * H };
static const uint32_t cu_seqlens[] = {0, 1, 18};

struct weights {
    uint32_t state;
    float values[LAYER + (16 + 32 + 1) * H + 2 * H];
    float *next;
};

static const float *draw(struct weights *weights, size_t n, float centre, float spread)
{
    float *begin = weights->next;
    for (size_t i = 0; i < n; i++) {
        weights->state = weights->state * 1664525u + 1013904223u;
        begin[i] = centre + spread * ((float)((int32_t)weights->state >> 16) * 0x1p-15f);
    }
    weights->next += n;
    return begin;
}

static struct image_source_linear draw_linear(struct weights *weights, size_t in, size_t out)
{
    struct image_source_linear linear = {.weight = draw(weights, in * out, 0, 0.25f)};
    linear.bias = draw(weights, out, 0, 0.25f);
    return linear;
}

static struct image_source_norm draw_norm(struct weights *weights)
{
    struct image_source_norm norm = {.gamma = draw(weights, H, 1, 0.25f)};
    norm.beta = draw(weights, H, 0, 0.25f);
    return norm;
}

static enum status draw_layer(void *cookie, uint32_t index, struct image_source_layer *ret, struct error *err)
{
    (void)index;
    (void)err;
    struct weights *weights = cookie;
    weights->next = weights->values;
    ret->query = draw_linear(weights, H, H);
    ret->key = draw_linear(weights, H, H);
    ret->value = draw_linear(weights, H, H);
    ret->output = draw_linear(weights, H, H);
    ret->ffn1 = draw_linear(weights, H, M);
    ret->ffn2 = draw_linear(weights, M, H);
    ret->attention_norm = draw_norm(weights);
    ret->output_norm = draw_norm(weights);
    return STATUS_OK;
}

static enum status build(struct image **ret, struct error *err)
{
    struct weights *weights = mem_alloc(sizeof *weights);
    if (!weights)
        return error_set(err, STATUS_NO_MEMORY, "no memory for the self-test");
    weights->state = 2024;
    weights->next = weights->values + LAYER; /* the tables behind what draw_layer overwrites */
    struct image_source source = {.shape = shape, .layer = draw_layer, .cookie = weights};
    source.words = draw(weights, (size_t)shape.vocab * H, 0, 1);
    source.token_positions = draw(weights, (size_t)shape.positions * H, 0, 0.5f);
    source.token_types = draw(weights, (size_t)shape.types * H, 0, 0.5f);
    source.embedding_norm = draw_norm(weights);
    enum status status = image_build(ret, &source, IMAGE_INT8, err);
    mem_free(weights);
    return status;
}

static enum status compute(const struct engine_ops *ops, const struct board_job *job, struct error *err)
{
    struct engine *engine = NULL;
    uint32_t mode = engine_set_float_mode();
    enum status status = ops->create(&engine, job->image, err);
    for (uint32_t layer = 0; layer < shape.layers && !status; layer++)
        status = ops->run(engine, job, BOARD_RUN, layer, 0, N_ROWS, err);
    if (engine)
        ops->destroy(engine);
    engine_restore_float_mode(mode);
    return status;
}

enum status sim_selftest(struct board *board, struct error *err)
{
    uint32_t ids[N_ROWS];
    float hidden[N_ROWS * H], expected[N_ROWS * H];
    for (uint32_t i = 0; i < N_ROWS; i++)
        ids[i] = i * 7 % shape.vocab;
    struct image *image = NULL;
    enum status status = build(&image, err);
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
