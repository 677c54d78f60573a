#include "tests/accel/tiny.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "accel/float_mode.h"
#include "base/mem.h"

#define SHAPE(h, l, n, m, act)                                                                                         \
    {                                                                                                                  \
        .hidden = (h), .layers = (l), .heads = (n), .intermediate = (m), .vocab = 101, .positions = 96, .types = 2,    \
        .activation = (act), .layer_norm_eps = 1e-12f                                                                  \
    }

const struct image_shape tiny_shapes[] = {
    SHAPE(32, 2, 4, 64, IMAGE_GELU),   SHAPE(52, 2, 2, 100, IMAGE_GELU_NEW), SHAPE(64, 3, 2, 128, IMAGE_GELU),
    SHAPE(45, 2, 5, 77, IMAGE_RELU),   SHAPE(72, 2, 3, 136, IMAGE_GELU),     SHAPE(7, 1, 1, 5, IMAGE_GELU),
    SHAPE(128, 1, 4, 256, IMAGE_GELU),
};
const uint32_t tiny_n_shapes = sizeof tiny_shapes / sizeof tiny_shapes[0];

uint64_t tiny_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Near enough to normal: the sum of four uniforms. */
static const float *draw(struct tiny *tiny, size_t n, float centre, float deviation)
{
    float *begin = tiny->next;
    for (size_t i = 0; i < n; i++) {
        uint64_t bits = tiny_random(&tiny->random);
        double sum = (double)(bits & 0xffff) + (double)(bits >> 16 & 0xffff) + (double)(bits >> 32 & 0xffff) +
                     (double)(bits >> 48);
        begin[i] = centre + deviation * (float)((sum / 65536 - 2) * 1.732);
    }
    tiny->next += n;
    return begin;
}

static struct image_source_linear draw_linear(struct tiny *tiny, size_t in, size_t out)
{
    struct image_source_linear linear = {.weight = draw(tiny, in * out, 0, 1.3f / sqrtf((float)in))};
    linear.bias = draw(tiny, out, 0, 0.2f);
    return linear;
}

static struct image_source_norm draw_norm(struct tiny *tiny, size_t h)
{
    struct image_source_norm norm = {.gamma = draw(tiny, h, 1, 0.1f)};
    norm.beta = draw(tiny, h, 0, 0.1f);
    return norm;
}

static enum status give_layer(void *cookie, uint32_t index, struct image_source_layer *ret, struct error *err)
{
    (void)err;
    *ret = ((struct tiny *)cookie)->layers[index];
    return STATUS_OK;
}

void tiny_init(struct tiny *tiny, const struct image_shape *shape, uint64_t seed)
{
    size_t h = shape->hidden, m = shape->intermediate;
    size_t layer = 4 * h * h + 2 * h * m + m + 9 * h;
    size_t tables = ((size_t)shape->vocab + shape->positions + shape->types + 2) * h;
    cr_assert_leq(shape->layers, TINY_MAX_LAYERS);
    *tiny = (struct tiny){.random = seed * 0x9e3779b97f4a7c15u | 1};
    tiny->values = tiny->next = malloc((tables + shape->layers * layer) * sizeof(float));
    cr_assert(tiny->values);
    tiny->source = (struct image_source){.shape = *shape, .layer = give_layer, .cookie = tiny};
    tiny->source.word_embeddings = draw(tiny, shape->vocab * h, 0, 1);
    tiny->source.position_embeddings = draw(tiny, shape->positions * h, 0, 0.3f);
    tiny->source.type_embeddings = draw(tiny, shape->types * h, 0, 0.3f);
    tiny->source.embedding_norm = draw_norm(tiny, h);
    for (uint32_t i = 0; i < shape->layers; i++)
        tiny->layers[i] = (struct image_source_layer){
            draw_linear(tiny, h, h), draw_linear(tiny, h, h), draw_linear(tiny, h, h), draw_linear(tiny, h, h),
            draw_linear(tiny, h, m), draw_linear(tiny, m, h), draw_norm(tiny, h),      draw_norm(tiny, h)};
}

void tiny_finish(struct tiny *tiny)
{
    free(tiny->values);
}

struct image *tiny_image(const struct image_shape *shape, enum image_precision precision, uint64_t seed)
{
    struct tiny tiny;
    struct image *image = NULL;
    struct error err = {0};
    tiny_init(&tiny, shape, seed);
    cr_assert_eq(image_build(&image, &tiny.source, precision, cpu_engine_sections(), &err), STATUS_OK, "%s",
                 err.message);
    tiny_finish(&tiny);
    return image;
}

void tiny_batch_init(struct tiny_batch *batch, const struct image *image, const uint32_t *lengths, uint64_t seed)
{
    uint64_t random = seed * 0x9e3779b97f4a7c15u | 1;
    uint32_t n = 0, rows = 0;
    memset(batch, 0, sizeof *batch);
    for (; lengths[n]; n++) {
        rows += lengths[n];
        cr_assert(n < TINY_MAX_SEQS && rows <= TINY_MAX_ROWS);
        batch->cu_seqlens[n + 1] = rows;
    }
    for (uint32_t r = 0; r < rows; r++) {
        batch->ids[r] = (uint32_t)(tiny_random(&random) >> 20) % image->shape.vocab;
        batch->type_ids[r] = (uint8_t)((tiny_random(&random) >> 20) % image->shape.types);
    }
    batch->job = (struct board_job){.image = image,
                                    .n_seqs = n,
                                    .n_rows = rows,
                                    .cu_seqlens = batch->cu_seqlens,
                                    .ids = batch->ids,
                                    .type_ids = batch->type_ids,
                                    .hidden_sums = batch->hidden_sums};
    batch->job.hidden = calloc((size_t)rows * image->shape.hidden, sizeof(float));
    cr_assert(batch->job.hidden);
}

void tiny_batch_add_kv(struct tiny_batch *batch)
{
    struct board_job *job = &batch->job;
    size_t size = board_kv_size(job->image, job->cu_seqlens, job->n_seqs);
    batch->kv_memory = mem_alloc_aligned(64, size);
    cr_assert(batch->kv_memory);
    memset(batch->kv_memory, 0, size);
    board_kv_init(&batch->kv, job->image, job->cu_seqlens, job->n_seqs, batch->kv_memory, batch->block_begin);
    job->kv = &batch->kv;
}

void tiny_batch_finish(struct tiny_batch *batch)
{
    free(batch->job.hidden);
    mem_free(batch->kv_memory);
}

bool tiny_batch_equal(const struct tiny_batch *a, const struct tiny_batch *b)
{
    return memcmp(a->job.hidden, b->job.hidden, (size_t)a->job.n_rows * a->job.image->shape.hidden * sizeof(float)) ==
           0;
}

enum status tiny_run(const struct engine_ops *ops, struct tiny_batch *batch, struct error *err)
{
    const struct board_job *job = &batch->job;
    struct engine *engine = NULL;
    uint32_t mode = float_mode_set();
    enum status status = ops->create(&engine, job->image, true, err);
    for (uint32_t layer = 0; layer < job->image->shape.layers && !status; layer++)
        status = ops->run(engine, job, BOARD_RUN, layer, 0, job->n_rows, err);
    if (engine)
        ops->destroy(engine);
    float_mode_restore(mode);
    return status;
}

double tiny_cosine(const float *a, const double *b, uint32_t n)
{
    double ab = 0, aa = 0, bb = 0;
    for (uint32_t i = 0; i < n; i++) {
        ab += a[i] * b[i];
        aa += (double)a[i] * a[i];
        bb += b[i] * b[i];
    }
    return ab / sqrt(aa * bb);
}
