/* Engines as a whole: against a forward pass in binary64, and the invariants that boards rely on. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tests/accel/tiny.h"

static const struct engine_ops *const int8_engines[] = {&ref_engine, &cpu_engine};
enum { N_INT8 = 2 };
static const uint32_t lengths[] = {1, 16, 17, 33, 5, 64, 2, 0};

/* A BERT in binary64, straight from the checkpoint ---------------------------------------------------------------- */

static void linear64(double *y, const double *x, const struct image_source_linear *linear, uint32_t in, uint32_t out)
{
    for (uint32_t o = 0; o < out; o++) {
        y[o] = linear->bias[o];
        for (uint32_t i = 0; i < in; i++)
            y[o] += linear->weight[(size_t)o * in + i] * x[i];
    }
}

static void norm64(double *x, const struct image_source_norm *norm, uint32_t n, double eps)
{
    double mean = 0, variance = 0;
    for (uint32_t i = 0; i < n; i++)
        mean += x[i] / n;
    for (uint32_t i = 0; i < n; i++)
        variance += (x[i] - mean) * (x[i] - mean) / n;
    for (uint32_t i = 0; i < n; i++)
        x[i] = (x[i] - mean) / sqrt(variance + eps) * norm->gamma[i] + norm->beta[i];
}

static double activate64(enum image_activation activation, double x)
{
    if (activation == IMAGE_GELU)
        return 0.5 * x * (1 + erf(x / sqrt(2)));
    if (activation == IMAGE_GELU_NEW)
        return 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    return x > 0 ? x : 0;
}

enum { WIDE = 256, LONG = 96 };
static double q64[LONG][WIDE], k64[LONG][WIDE], v64[LONG][WIDE];

static void attend64(double *ctx, uint32_t i, uint32_t n, uint32_t hidden, uint32_t heads)
{
    uint32_t dim = hidden / heads;
    for (uint32_t head = 0; head < heads; head++) {
        double e[LONG], sum = 0;
        for (uint32_t j = 0; j < n; j++) {
            double score = 0;
            for (uint32_t d = head * dim; d < (head + 1) * dim; d++)
                score += q64[i][d] * k64[j][d];
            sum += e[j] = exp(score / sqrt(dim));
        }
        for (uint32_t d = head * dim; d < (head + 1) * dim; d++) {
            ctx[d] = 0;
            for (uint32_t j = 0; j < n; j++)
                ctx[d] += e[j] / sum * v64[j][d];
        }
    }
}

static void layer64(double (*x)[WIDE], uint32_t n, const struct image_source_layer *layer,
                    const struct image_shape *shape)
{
    uint32_t h = shape->hidden, m = shape->intermediate;
    for (uint32_t i = 0; i < n; i++) {
        linear64(q64[i], x[i], &layer->query, h, h);
        linear64(k64[i], x[i], &layer->key, h, h);
        linear64(v64[i], x[i], &layer->value, h, h);
    }
    for (uint32_t i = 0; i < n; i++) {
        double ctx[WIDE], y[WIDE], wide[WIDE];
        attend64(ctx, i, n, h, shape->heads);
        linear64(y, ctx, &layer->output, h, h);
        for (uint32_t d = 0; d < h; d++)
            x[i][d] += y[d];
        norm64(x[i], &layer->attention_norm, h, (double)shape->layer_norm_eps);
        linear64(wide, x[i], &layer->ffn1, h, m);
        for (uint32_t d = 0; d < m; d++)
            wide[d] = activate64(shape->activation, wide[d]);
        linear64(y, wide, &layer->ffn2, m, h);
        for (uint32_t d = 0; d < h; d++)
            x[i][d] += y[d];
        norm64(x[i], &layer->output_norm, h, (double)shape->layer_norm_eps);
    }
}

/* Sequence `seq` of the batch -> x [tokens]. */
static uint32_t forward64(double (*x)[WIDE], const struct tiny *tiny, const struct tiny_batch *batch, uint32_t seq)
{
    const struct image_source *source = &tiny->source;
    uint32_t first = batch->cu_seqlens[seq], n = batch->cu_seqlens[seq + 1] - first, h = source->shape.hidden;
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t d = 0; d < h; d++)
            x[i][d] = (double)source->word_embeddings[batch->ids[first + i] * h + d] +
                      source->position_embeddings[i * h + d] +
                      source->type_embeddings[batch->type_ids[first + i] * h + d];
        norm64(x[i], &source->embedding_norm, h, (double)source->shape.layer_norm_eps);
    }
    for (uint32_t l = 0; l < source->shape.layers; l++)
        layer64(x, n, &tiny->layers[l], &source->shape);
    return n;
}

