#include "accel/image.h"

#include <float.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "accel/float_mode.h"
#include "accel/image_pack.h"
#include "base/mem.h"
#include "base/round_up.h"

enum { ALIGN = 64 };
/* A slice takes some tenths of a millisecond. */
enum { SCRUB_SLICE = 4 << 20, SCRUB_PAUSE_US = 1000 };

struct image_owned {
    struct image image; /* first: what the world sees */
    atomic_uint references;
    struct image_layer layers[];
};

uint32_t image_rotation(uint32_t width)
{
    uint32_t block = 1;
    while (block < IMAGE_MAX_ROTATION && width % (2 * block) == 0)
        block *= 2;
    return block;
}

uint32_t image_qkv_offset(const struct image *image, int projection)
{
    return (uint32_t)projection * (uint32_t)round_up(image->shape.hidden, IMAGE_PANEL);
}

int8_t image_weight(const struct image_linear *linear, uint32_t out, uint32_t in)
{
    size_t panel = out / IMAGE_PANEL, group = in / IMAGE_GROUP, groups = linear->in_padded / IMAGE_GROUP;
    return linear
        ->weights[((panel * groups + group) * IMAGE_PANEL + out % IMAGE_PANEL) * IMAGE_GROUP + in % IMAGE_GROUP];
}

const void *image_section(const struct image *image, const struct image_linear *linear,
                          const struct image_section *section)
{
    for (uint32_t i = 0; i < image->sections.n; i++)
        if (image->sections.list[i] == section)
            return linear->sections[i];
    return NULL;
}

struct image *image_retain(struct image *image)
{
    atomic_fetch_add_explicit(&((struct image_owned *)image)->references, 1, memory_order_relaxed);
    return image;
}

void image_release(struct image **image)
{
    struct image_owned *owned = (struct image_owned *)*image;
    *image = NULL;
    if (!owned || atomic_fetch_sub_explicit(&owned->references, 1, memory_order_acq_rel) != 1)
        return;
    mem_free((void *)owned->image.bytes);
    mem_free(owned);
}

bool image_verify(const struct image *image)
{
    return XXH3_64bits(image->bytes, image->size) == image->checksum;
}

bool image_scrub(const struct image *image)
{
    XXH3_state_t *state = XXH3_createState();
    if (!state)
        return image_verify(image);
    XXH3_64bits_reset(state);
    for (size_t at = 0; at < image->size; at += SCRUB_SLICE) {
        if (at > 0)
            usleep(SCRUB_PAUSE_US);
        size_t left = image->size - at;
        XXH3_64bits_update(state, (const char *)image->bytes + at, left < SCRUB_SLICE ? left : SCRUB_SLICE);
    }
    bool intact = XXH3_64bits_digest(state) == image->checksum;
    XXH3_freeState(state);
    return intact;
}

/* The limits ------------------------------------------------------------------------------------------------------ */

static enum status check_count(struct error *err, const char *what, uint32_t value, uint32_t limit)
{
    if (value >= 1 && value <= limit)
        return STATUS_OK;
    return error_set(err, STATUS_UNSUPPORTED, "the model's %s is %u; 1 to %u are supported", what, value, limit);
}

static enum status check_shape(const struct image_shape *shape, struct error *err)
{
    const struct {
        const char *what;
        uint32_t value, limit;
    } counts[] = {
        {"hidden size", shape->hidden, IMAGE_MAX_WIDTH},
        {"intermediate size", shape->intermediate, IMAGE_MAX_WIDTH},
        {"number of layers", shape->layers, IMAGE_MAX_LAYERS},
        {"number of attention heads", shape->heads, shape->hidden},
        {"vocabulary size", shape->vocab, IMAGE_MAX_VOCAB},
        {"number of positions", shape->positions, IMAGE_MAX_POSITIONS},
        {"number of token types", shape->types, IMAGE_MAX_TYPES},
    };
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        enum status status = check_count(err, counts[i].what, counts[i].value, counts[i].limit);
        if (status)
            return status;
    }
    if (shape->hidden % shape->heads != 0)
        return error_set(err, STATUS_UNSUPPORTED, "the hidden size %u is not a multiple of the %u attention heads",
                         shape->hidden, shape->heads);
    if (!(shape->layer_norm_eps >= FLT_MIN && shape->layer_norm_eps < 1))
        return error_set(err, STATUS_UNSUPPORTED, "the LayerNorm epsilon is %g; from %g to 1 is supported",
                         (double)shape->layer_norm_eps, (double)FLT_MIN);
    if ((unsigned)shape->activation > IMAGE_RELU)
        return error_set(err, STATUS_UNSUPPORTED, "unknown activation %u", (unsigned)shape->activation);
    return STATUS_OK;
}

