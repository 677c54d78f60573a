#include "tests/rtl/engine/case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { VOCAB = 8, TYPES = 1 };

uint32_t rtl_random(struct rtl_random *random, uint32_t below)
{
    random->state = random->state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((random->state >> 33) % below);
}

static void die(const char *what, const struct error *err)
{
    fprintf(stderr, "%s: %s\n", what, err->message);
    exit(1);
}

static void *take(size_t size)
{
    void *memory = mem_alloc_aligned(64, (size + 63) / 64 * 64);
    if (!memory)
        abort();
    memset(memory, 0, size);
    return memory;
}

/* Uniform in +-spread, with a few values far outside, as trained models have. */
static float draw(struct rtl_random *random, float spread)
{
    float x = ((float)rtl_random(random, 1 << 16) - 32768) * 0x1p-15f * spread;
    return rtl_random(random, 400) == 0 ? 12 * x : x;
}

static float *draw_many(struct rtl_random *random, size_t n, float spread, float centre)
{
    float *values = take(n * sizeof(float));
    for (size_t i = 0; i < n; i++)
        values[i] = centre + draw(random, spread);
    return values;
}

struct weights {
    struct rtl_random *random;
    const struct image_shape *shape;
    float *made[24]; /* of the layer before, to be freed */
    uint32_t n;
};

static const float *keep(struct weights *weights, size_t n, float spread, float centre)
{
    return weights->made[weights->n++] = draw_many(weights->random, n, spread, centre);
}

static struct image_source_linear draw_linear(struct weights *weights, size_t out, size_t in)
{
    struct image_source_linear linear = {.weight = keep(weights, out * in, 0.25f, 0)};
    linear.bias = keep(weights, out, 0.25f, 0);
    return linear;
}

static struct image_source_norm draw_norm(struct weights *weights, size_t n)
{
    struct image_source_norm norm = {.gamma = keep(weights, n, 0.25f, 1)};
    norm.beta = keep(weights, n, 0.25f, 0);
    return norm;
}

static void free_layer(struct weights *weights)
{
    while (weights->n > 0)
        mem_free(weights->made[--weights->n]);
}

static enum status draw_layer(void *cookie, uint32_t index, struct image_source_layer *ret, struct error *err)
{
    (void)index;
    (void)err;
    struct weights *weights = cookie;
    size_t h = weights->shape->hidden, m = weights->shape->intermediate;
    free_layer(weights);
    ret->query = draw_linear(weights, h, h);
    ret->key = draw_linear(weights, h, h);
    ret->value = draw_linear(weights, h, h);
    ret->output = draw_linear(weights, h, h);
    ret->ffn1 = draw_linear(weights, m, h);
    ret->ffn2 = draw_linear(weights, h, m);
    ret->attention_norm = draw_norm(weights, h);
    ret->output_norm = draw_norm(weights, h);
    return STATUS_OK;
}

struct image_shape rtl_case_shape(struct rtl_random *random, uint32_t heads)
{
    struct image_shape shape = {.layers = 1 + rtl_random(random, 2), .heads = 1 + rtl_random(random, heads)};
    shape.hidden = shape.heads * (rtl_random(random, 2) ? 64 : 32);
    shape.intermediate = 16 * (1 + rtl_random(random, 16));
    shape.activation = (enum image_activation)rtl_random(random, 3);
    shape.layer_norm_eps = rtl_random(random, 2) ? 1e-12f : 1e-5f;
    return shape;
}

static void build_image(struct rtl_case *test, struct rtl_random *random, struct image_shape shape)
{
    struct error err = {0};
    shape.vocab = VOCAB;
    shape.positions = CARD_MAX_TOKENS;
    shape.types = TYPES;
    struct weights weights = {.random = random, .shape = &shape};
    struct image_source source = {.shape = shape, .layer = draw_layer, .cookie = &weights};
    float *words = draw_many(random, (size_t)VOCAB * shape.hidden, 1, 0);
    float *positions = draw_many(random, (size_t)CARD_MAX_TOKENS * shape.hidden, 1, 0);
    float *types = draw_many(random, (size_t)TYPES * shape.hidden, 1, 0);
    float *gamma = draw_many(random, shape.hidden, 0.25f, 1), *beta = draw_many(random, shape.hidden, 0.25f, 0);
    source.word_embeddings = words;
    source.position_embeddings = positions;
    source.type_embeddings = types;
    source.embedding_norm = (struct image_source_norm){gamma, beta};
    if (image_build(&test->image, &source, IMAGE_INT8, NULL, &err))
        die("image", &err);
    free_layer(&weights);
    mem_free(words);
    mem_free(positions);
    mem_free(types);
    mem_free(gamma);
    mem_free(beta);
}

/* Rows as they come out of a LayerNorm, every layer by the reference engine; keys and values of the last. Layer 0 would
 * embed first: the reference runs it as the layer it is on rows of its own making, which are the input. */