static double smallest_cosine(const struct tiny *tiny, const struct tiny_batch *batch)
{
    static double x[LONG][WIDE];
    double smallest = 1;
    uint32_t h = tiny->source.shape.hidden;
    for (uint32_t s = 0; s < batch->job.n_seqs; s++) {
        uint32_t n = forward64(x, tiny, batch, s);
        for (uint32_t i = 0; i < n; i++) {
            double cosine = tiny_cosine(batch->job.hidden + (size_t)(batch->cu_seqlens[s] + i) * h, x[i], h);
            smallest = cosine >= smallest ? smallest : cosine;
        }
    }
    return smallest;
}

static double cosine_with_binary64(const struct engine_ops *ops, const struct image_shape *shape, uint64_t seed)
{
    struct tiny tiny;
    struct tiny_batch batch;
    struct image *image = NULL;
    struct error err = {0};
    tiny_init(&tiny, shape, seed);
    cr_assert_eq(image_build(&image, &tiny.source, ops->precision, NULL, NULL), STATUS_OK);
    tiny_batch_init(&batch, image, lengths, seed);
    cr_assert_eq(tiny_run(ops, &batch, &err), STATUS_OK, "%s", err.message);
    double cosine = smallest_cosine(&tiny, &batch);
    tiny_batch_finish(&batch);
    image_release(&image);
    tiny_finish(&tiny);
    return cosine;
}

Test(engine, int8_is_near_binary64)
{
    for (uint32_t i = 0; i < tiny_n_shapes; i++) {
        double cosine = cosine_with_binary64(&ref_engine, &tiny_shapes[i], 3 + i);
        cr_expect_geq(cosine, 0.998, "shape %u: %f", i, cosine);
    }
}

Test(engine, fp32_is_binary64_but_for_rounding)
{
    for (uint32_t i = 0; i < tiny_n_shapes; i++) {
        double cosine = cosine_with_binary64(&fp32_engine, &tiny_shapes[i], 3 + i);
        cr_expect_geq(cosine, 1 - 1e-9, "shape %u: 1 - %g", i, 1 - cosine);
    }
}

/* Invariants ------------------------------------------------------------------------------------------------------ */

Test(engine, int8_engines_agree_to_the_bit)
{
    for (uint32_t i = 0; i < tiny_n_shapes; i++) {
        struct image *image = tiny_image(&tiny_shapes[i], IMAGE_INT8, 40 + i);
        struct tiny_batch batches[N_INT8];
        for (int e = 0; e < N_INT8; e++) {
            tiny_batch_init(&batches[e], image, lengths, i);
            cr_assert_eq(tiny_run(int8_engines[e], &batches[e], NULL), STATUS_OK);
        }
        cr_assert(tiny_batch_equal(&batches[0], &batches[1]), "shape %u", i);
        for (int e = 0; e < N_INT8; e++)
            tiny_batch_finish(&batches[e]);
        image_release(&image);
    }
}

/* Cut [0, rows) at random places and run `kind` on the pieces in random order. */
static void run_pieces(struct engine *engine, const struct board_job *job, enum board_task_kind kind, uint32_t layer,
                       uint64_t *random)
{
    uint32_t begins[TINY_MAX_ROWS + 1], n = 0;
    for (uint32_t r = 0; r < job->n_rows; r += 1 + (uint32_t)(tiny_random(random) >> 20) % 40)
        begins[n++] = r;
    begins[n] = job->n_rows;
    uint32_t first = (uint32_t)(tiny_random(random) >> 20) % n;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t piece = (first + i) % n;
        struct error err = {0};
        cr_assert_eq(engine->ops->run(engine, job, kind, layer, begins[piece], begins[piece + 1], &err), STATUS_OK,
                     "%s", err.message);
    }
}