static enum status check_values(struct error *err, const char *tensor, const float *values, size_t count)
{
    /* As integers the order of magnitudes is the order of the bits, with Inf and NaN above everything. */
    const union {
        float value;
        uint32_t bits;
    } limit = {IMAGE_MAX_MAGNITUDE};
    uint32_t largest = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        bits &= 0x7fffffff;
        largest = bits > largest ? bits : largest;
    }
    if (largest < limit.bits)
        return STATUS_OK;
    const char *what = largest > 0x7f800000 ? "NaN" : largest == 0x7f800000 ? "infinity" : "a value of 2^64 or more";
    return error_set(err, STATUS_FORMAT, "tensor %s holds %s; the checkpoint is damaged or did not train", tensor,
                     what);
}

static enum status check_pair(struct error *err, const char *name, const float *weight, size_t n_weight,
                              const float *bias, size_t n_bias)
{
    char tensor[128];
    snprintf(tensor, sizeof tensor, "%s.weight", name);
    enum status status = check_values(err, tensor, weight, n_weight);
    if (status)
        return status;
    snprintf(tensor, sizeof tensor, "%s.bias", name);
    return check_values(err, tensor, bias, n_bias);
}

/* Every tensor of a layer with its name in the checkpoint. */
static enum status check_layer(struct error *err, const struct image_shape *shape, uint32_t index,
                               const struct image_source_layer *layer)
{
    size_t h = shape->hidden, m = shape->intermediate;
    const struct {
        const char *name;
        const float *weight, *bias;
        size_t n_weight, n_bias;
    } tensors[] = {
        {"attention.self.query", layer->query.weight, layer->query.bias, h * h, h},
        {"attention.self.key", layer->key.weight, layer->key.bias, h * h, h},
        {"attention.self.value", layer->value.weight, layer->value.bias, h * h, h},
        {"attention.output.dense", layer->output.weight, layer->output.bias, h * h, h},
        {"attention.output.LayerNorm", layer->attention_norm.gamma, layer->attention_norm.beta, h, h},
        {"intermediate.dense", layer->ffn1.weight, layer->ffn1.bias, m * h, m},
        {"output.dense", layer->ffn2.weight, layer->ffn2.bias, h * m, h},
        {"output.LayerNorm", layer->output_norm.gamma, layer->output_norm.beta, h, h},
    };
    for (size_t i = 0; i < sizeof tensors / sizeof tensors[0]; i++) {
        char name[96];
        snprintf(name, sizeof name, "encoder.layer.%u.%s", index, tensors[i].name);
        enum status status =
            check_pair(err, name, tensors[i].weight, tensors[i].n_weight, tensors[i].bias, tensors[i].n_bias);
        if (status)
            return status;
    }
    return STATUS_OK;
}

static enum status check_embedding(struct error *err, const struct image_source *source)
{
    const struct image_shape *shape = &source->shape;
    size_t h = shape->hidden;
    enum status status =
        check_values(err, "embeddings.word_embeddings.weight", source->word_embeddings, shape->vocab * h);
    if (!status)
        status = check_values(err, "embeddings.position_embeddings.weight", source->position_embeddings,
                              shape->positions * h);
    if (!status)
        status =
            check_values(err, "embeddings.token_type_embeddings.weight", source->type_embeddings, shape->types * h);
    if (!status)
        status =
            check_pair(err, "embeddings.LayerNorm", source->embedding_norm.gamma, h, source->embedding_norm.beta, h);
    return status;
}

/* The layout: run once without memory to measure, once with it to place. ------------------------------------------- */

struct blob {
    unsigned char *base; /* NULL: measure */
    size_t size;
    const struct image_sections *sections;
};

static void *take(struct blob *blob, size_t bytes)
{
    unsigned char *at = blob->base ? blob->base + blob->size : NULL;
    size_t padded = round_up(bytes, ALIGN);
    if (at)
        memset(at + bytes, 0, padded - bytes);
    blob->size += padded;
    return at;
}