static void compute_reference(struct rtl_case *test)
{
    struct error err = {0};
    struct engine *engine = NULL;
    if (ref_engine.create(&engine, test->image, true, &err))
        die("reference", &err);
    size_t size = (size_t)test->rows * test->image->shape.hidden * sizeof(float);
    struct board_job job = {.image = test->image,
                            .n_seqs = test->n_seqs,
                            .n_rows = test->rows,
                            .cu_seqlens = test->cu_seqlens,
                            .ids = test->ids,
                            .hidden = test->expected,
                            .kv = &test->kv_expected};
    for (uint32_t layer = 0; layer < test->image->shape.layers; layer++) {
        if (ref_engine.run(engine, &job, BOARD_PROJECT, layer, 0, test->rows, &err))
            die("reference", &err);
        if (layer == 0)
            memcpy(test->input, test->expected, size); /* the embedded rows */
        if (ref_engine.run(engine, &job, BOARD_FINISH, layer, 0, test->rows, &err))
            die("reference", &err);
    }
    ref_engine.destroy(engine);
}

void rtl_case_init_plain(struct rtl_case *test, struct rtl_random *random, struct image_shape shape,
                         const uint32_t *lengths, uint32_t n)
{
    struct error err = {0};
    *test = (struct rtl_case){.n_seqs = n};
    for (uint32_t s = 0; s < n; s++)
        test->cu_seqlens[s + 1] = test->cu_seqlens[s] + lengths[s];
    test->rows = test->cu_seqlens[n];
    build_image(test, random, shape);
    test->input = take((size_t)test->rows * shape.hidden * sizeof(float));
    test->expected = take((size_t)test->rows * shape.hidden * sizeof(float));
    test->ids = take(test->rows * sizeof(uint32_t));
    for (uint32_t i = 0; i < test->rows; i++)
        test->ids[i] = rtl_random(random, VOCAB);
    test->kv_size = board_kv_size(test->image, test->cu_seqlens, n);
    test->kv_memory = take(test->kv_size);
    test->kv_expected_memory = take(test->kv_size);
    board_kv_init(&test->kv, test->image, test->cu_seqlens, n, test->kv_memory, test->block_begin);
    board_kv_init(&test->kv_expected, test->image, test->cu_seqlens, n, test->kv_expected_memory, test->block_begin);
    if (card_init(&test->card, test->image, 0, shape.layers, &err))
        die("card", &err);
    /* 4 GiB lie within the memory, or close before it. */
    test->card.base = ((1 + (uint64_t)rtl_random(random, 1 << 16)) << 32) - (uint64_t)rtl_random(random, 64) * 4096;
}

void rtl_case_init_batch(struct rtl_case *test, struct rtl_random *random, struct image_shape shape,
                         const uint32_t *lengths, uint32_t n)
{
    rtl_case_init_plain(test, random, shape, lengths, n);
    compute_reference(test);
}

void rtl_case_init(struct rtl_case *test, struct rtl_random *random, struct image_shape shape, uint32_t tokens)
{
    rtl_case_init_batch(test, random, shape, &tokens, 1);
}

void rtl_case_finish(struct rtl_case *test)
{
    mem_free(test->input);
    mem_free(test->expected);
    mem_free(test->ids);
    mem_free(test->kv_memory);
    mem_free(test->kv_expected_memory);
    image_release(&test->image);
}

void rtl_case_put_rows(const struct rtl_case *test, struct sim_model *model)
{
    memcpy((char *)sim_model_memory(model) + test->card.rows, test->input,
           (size_t)test->rows * test->image->shape.hidden * sizeof(float));
}

struct sim_model *rtl_case_model(const struct rtl_case *test, struct sim_model_options options)
{
    options.memory = test->card.size;
    options.base = test->card.base;
    options.record = test->card.record;
    struct sim_model *model = sim_model_create(&options);
    if (!model)
        abort();
    card_fill(&test->card, sim_model_memory(model));
    rtl_case_put_rows(test, model);
    return model;
}

uint32_t rtl_case_commands(const struct rtl_case *test, struct sim_model *model, uint32_t layers)
{
    uint32_t n = 0, all = test->image->shape.layers;
    for (uint32_t begin = 0; begin < all; begin += layers) {
        uint32_t end = begin + layers < all ? begin + layers : all;
        struct card_command command = {BOARD_RUN, begin, end, test->cu_seqlens, test->n_seqs, 0, 0};
        card_put_command(&test->card, sim_model_memory(model), n++, &command);
    }
    return n;
}

struct sim_model_counts rtl_case_count(const struct rtl_case *test, struct sim_model *model, uint32_t commands,
                                       uint64_t most)
{
    sim_model_start(model, test->card.list, commands);
    if (!sim_model_run(model, most) || sim_model_read(model, ACCEL_REGISTER_STATUS) != ACCEL_ENGINE_OK) {
        fprintf(stderr, "the engine failed with status %u\n", sim_model_read(model, ACCEL_REGISTER_STATUS));
        exit(1);
    }
    struct sim_model_counts counts;
    sim_model_counts(model, &counts);
    return counts;
}

long rtl_case_difference(const struct rtl_case *test, struct sim_model *model, const float *expected)
{
    const uint32_t *there = (const uint32_t *)((char *)sim_model_memory(model) + test->card.rows);
    for (size_t i = 0; i < (size_t)test->rows * test->image->shape.hidden; i++)
        if (memcmp(&there[i], &expected[i], sizeof(float)) != 0)
            return (long)i;
    return -1;
}