Test(engine, any_split_of_rows_gives_the_same_bits)
{
    uint64_t random = 77;
    for (uint32_t i = 0; i < tiny_n_shapes; i++) {
        struct image *image = tiny_image(&tiny_shapes[i], IMAGE_INT8, i + 1);
        struct tiny_batch whole;
        tiny_batch_init(&whole, image, lengths, i);
        cr_assert_eq(tiny_run(&ref_engine, &whole, NULL), STATUS_OK);
        for (int round = 0; round < 8; round++) {
            struct tiny_batch split;
            struct engine *engines[N_INT8];
            tiny_batch_init(&split, image, lengths, i);
            tiny_batch_add_kv(&split);
            for (int e = 0; e < N_INT8; e++)
                cr_assert_eq(int8_engines[e]->create(&engines[e], image, true, NULL), STATUS_OK);
            for (uint32_t layer = 0; layer < image->shape.layers; layer++) { /* engines take turns: same K and V */
                run_pieces(engines[(round + layer) % 2], &split.job, BOARD_PROJECT, layer, &random);
                run_pieces(engines[(round / 2 + layer) % 2], &split.job, BOARD_FINISH, layer, &random);
            }
            cr_assert(tiny_batch_equal(&whole, &split), "shape %u, round %d", i, round);
            for (int e = 0; e < N_INT8; e++)
                int8_engines[e]->destroy(engines[e]);
            tiny_batch_finish(&split);
        }
        tiny_batch_finish(&whole);
        image_release(&image);
    }
}

Test(engine, batch_mates_do_not_matter)
{
    struct image *image = tiny_image(&tiny_shapes[1], IMAGE_INT8, 6);
    uint32_t h = image->shape.hidden;
    for (int e = 0; e < N_INT8; e++) {
        struct tiny_batch together;
        tiny_batch_init(&together, image, lengths, 12);
        cr_assert_eq(tiny_run(int8_engines[e], &together, NULL), STATUS_OK);
        for (uint32_t s = 0; s < together.job.n_seqs; s++) {
            uint32_t alone_lengths[] = {lengths[s], 0}, first = together.cu_seqlens[s];
            struct tiny_batch alone;
            tiny_batch_init(&alone, image, alone_lengths, 1);
            memcpy(alone.ids, together.ids + first, lengths[s] * sizeof alone.ids[0]);
            memcpy(alone.type_ids, together.type_ids + first, lengths[s]);
            cr_assert_eq(tiny_run(int8_engines[e], &alone, NULL), STATUS_OK);
            cr_assert_eq(memcmp(alone.job.hidden, together.job.hidden + (size_t)first * h,
                                (size_t)lengths[s] * h * sizeof(float)),
                         0, "%s, sequence %u", int8_engines[e]->name, s);
            tiny_batch_finish(&alone);
        }
        tiny_batch_finish(&together);
    }
    image_release(&image);
}

Test(engine, no_types_are_zeros)
{
    struct image *image = tiny_image(&tiny_shapes[4], IMAGE_INT8, 6),
                 *fp32 = tiny_image(&tiny_shapes[4], IMAGE_FP32, 6);
    const struct engine_ops *ops[] = {&ref_engine, &cpu_engine, &fp32_engine};
    for (int e = 0; e < 3; e++) {
        struct tiny_batch zeros, none;
        tiny_batch_init(&zeros, e == 2 ? fp32 : image, lengths, 5);
        tiny_batch_init(&none, e == 2 ? fp32 : image, lengths, 5);
        memset(zeros.type_ids, 0, sizeof zeros.type_ids);
        none.job.type_ids = NULL;
        cr_assert_eq(tiny_run(ops[e], &zeros, NULL), STATUS_OK);
        cr_assert_eq(tiny_run(ops[e], &none, NULL), STATUS_OK);
        cr_assert(tiny_batch_equal(&zeros, &none));
        tiny_batch_finish(&zeros);
        tiny_batch_finish(&none);
    }
    image_release(&image);
    image_release(&fp32);
}

/* Weights that are finite but make a value that is not, at some step of a layer. */
static void check_overflow(void (*spoil)(struct tiny *tiny), const char *expected, int n_engines)
{
    const struct engine_ops *ops[] = {&ref_engine, &cpu_engine, &fp32_engine};
    struct tiny tiny;
    tiny_init(&tiny, &tiny_shapes[0], 2);
    spoil(&tiny);
    for (int e = 0; e < n_engines; e++) {
        struct image *image = NULL;
        struct tiny_batch batch;
        struct error err = {0};
        cr_assert_eq(image_build(&image, &tiny.source, ops[e]->precision, NULL, &err), STATUS_OK, "%s", err.message);
        tiny_batch_init(&batch, image, (uint32_t[]){3, 20, 0}, 5);
        cr_assert_eq(tiny_run(ops[e], &batch, &err), STATUS_BACKEND, "%s, %s", ops[e]->name, expected);
        cr_assert(strstr(err.message, expected), "%s: %s", ops[e]->name, err.message);
        tiny_batch_finish(&batch);
        image_release(&image);
    }
    tiny_finish(&tiny);
}