static struct image_linear place_linear(struct blob *blob, enum image_precision precision, uint32_t in, uint32_t out,
                                        bool rotated, uint32_t projections)
{
    struct image_linear linear = {.in = in,
                                  .out = out,
                                  .in_padded = (uint32_t)round_up(in, IMAGE_GROUP),
                                  .out_padded = (uint32_t)round_up(out, IMAGE_PANEL),
                                  .projections = projections,
                                  .rotation = 1};
    if (precision == IMAGE_FP32) {
        linear.weights_f32 = take(blob, (size_t)in * out * sizeof(float));
    } else {
        linear.rotation = rotated ? image_rotation(in) : 1;
        linear.weights = take(blob, (size_t)linear.in_padded * linear.out_padded);
        linear.scales = take(blob, linear.out_padded * sizeof(float));
        linear.row_sums = take(blob, linear.out_padded * sizeof(int32_t));
        linear.checks = take(blob, (size_t)projections * in * sizeof(int32_t));
    }
    linear.bias = take(blob, linear.out_padded * sizeof(float));
    for (uint32_t i = 0; i < blob->sections->n; i++)
        linear.sections[i] = take(blob, blob->sections->list[i]->size(&linear));
    return linear;
}

static struct image_norm place_norm(struct blob *blob, uint32_t width)
{
    struct image_norm norm = {.gamma = take(blob, width * sizeof(float))};
    norm.beta = take(blob, width * sizeof(float));
    return norm;
}

static void place(struct image_owned *owned, struct blob *blob)
{
    struct image *image = &owned->image;
    uint32_t h = image->shape.hidden, m = image->shape.intermediate;
    image->word_embeddings = take(blob, (size_t)image->shape.vocab * h * sizeof(float));
    image->position_embeddings = take(blob, (size_t)image->shape.positions * h * sizeof(float));
    image->type_embeddings = take(blob, (size_t)image->shape.types * h * sizeof(float));
    image->embedding_norm = place_norm(blob, h);
    for (uint32_t i = 0; i < image->shape.layers; i++) {
        struct image_layer *layer = &owned->layers[i];
        layer->qkv = place_linear(blob, image->precision, h, image_qkv_offset(image, 3), true, 3);
        layer->output = place_linear(blob, image->precision, h, h, false, 1);
        layer->ffn1 = place_linear(blob, image->precision, h, m, true, 1);
        layer->ffn2 = place_linear(blob, image->precision, m, h, true, 1);
        layer->attention_norm = place_norm(blob, h);
        layer->output_norm = place_norm(blob, h);
    }
    image->layers = owned->layers;
    image->bytes = blob->base;
    image->size = blob->size;
}

/* Filling it ------------------------------------------------------------------------------------------------------ */

static void fill_projection(const struct image *image, const struct image_linear *linear, int projection, uint32_t rows,
                            const struct image_source_linear *source, float factor, float *scratch)
{
    struct image_pack pack = {linear, (uint32_t)projection, image_qkv_offset(image, projection), rows, *source, factor};
    if (image->precision == IMAGE_FP32)
        image_pack_f32(&pack);
    else
        image_pack_int8(&pack, scratch);
}

static void fill_norm(const struct image_norm *norm, const struct image_source_norm *source, uint32_t width)
{
    memcpy((float *)norm->gamma, source->gamma, width * sizeof(float));
    memcpy((float *)norm->beta, source->beta, width * sizeof(float));
}

static void fill_layer(const struct image *image, uint32_t index, const struct image_source_layer *source,
                       float *scratch)
{
    const struct image_layer *layer = &image->layers[index];
    uint32_t h = image->shape.hidden, m = image->shape.intermediate;
    float query_factor = 1.0f / sqrtf((float)image->head_dim);
    fill_projection(image, &layer->qkv, 0, h, &source->query, query_factor, scratch);
    fill_projection(image, &layer->qkv, 1, h, &source->key, 1, scratch);
    fill_projection(image, &layer->qkv, 2, h, &source->value, 1, scratch);
    fill_projection(image, &layer->output, 0, h, &source->output, 1, scratch);
    fill_projection(image, &layer->ffn1, 0, m, &source->ffn1, 1, scratch);
    fill_projection(image, &layer->ffn2, 0, h, &source->ffn2, 1, scratch);
    fill_norm(&layer->attention_norm, &source->attention_norm, h);
    fill_norm(&layer->output_norm, &source->output_norm, h);
}

