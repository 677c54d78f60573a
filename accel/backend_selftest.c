#include "accel/backend_selftest.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <xxhash.h>

#include "accel/engine.h"
#include "accel/float_mode.h"
#include "base/mem.h"

/* Widths that are no multiple of a panel, a rotation of 8, sequences of one token, a block and one, and more. */
static const struct image_shape shape = {.hidden = 72,
                                         .layers = 2,
                                         .heads = 3,
                                         .intermediate = 136,
                                         .vocab = 64,
                                         .positions = 48,
                                         .types = 2,
                                         .activation = IMAGE_GELU,
                                         .layer_norm_eps = 1e-6f};
static const uint32_t cu_seqlens[] = {0, 1, 18, 58};
enum { N_SEQS = 3, N_ROWS = 58, MAX_H = 72 };

/* The smallest that goes through every part of a card's engine: two heads, two layers; of the sequences the first two.
 */
static const struct image_shape card_shape = {.hidden = 64,
                                              .layers = 2,
                                              .heads = 2,
                                              .intermediate = 128,
                                              .vocab = 64,
                                              .positions = 48,
                                              .types = 2,
                                              .activation = IMAGE_GELU,
                                              .layer_norm_eps = 1e-6f};
enum { CARD_SEQS = 2, CARD_ROWS = 18 };

/* XXH3-64 of the hidden states that every int8 board computes, and every card. */
static const uint64_t known_bits = 0x65b41f29e3f73257, known_card_bits = 0x4cb893ec098af62a;

/* Weights: the same on every machine, made of integers and one exact product. */
struct weights {
    uint32_t state;
    uint32_t h, m; /* hidden, intermediate */
    float *next;
    float values[];
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
    struct image_source_norm norm = {.gamma = draw(weights, weights->h, 1, 0.25f)};
    norm.beta = draw(weights, weights->h, 0, 0.25f);
    return norm;
}

static enum status draw_layer(void *cookie, uint32_t index, struct image_source_layer *ret, struct error *err)
{
    (void)index;
    (void)err;
    struct weights *weights = cookie;
    size_t h = weights->h, m = weights->m;
    weights->next = weights->values;
    ret->query = draw_linear(weights, h, h);
    ret->key = draw_linear(weights, h, h);
    ret->value = draw_linear(weights, h, h);
    ret->output = draw_linear(weights, h, h);
    ret->ffn1 = draw_linear(weights, h, m);
    ret->ffn2 = draw_linear(weights, m, h);
    ret->attention_norm = draw_norm(weights);
    ret->output_norm = draw_norm(weights);
    return STATUS_OK;
}

enum status backend_selftest_image(struct image **ret, const struct image_shape *of, enum image_precision precision,
                                   const struct image_sections *sections, struct error *err)
{
    size_t h = of->hidden, m = of->intermediate;
    size_t tables = ((size_t)of->vocab + of->positions + of->types) * h + 2 * h;
    size_t layer = 4 * h * h + 2 * h * m + m + 9 * h;
    struct weights *weights = mem_alloc(sizeof *weights + (tables > layer ? tables : layer) * sizeof(float));
    if (!weights)
        return error_set(err, STATUS_NO_MEMORY, "no memory for the self-test");
    weights->state = 2024;
    weights->h = of->hidden;
    weights->m = of->intermediate;
    weights->next = weights->values;
    struct image_source source = {.shape = *of, .layer = draw_layer, .cookie = weights};
    source.word_embeddings = draw(weights, of->vocab * h, 0, 1);
    source.position_embeddings = draw(weights, of->positions * h, 0, 0.5f);
    source.type_embeddings = draw(weights, of->types * h, 0, 0.5f);
    source.embedding_norm = draw_norm(weights);
    enum status status = image_build(ret, &source, precision, sections, err);
    mem_free(weights);
    return status;
}

struct owned {
    struct backend_selftest test; /* first */
    uint32_t ids[N_ROWS];
    uint8_t type_ids[N_ROWS];
    float hidden[N_ROWS * MAX_H];
};

enum status backend_selftest_create(struct backend_selftest **ret, enum image_precision precision, bool card,
                                    const struct image_sections *sections, struct error *err)
{
    struct owned *owned = mem_calloc(1, sizeof *owned);
    if (!owned)
        return error_set(err, STATUS_NO_MEMORY, "no memory for the self-test");
    struct backend_selftest *test = &owned->test;
    enum status status = backend_selftest_image(&test->image, card ? &card_shape : &shape, precision, sections, err);
    if (status) {
        mem_free(owned);
        return status;
    }
    for (uint32_t r = 0; r < N_ROWS; r++) {
        owned->ids[r] = r * 29 % shape.vocab;
        owned->type_ids[r] = r % 5 == 0;
    }
    test->job = (struct board_job){.image = test->image,
                                   .n_seqs = card ? CARD_SEQS : N_SEQS,
                                   .n_rows = card ? CARD_ROWS : N_ROWS,
                                   .cu_seqlens = cu_seqlens,
                                   .ids = owned->ids,
                                   .type_ids = owned->type_ids,
                                   .hidden = owned->hidden};
    test->task = (struct board_task){.job = &test->job, .layer_end = shape.layers, .row_end = test->job.n_rows};
    *ret = test;
    return STATUS_OK;
}

void backend_selftest_destroy(struct backend_selftest **test)
{
    if (*test)
        image_release(&(*test)->image);
    mem_free(*test);
    *test = NULL;
}

static enum status run_reference(struct backend_selftest *test, struct error *err)
{
    struct engine *engine = NULL;
    uint32_t mode = float_mode_set();
    enum status status = ref_engine.create(&engine, test->image, true, err);
    for (uint32_t layer = 0; layer < shape.layers && !status; layer++)
        status = ref_engine.run(engine, &test->job, BOARD_RUN, layer, 0, N_ROWS, err);
    if (engine)
        ref_engine.destroy(engine);
    float_mode_restore(mode);
    return status;
}

static enum status compare_reference(const struct backend_selftest *test, struct error *err)
{
    struct backend_selftest *reference = NULL;
    enum status status = backend_selftest_create(&reference, IMAGE_INT8, false, NULL, err);
    if (!status)
        status = run_reference(reference, err);
    double worst = 1;
    for (uint32_t r = 0; r < N_ROWS && !status; r++) {
        const float *a = test->job.hidden + (size_t)r * shape.hidden,
                    *b = reference->job.hidden + (size_t)r * shape.hidden;
        double ab = 0, aa = 0, bb = 0;
        for (uint32_t i = 0; i < shape.hidden; i++) {
            ab += (double)a[i] * b[i];
            aa += (double)a[i] * a[i];
            bb += (double)b[i] * b[i];
        }
        double cosine = ab / sqrt(aa * bb);
        worst = cosine >= worst ? worst : cosine;
    }
    if (!status && !(worst >= 0.999))
        status =
            error_set(err, STATUS_BACKEND, "self-test: a row has cosine %.4f with the reference, not 0.999", worst);
    backend_selftest_destroy(&reference);
    return status;
}

enum status backend_selftest_check(const struct backend_selftest *test, struct error *err)
{
    if (test->image->precision == IMAGE_FP32)
        return compare_reference(test, err);
    uint64_t bits = XXH3_64bits(test->job.hidden, sizeof(float) * test->job.n_rows * test->image->shape.hidden);
    uint64_t known = test->image->shape.hidden == card_shape.hidden ? known_card_bits : known_bits;
    if (bits == known)
        return STATUS_OK;
    return error_set(err, STATUS_BACKEND, "self-test: the result has checksum %016" PRIx64 " instead of %016" PRIx64,
                     bits, known);
}