static void scale(const float *values, size_t n, float factor)
{
    for (size_t i = 0; i < n; i++)
        ((float *)values)[i] *= factor;
}

static void spoil_embedding(struct tiny *tiny)
{
    for (int i = 0; i < 32; i++) /* third token: its variance is Inf; not where it is summed in binary64 */
        ((float *)tiny->source.position_embeddings)[2 * 32 + i] = i % 2 ? 0x1.8p63f : -0x1.8p63f;
}

static void spoil_scores(struct tiny *tiny)
{
    scale(tiny->layers[1].query.weight, 32 * 32, 0x1p62f); /* each is finite, their product is not */
    scale(tiny->layers[1].key.weight, 32 * 32, 0x1p62f);
    scale(tiny->layers[0].output_norm.gamma, 32, 0x1p20f);
}

static void spoil_value(struct tiny *tiny)
{
    scale(tiny->layers[0].output_norm.gamma, 32, 0x1p63f);
    scale(tiny->layers[1].value.weight, 32 * 32, 0x1p64f);
    scale(tiny->layers[1].query.weight, 32 * 32, 0); /* the scores are 0 */
    scale(tiny->layers[1].query.bias, 32, 0);
}

static void spoil_ffn(struct tiny *tiny)
{
    scale(tiny->layers[0].attention_norm.gamma, 32, 0x1p62f);
    scale(tiny->layers[0].ffn1.weight, 32 * 64, 0x1p62f);
    scale(tiny->layers[0].ffn2.weight, 32 * 64, 0x1p62f);
}

Test(engine, what_is_not_finite_is_an_error)
{
    check_overflow(spoil_embedding, "layer 0, row 2: a value is not finite", 2);
    check_overflow(spoil_scores, "layer 1, row 0: a value is not finite", 3);
    check_overflow(spoil_value, "layer 1, row 0: a value is not finite", 3);
    check_overflow(spoil_ffn, "layer 0, row 0: a value is not finite", 3);
}

Test(engine, fp32_runs_whole_layers_only)
{
    struct image *image = tiny_image(&tiny_shapes[0], IMAGE_FP32, 6);
    struct tiny_batch batch;
    struct engine *engine;
    struct error err = {0};
    tiny_batch_init(&batch, image, lengths, 1);
    tiny_batch_add_kv(&batch);
    cr_assert_eq(fp32_engine.create(&engine, image, true, NULL), STATUS_OK);
    cr_assert_eq(fp32_engine.run(engine, &batch.job, BOARD_PROJECT, 0, 0, 1, &err), STATUS_BACKEND);
    cr_assert(strstr(err.message, "whole layers only"));
    cr_assert_eq(fp32_engine.run(engine, &batch.job, BOARD_FINISH, 0, 0, 1, &err), STATUS_BACKEND);
    fp32_engine.destroy(engine);
    tiny_batch_finish(&batch);
    image_release(&image);
}

Test(engine, every_allocation_may_fail)
{
    const struct engine_ops *ops[] = {&ref_engine, &cpu_engine, &fp32_engine};
    for (int e = 0; e < 3; e++) {
        struct image *image = tiny_image(&tiny_shapes[1], ops[e]->precision, 6);
        struct tiny_batch good, batch;
        tiny_batch_init(&good, image, lengths, 1);
        tiny_batch_init(&batch, image, lengths, 1);
        cr_assert_eq(tiny_run(ops[e], &good, NULL), STATUS_OK);
        enum status status = STATUS_NO_MEMORY;
        for (long n = 0; status; n++) {
            cr_assert_lt(n, 100);
            mem_fail_after(n);
            status = tiny_run(ops[e], &batch, NULL);
            mem_fail_after(-1);
            cr_assert(status == STATUS_OK || status == STATUS_NO_MEMORY);
        }
        cr_assert(tiny_batch_equal(&good, &batch));
        tiny_batch_finish(&good);
        tiny_batch_finish(&batch);
        image_release(&image);
    }
}

Test(engine, fp32_has_no_checksums)
{
    struct image *image = tiny_image(&tiny_shapes[0], IMAGE_FP32, 1);
    struct error err = {0};
    struct engine *engine = NULL;
    cr_assert_eq(fp32_engine.create(&engine, image, true, &err), STATUS_OK);
    cr_assert_not(engine_inject(engine, ENGINE_FLIP_ALL, 1));
    fp32_engine.destroy(engine);
    image_release(&image);
}