static enum status fill_sections(const struct image *image, uint32_t index, struct error *err)
{
    const struct image_layer *layer = &image->layers[index];
    const struct image_linear *linears[] = {&layer->qkv, &layer->output, &layer->ffn1, &layer->ffn2};
    enum status status = STATUS_OK;
    for (size_t l = 0; l < sizeof linears / sizeof *linears; l++)
        for (uint32_t i = 0; i < image->sections.n && !status; i++)
            status = image->sections.list[i]->fill((void *)linears[l]->sections[i], linears[l], err);
    return status;
}

static enum status fill(struct image *image, const struct image_source *source, float *scratch, struct error *err)
{
    const struct image_shape *shape = &image->shape;
    enum status status = check_embedding(err, source);
    if (status)
        return status;
    size_t row = shape->hidden * sizeof(float);
    memcpy((float *)image->word_embeddings, source->word_embeddings, shape->vocab * row);
    memcpy((float *)image->position_embeddings, source->position_embeddings, shape->positions * row);
    memcpy((float *)image->type_embeddings, source->type_embeddings, shape->types * row);
    fill_norm(&image->embedding_norm, &source->embedding_norm, shape->hidden);
    for (uint32_t i = 0; i < shape->layers; i++) {
        struct image_source_layer layer = {0};
        status = source->layer(source->cookie, i, &layer, err);
        if (!status)
            status = check_layer(err, shape, i, &layer);
        if (status)
            return status;
        fill_layer(image, i, &layer, scratch);
        status = fill_sections(image, i, err);
        if (status)
            return status;
    }
    image->checksum = XXH3_64bits(image->bytes, image->size);
    return STATUS_OK;
}

/* An image of this shape with its memory, not yet filled; NULL when there is none. */
static struct image_owned *owned_create(const struct image_shape *shape, enum image_precision precision,
                                        const struct image_sections *sections)
{
    struct image_owned *owned = mem_calloc(1, sizeof *owned + shape->layers * sizeof owned->layers[0]);
    if (!owned)
        return NULL;
    owned->image = (struct image){.shape = *shape, .precision = precision, .head_dim = shape->hidden / shape->heads};
    if (sections && precision == IMAGE_INT8)
        owned->image.sections = *sections;
    owned->image.head_dim_padded = (uint32_t)round_up(owned->image.head_dim, IMAGE_PANEL);
    atomic_init(&owned->references, 1);
    struct blob blob = {.sections = &owned->image.sections};
    place(owned, &blob);
    blob.base = mem_alloc_pages(blob.size);
    if (!blob.base) {
        mem_free(owned);
        return NULL;
    }
    blob.size = 0;
    place(owned, &blob);
    return owned;
}

enum status image_copy(struct image **ret, const struct image *image, struct error *err)
{
    struct image_owned *owned = owned_create(&image->shape, image->precision, &image->sections);
    if (!owned)
        return error_set(err, STATUS_NO_MEMORY, "no memory for a copy of the model image");
    memcpy((void *)owned->image.bytes, image->bytes, image->size);
    owned->image.checksum = image->checksum;
    *ret = &owned->image;
    return STATUS_OK;
}

enum status image_repair(struct image *image, const struct image *fresh, struct error *err)
{
    if (fresh->size != image->size || fresh->checksum != image->checksum)
        return error_set(err, STATUS_FORMAT, "the model is no longer the one that was loaded");
    memcpy((void *)image->bytes, fresh->bytes, image->size);
    return STATUS_OK;
}

enum status image_build(struct image **ret, const struct image_source *source, enum image_precision precision,
                        const struct image_sections *sections, struct error *err)
{
    const struct image_shape *shape = &source->shape;
    enum status status = check_shape(shape, err);
    if (status)
        return status;
    struct image_owned *owned = owned_create(shape, precision, sections);
    uint32_t widest = shape->hidden > shape->intermediate ? shape->hidden : shape->intermediate;
    float *scratch = mem_alloc_aligned(ALIGN, image_pack_scratch(widest) * sizeof(float));
    if (owned && scratch) {
        uint32_t mode = float_mode_set();
        status = fill(&owned->image, source, scratch, err);
        float_mode_restore(mode);
    } else {
        status = error_set(err, STATUS_NO_MEMORY, "no memory for the model image");
    }
    mem_free(scratch);
    struct image *image = owned ? &owned->image : NULL;
    if (status)
        image_release(&image);
    else
        *ret = image;
    return status;
}
