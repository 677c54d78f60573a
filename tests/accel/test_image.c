#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "accel/cpu/clipped.h"
#include "accel/float_mode.h"
#include "accel/ref/ref.h"
#include "base/mem.h"
#include "base/round_up.h"
#include "tests/accel/tiny.h"

Test(image, rotation_is_the_largest_power_of_two_up_to_128)
{
    const uint32_t known[][2] = {{1, 1}, {7, 1}, {10, 2}, {312, 8}, {1200, 16}, {384, 128}, {768, 128}, {3072, 128}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        cr_assert_eq(image_rotation(known[i][0]), known[i][1], "%u", known[i][0]);
}

/* One row of a checkpoint, folded and rotated as the specification says, and its scale. */
static float prepare(float *row, const struct image_linear *linear, const float *weight, float factor)
{
    for (uint32_t i = 0; i < linear->in; i++)
        row[i] = weight[i] * factor;
    ref_fwht(row, linear->in, linear->rotation);
    float amax = 0;
    for (uint32_t i = 0; i < linear->in; i++) {
        row[i] /= (float)linear->rotation;
        amax = fmaxf(amax, fabsf(row[i]));
    }
    return amax;
}

static void check_rows(const struct image_linear *linear, uint32_t first, uint32_t rows,
                       const struct image_source_linear *source, float factor)
{
    float row[512];
    for (uint32_t r = 0; r < rows; r++) {
        float amax = prepare(row, linear, source->weight + (size_t)r * linear->in, factor);
        int32_t sum = 0;
        for (uint32_t i = 0; i < linear->in; i++) {
            int8_t expected = (int8_t)lrintf(row[i] * (127.0f / amax));
            cr_assert_eq(image_weight(linear, first + r, i), expected, "row %u, input %u", first + r, i);
            sum += expected;
        }
        for (uint32_t i = linear->in; i < linear->in_padded; i++)
            cr_assert_eq(image_weight(linear, first + r, i), 0);
        cr_assert_eq(linear->scales[first + r], amax / 127.0f);
        cr_assert_eq(linear->row_sums[first + r], sum);
        cr_assert_eq(linear->bias[first + r], source->bias[r] * factor);
    }
    for (uint32_t r = first + rows; r % IMAGE_PANEL; r++) { /* the panel's rest */
        cr_assert(linear->scales[r] == 0 && linear->row_sums[r] == 0 && linear->bias[r] == 0);
        for (uint32_t i = 0; i < linear->in_padded; i++)
            cr_assert_eq(image_weight(linear, r, i), 0);
    }
}

static void check_layer(const struct image *image, uint32_t index, const struct image_source_layer *source)
{
    const struct image_layer *layer = &image->layers[index];
    uint32_t h = image->shape.hidden, m = image->shape.intermediate;
    check_rows(&layer->qkv, image_qkv_offset(image, 0), h, &source->query, 1.0f / sqrtf((float)image->head_dim));
    check_rows(&layer->qkv, image_qkv_offset(image, 1), h, &source->key, 1);
    check_rows(&layer->qkv, image_qkv_offset(image, 2), h, &source->value, 1);
    check_rows(&layer->output, 0, h, &source->output, 1);
    check_rows(&layer->ffn1, 0, m, &source->ffn1, 1);
    check_rows(&layer->ffn2, 0, h, &source->ffn2, 1);
    cr_assert_eq(layer->output.rotation, 1);
    cr_assert_eq(layer->qkv.rotation, image_rotation(h));
    cr_assert_eq(layer->ffn2.rotation, image_rotation(m));
    cr_assert_eq(memcmp(layer->attention_norm.gamma, source->attention_norm.gamma, h * sizeof(float)), 0);
    cr_assert_eq(memcmp(layer->output_norm.beta, source->output_norm.beta, h * sizeof(float)), 0);
}

Test(image, int8_is_as_an_independent_computation_says)
{
    for (uint32_t i = 0; i < tiny_n_shapes; i++) {
        struct tiny tiny;
        struct image *image = NULL;
        tiny_init(&tiny, &tiny_shapes[i], i + 1);
        cr_assert_eq(image_build(&image, &tiny.source, IMAGE_INT8, NULL, NULL), STATUS_OK);
        for (uint32_t l = 0; l < image->shape.layers; l++)
            check_layer(image, l, &tiny.layers[l]);
        cr_assert_eq(
            memcmp(image->word_embeddings, tiny.source.word_embeddings, 101 * image->shape.hidden * sizeof(float)), 0);
        cr_assert_eq((uintptr_t)image->word_embeddings % 64, 0);
        cr_assert_eq((uintptr_t)image->layers[0].ffn2.weights % 64, 0);
        image_release(&image);
        cr_assert_null(image);
        tiny_finish(&tiny);
    }
}

/* Rotated weights times a rotated input are the weights times the input. */
Test(image, rotation_changes_no_product)
{
    struct tiny tiny;
    struct image *image = NULL;
    tiny_init(&tiny, &tiny_shapes[2], 5);
    cr_assert_eq(image_build(&image, &tiny.source, IMAGE_INT8, NULL, NULL), STATUS_OK);
    const struct image_linear *linear = &image->layers[1].ffn1;
    float x[64], rotated[64];
    for (uint32_t i = 0; i < 64; i++)
        rotated[i] = x[i] = sinf((float)i * 1.7f);
    ref_fwht(rotated, 64, linear->rotation);
    for (uint32_t o = 0; o < linear->out; o++) {
        double plain = 0, quantised = 0;
        for (uint32_t i = 0; i < 64; i++) {
            plain += (double)tiny.layers[1].ffn1.weight[o * 64 + i] * x[i];
            quantised += (double)linear->scales[o] * image_weight(linear, o, i) * rotated[i];
        }
        cr_assert_float_eq(plain, quantised, 0.08, "output %u: %f, %f", o, plain, quantised);
    }
    image_release(&image);
    tiny_finish(&tiny);
}

Test(image, fp32_keeps_the_checkpoint)
{
    struct tiny tiny;
    struct image *image = NULL;
    tiny_init(&tiny, &tiny_shapes[1], 3); /* 52 wide: the projections of qkv begin at 0, 64, 128 */
    cr_assert_eq(image_build(&image, &tiny.source, IMAGE_FP32, NULL, NULL), STATUS_OK);
    const struct image_linear *qkv = &image->layers[1].qkv;
    cr_assert(!qkv->weights && !qkv->scales && !qkv->row_sums);
    cr_assert_eq(qkv->out, 192);
    float factor = 1.0f / sqrtf(26);
    for (uint32_t i = 0; i < 52 * 52; i++) {
        cr_assert_eq(qkv->weights_f32[i], tiny.layers[1].query.weight[i] * factor);
        cr_assert_eq(qkv->weights_f32[64 * 52 + i], tiny.layers[1].key.weight[i]);
        cr_assert_eq(qkv->weights_f32[128 * 52 + i], tiny.layers[1].value.weight[i]);
    }
    for (uint32_t i = 52 * 52; i < 64 * 52; i++)
        cr_assert_eq(qkv->weights_f32[i], 0.0f);
    cr_assert_eq(qkv->bias[51], tiny.layers[1].query.bias[51] * factor);
    cr_assert_eq(qkv->bias[52], 0.0f);
    const struct image_linear *ffn1 = &image->layers[0].ffn1;
    cr_assert_eq(memcmp(ffn1->weights_f32, tiny.layers[0].ffn1.weight, 52 * 100 * sizeof(float)), 0);
    image_release(&image);
    tiny_finish(&tiny);
}

Test(image, checksum_covers_every_byte_and_repeats)
{
    for (int precision = IMAGE_INT8; precision <= IMAGE_FP32; precision++) {
        struct image *a = tiny_image(&tiny_shapes[3], precision, 7), *b = tiny_image(&tiny_shapes[3], precision, 7);
        struct image *c = tiny_image(&tiny_shapes[3], precision, 8);
        cr_assert_eq(a->size, b->size);
        cr_assert_eq(memcmp(a->bytes, b->bytes, a->size), 0, "the padding differs");
        cr_assert_eq(a->checksum, b->checksum);
        cr_assert_neq(a->checksum, c->checksum);
        for (size_t i = 0; i < a->size; i += 997) {
            ((unsigned char *)a->bytes)[i] ^= 1;
            cr_assert_not(image_verify(a));
            ((unsigned char *)a->bytes)[i] ^= 1;
        }
        cr_assert(image_verify(a));
        image_release(&a);
        image_release(&b);
        image_release(&c);
    }
}

Test(image, references)
{
    struct image *image = tiny_image(&tiny_shapes[0], IMAGE_INT8, 1), *same = image_retain(image);
    cr_assert_eq(same, image);
    image_release(&image);
    cr_assert_null(image);
    cr_assert(image_verify(same)); /* still there */
    image_release(&same);
    image_release(&same); /* NULL is fine */
}

Test(image, rows_of_zeros_and_near_zero)
{
    struct tiny tiny;
    struct image *image = NULL;
    tiny_init(&tiny, &tiny_shapes[0], 2);
    float *weight = (float *)tiny.layers[0].output.weight; /* not rotated */
    for (uint32_t i = 0; i < 32; i++) {
        weight[i] = 0;
        weight[32 + i] = i ? 0x1p-101f : -0x1p-102f;
        weight[64 + i] = 0x1p-100f;
        weight[96 + i] = i ? 0x1p-130f : 1; /* subnormal beside 1 */
    }
    cr_assert_eq(image_build(&image, &tiny.source, IMAGE_INT8, NULL, NULL), STATUS_OK);
    const struct image_linear *linear = &image->layers[0].output;
    for (uint32_t i = 0; i < 32; i++) {
        cr_assert(image_weight(linear, 0, i) == 0 && image_weight(linear, 1, i) == 0);
        cr_assert_eq(image_weight(linear, 2, i), 127);
        cr_assert_eq(image_weight(linear, 3, i), i ? 0 : 127);
    }
    cr_assert(linear->scales[0] == 0 && linear->scales[1] == 0 && linear->scales[2] > 0);
    image_release(&image);
    tiny_finish(&tiny);
}

/* Put `value` into a tensor; the build must refuse and name it. */
static void check_refused(const float *tensor, size_t at, const struct tiny *tiny, float value, const char *name)
{
    struct image *image = (struct image *)0x1234;
    struct error err = {0};
    float before = tensor[at];
    ((float *)tensor)[at] = value;
    cr_assert_eq(image_build(&image, &tiny->source, IMAGE_INT8, NULL, &err), STATUS_FORMAT, "%s", name);
    cr_assert(strstr(err.message, name), "%s: %s", name, err.message);
    cr_assert_eq(image, (struct image *)0x1234);
    ((float *)tensor)[at] = before;
}

Test(image, values_that_are_not_finite_are_refused_by_name)
{
    struct tiny tiny;
    struct error err = {0};
    tiny_init(&tiny, &tiny_shapes[3], 4);
    const struct image_source *s = &tiny.source;
    const struct image_source_layer *l = &tiny.layers[1];
    const struct {
        const float *tensor;
        size_t at;
        const char *name;
    } tensors[] = {
        {s->word_embeddings, 100 * 45 + 44, " embeddings.word_embeddings.weight "},
        {s->position_embeddings, 0, " embeddings.position_embeddings.weight "},
        {s->type_embeddings, 89, " embeddings.token_type_embeddings.weight "},
        {s->embedding_norm.gamma, 44, " embeddings.LayerNorm.weight "},
        {s->embedding_norm.beta, 0, " embeddings.LayerNorm.bias "},
        {l->query.weight, 45 * 45 - 1, " encoder.layer.1.attention.self.query.weight "},
        {l->key.bias, 44, " encoder.layer.1.attention.self.key.bias "},
        {l->value.weight, 0, " encoder.layer.1.attention.self.value.weight "},
        {l->output.weight, 7, " encoder.layer.1.attention.output.dense.weight "},
        {l->attention_norm.gamma, 1, " encoder.layer.1.attention.output.LayerNorm.weight "},
        {l->ffn1.bias, 76, " encoder.layer.1.intermediate.dense.bias "},
        {l->ffn2.weight, 45 * 77 - 1, " encoder.layer.1.output.dense.weight "},
        {l->output_norm.beta, 44, " encoder.layer.1.output.LayerNorm.bias "},
    };
    for (size_t i = 0; i < sizeof tensors / sizeof tensors[0]; i++) {
        check_refused(tensors[i].tensor, tensors[i].at, &tiny, NAN, tensors[i].name);
        check_refused(tensors[i].tensor, tensors[i].at, &tiny, -NAN, tensors[i].name);
        check_refused(tensors[i].tensor, tensors[i].at, &tiny, -INFINITY, tensors[i].name);
        check_refused(tensors[i].tensor, tensors[i].at, &tiny, 0x1p64f, tensors[i].name);
    }
    struct image *image = NULL;
    ((float *)s->word_embeddings)[0] = nextafterf(-0x1p64f, 0); /* the largest that is not */
    cr_assert_eq(image_build(&image, s, IMAGE_INT8, NULL, &err), STATUS_OK, "%s", err.message);
    image_release(&image);
    tiny_finish(&tiny);
}

Test(image, hostile_shapes_are_refused)
{
    const struct image_shape good = tiny_shapes[0];
    struct image_shape shapes[24];
    size_t n = 0;
#define BAD(member, value)                                                                                             \
    do {                                                                                                               \
        shapes[n] = good;                                                                                              \
        shapes[n++].member = (value);                                                                                  \
    } while (0)
    BAD(hidden, 0);
    BAD(hidden, IMAGE_MAX_WIDTH + 4);
    BAD(hidden, UINT32_MAX);
    BAD(intermediate, 0);
    BAD(intermediate, IMAGE_MAX_WIDTH + 1);
    BAD(layers, 0);
    BAD(layers, IMAGE_MAX_LAYERS + 1);
    BAD(layers, UINT32_MAX);
    BAD(heads, 0);
    BAD(heads, 3);  /* does not divide 32 */
    BAD(heads, 64); /* more than there is */
    BAD(vocab, 0);
    BAD(vocab, IMAGE_MAX_VOCAB + 1);
    BAD(positions, 0);
    BAD(positions, IMAGE_MAX_POSITIONS + 1);
    BAD(types, 0);
    BAD(types, IMAGE_MAX_TYPES + 1);
    BAD(layer_norm_eps, 0);
    BAD(layer_norm_eps, -1e-12f);
    BAD(layer_norm_eps, NAN);
    BAD(layer_norm_eps, 0x1p-130f);
    BAD(layer_norm_eps, INFINITY);
    BAD(activation, (enum image_activation)3);
    for (size_t i = 0; i < n; i++) {
        struct image_source source = {.shape = shapes[i]}; /* its tensors must not be looked at */
        struct image *image = NULL;
        struct error err = {0};
        cr_assert_eq(image_build(&image, &source, IMAGE_INT8, NULL, &err), STATUS_UNSUPPORTED, "shape %zu", i);
        cr_assert(err.message[0] && !image);
    }
}

static enum status fail_at_1(void *cookie, uint32_t index, struct image_source_layer *ret, struct error *err)
{
    *ret = ((struct tiny *)cookie)->layers[index];
    return index == 1 ? error_set(err, STATUS_IO, "the disk is gone") : STATUS_OK;
}

Test(image, what_the_source_says_is_passed_on)
{
    struct tiny tiny;
    struct image *image = NULL;
    struct error err = {0};
    tiny_init(&tiny, &tiny_shapes[0], 1);
    tiny.source.layer = fail_at_1;
    cr_assert_eq(image_build(&image, &tiny.source, IMAGE_INT8, NULL, &err), STATUS_IO);
    cr_assert_str_eq(err.message, "the disk is gone");
    cr_assert_null(image);
    tiny_finish(&tiny);
}

Test(image, every_allocation_may_fail)
{
    struct tiny tiny;
    tiny_init(&tiny, &tiny_shapes[0], 1);
    long failures = 0;
    for (;; failures++) {
        struct image *image = NULL;
        mem_fail_after(failures);
        enum status status = image_build(&image, &tiny.source, IMAGE_INT8, NULL, NULL);
        mem_fail_after(-1);
        if (!status) {
            image_release(&image);
            break;
        }
        cr_assert_eq(status, STATUS_NO_MEMORY);
        cr_assert_null(image);
    }
    cr_assert_eq(failures, 3); /* the struct, the scratch, the blob */
    tiny_finish(&tiny);
}

/* A section as a board might want it: the sums of a linear's rows, as bytes. */
static size_t sums_size(const struct image_linear *linear)
{
    return linear->out;
}

static enum status sums_fill(void *bytes, const struct image_linear *linear, struct error *err)
{
    (void)err;
    for (uint32_t o = 0; o < linear->out; o++)
        ((uint8_t *)bytes)[o] = (uint8_t)linear->row_sums[o];
    return STATUS_OK;
}

static enum status fill_fails(void *bytes, const struct image_linear *linear, struct error *err)
{
    (void)bytes;
    (void)linear;
    return error_set(err, STATUS_NO_MEMORY, "no memory for a section");
}

static const struct image_section sums_section = {sums_size, sums_fill}, bad_section = {sums_size, fill_fails};

Test(image, has_the_sections_it_was_asked_for)
{
    struct tiny tiny;
    tiny_init(&tiny, &tiny_shapes[3], 1);
    const struct image_sections both = {2, {&cpu_clipped_section, &sums_section}};
    struct image *plain = NULL, *full = NULL;
    cr_assert_eq(image_build(&plain, &tiny.source, IMAGE_INT8, NULL, NULL), STATUS_OK);
    cr_assert_eq(image_build(&full, &tiny.source, IMAGE_INT8, &both, NULL), STATUS_OK);
    size_t sections = 0;
    for (uint32_t l = 0; l < plain->shape.layers; l++) {
        const struct image_layer *a = &plain->layers[l], *b = &full->layers[l];
        const struct image_linear *without[] = {&a->qkv, &a->output, &a->ffn1, &a->ffn2};
        const struct image_linear *with[] = {&b->qkv, &b->output, &b->ffn1, &b->ffn2};
        for (size_t i = 0; i < 4; i++) {
            const uint8_t *sums = image_section(full, with[i], &sums_section);
            cr_assert_null(image_section(plain, without[i], &sums_section));
            cr_assert_null(image_section(plain, without[i], &cpu_clipped_section));
            cr_assert_not_null(image_section(full, with[i], &cpu_clipped_section));
            cr_assert_eq((uintptr_t)sums % 64, 0);
            for (uint32_t o = 0; o < with[i]->out; o++)
                cr_assert_eq(sums[o], (uint8_t)without[i]->row_sums[o]);
            sections += round_up(cpu_clipped_section.size(with[i]), 64) + round_up(sums_size(with[i]), 64);
        }
    }
    cr_assert_eq(full->size - plain->size, sections, "%zu bytes more, not %zu", full->size - plain->size, sections);
    image_release(&plain);
    image_release(&full);
    tiny_finish(&tiny);
}

Test(image, binary32_has_no_sections)
{
    struct tiny tiny;
    tiny_init(&tiny, &tiny_shapes[0], 1);
    const struct image_sections sums = {1, {&sums_section}};
    struct image *plain = NULL, *asked = NULL;
    cr_assert_eq(image_build(&plain, &tiny.source, IMAGE_FP32, NULL, NULL), STATUS_OK);
    cr_assert_eq(image_build(&asked, &tiny.source, IMAGE_FP32, &sums, NULL), STATUS_OK);
    cr_assert_eq(asked->size, plain->size);
    cr_assert_null(image_section(asked, &asked->layers[0].qkv, &sums_section));
    image_release(&plain);
    image_release(&asked);
    tiny_finish(&tiny);
}

Test(image, a_section_that_cannot_be_made)
{
    struct tiny tiny;
    tiny_init(&tiny, &tiny_shapes[0], 1);
    const struct image_sections bad = {1, {&bad_section}};
    struct image *image = NULL;
    struct error err = {0};
    cr_assert_eq(image_build(&image, &tiny.source, IMAGE_INT8, &bad, &err), STATUS_NO_MEMORY);
    cr_assert_str_eq(err.message, "no memory for a section");
    cr_assert_null(image);
    tiny_finish(&tiny);
}

Test(image, building_leaves_the_float_mode_alone)
{
    uint32_t before = float_mode_set();
    float_mode_restore(before);
    struct image *image = tiny_image(&tiny_shapes[0], IMAGE_INT8, 1);
    cr_assert_eq(float_mode_set(), before);
    struct image *flushed = tiny_image(&tiny_shapes[0], IMAGE_INT8, 1);
    float_mode_restore(before);
    cr_assert_eq(image->checksum, flushed->checksum);
    image_release(&image);
    image_release(&flushed);
}
