#include "accel/device/layers.h"

#include <string.h>

#include "accel/engine.h"
#include "base/mem.h"
#include "base/round_up.h"

enum { BEAT = 64, PARAM_BEATS = 2, CHECK_DIGITS = 4, CAPACITY = IMAGE_MAX_LAYERS + 1 };

/* A layer that was read. */
struct kept {
    struct card_layer at;
    uint64_t version; /* of its bytes in card memory */
    void *blob;
};

struct device_layers {
    const struct device_memory *memory;
    struct image image; /* its `layers` is the array below */
    uint32_t count;     /* of layers, the unused one at 0 included */
    struct image_layer layers[CAPACITY];
    struct kept kept[CAPACITY];
};

static uint64_t run_bytes(uint32_t in, uint32_t outputs)
{
    return (uint64_t)BEAT * (PARAM_BEATS + in / IMAGE_GROUP) * (outputs / IMAGE_PANEL + 1);
}

void device_layer_extents(const struct device_command *command, uint32_t layer,
                          struct device_extent ret[DEVICE_LAYER_EXTENTS])
{
    const struct card_layer *first = &command->first;
    const uint32_t hidden = command->shape.hidden, intermediate = command->shape.intermediate;
    const uint64_t offset = layer * command->layer_stride, norm = 2 * sizeof(float) * (uint64_t)hidden;
    const struct device_extent extents[DEVICE_LAYER_EXTENTS] = {
        {first->kv + offset, run_bytes(hidden, 2 * hidden)},
        {first->q + offset, run_bytes(hidden, hidden)},
        {first->output + offset, run_bytes(hidden, hidden)},
        {first->ffn1 + offset, run_bytes(hidden, intermediate)},
        {first->ffn2 + offset, run_bytes(intermediate, hidden)},
        {first->attention_norm + offset, norm},
        {first->output_norm + offset, norm},
    };
    memcpy(ret, extents, sizeof extents);
}

enum status device_layers_create(struct device_layers **ret, const struct device_memory *memory,
                                 const struct device_command *command, struct error *err)
{
    struct device_layers *layers = mem_calloc(1, sizeof *layers);
    if (!layers)
        return error_set(err, STATUS_NO_MEMORY, "no memory for layers");
    layers->memory = memory;
    layers->count = 1;
    layers->image = (struct image){.shape = command->shape,
                                   .precision = IMAGE_INT8,
                                   .head_dim = command->head_dim,
                                   .head_dim_padded = command->head_dim,
                                   .layers = layers->layers};
    const struct image_sections *sections = cpu_engine_sections();
    if (sections)
        layers->image.sections = *sections;
    *ret = layers;
    return STATUS_OK;
}

void device_layers_destroy(struct device_layers **layers)
{
    if (!*layers)
        return;
    for (uint32_t i = 0; i < (*layers)->count; i++)
        mem_free((*layers)->kept[i].blob);
    mem_free(*layers);
    *layers = NULL;
}

bool device_layers_fit(const struct device_layers *layers, const struct device_command *command)
{
    const struct image_shape *a = &layers->image.shape, *b = &command->shape;
    return a->hidden == b->hidden && a->intermediate == b->intermediate && a->heads == b->heads &&
           layers->image.head_dim == command->head_dim && a->activation == b->activation &&
           a->layer_norm_eps == b->layer_norm_eps;
}

const struct image *device_layers_image(const struct device_layers *layers)
{
    return &layers->image;
}

/* Reading one ----------------------------------------------------------------------------------------------------- */

/* Bytes that are dealt out one piece after the other; without a base they are only counted. */
struct blob {
    char *base;
    size_t size;
};

static void *take(struct blob *blob, size_t bytes)
{
    void *at = blob->base ? blob->base + blob->size : NULL;
    blob->size += round_up(bytes, BEAT);
    return at;
}

static void place_linear(struct blob *blob, const struct image *image, struct image_linear *linear, uint32_t in,
                         uint32_t out, bool rotated, uint32_t projections)
{
    *linear = (struct image_linear){.in = in,
                                    .out = out,
                                    .in_padded = in,
                                    .out_padded = out,
                                    .projections = projections,
                                    .rotation = rotated ? image_rotation(in) : 1};
    linear->weights = take(blob, (size_t)in * out);
    linear->scales = take(blob, out * sizeof(float));
    linear->row_sums = take(blob, out * sizeof(int32_t));
    linear->checks = take(blob, (size_t)projections * in * sizeof(int32_t));
    linear->bias = take(blob, out * sizeof(float));
    for (uint32_t i = 0; i < image->sections.n; i++)
        linear->sections[i] = take(blob, image->sections.list[i]->size(linear));
}

static void place_norm(struct blob *blob, struct image_norm *norm, uint32_t width)
{
    norm->gamma = take(blob, width * sizeof(float));
    norm->beta = take(blob, width * sizeof(float));
}

static void place_layer(struct blob *blob, const struct image *image, struct image_layer *layer)
{
    const uint32_t hidden = image->shape.hidden, intermediate = image->shape.intermediate;
    place_linear(blob, image, &layer->qkv, hidden, 3 * hidden, true, 3);
    place_linear(blob, image, &layer->output, hidden, hidden, false, 1);
    place_linear(blob, image, &layer->ffn1, hidden, intermediate, true, 1);
    place_linear(blob, image, &layer->ffn2, intermediate, hidden, true, 1);
    place_norm(blob, &layer->attention_norm, hidden);
    place_norm(blob, &layer->output_norm, hidden);
}

/* A panel's weights: sums of each output's, and of each input's, times the factors of the card and of the checks. */
static void add_panel(const struct image_linear *linear, uint32_t first, uint32_t projection, uint32_t *sums)
{
    const int8_t *weights = linear->weights + (size_t)first * linear->in_padded;
    int32_t *row_sums = (int32_t *)linear->row_sums + first;
    int32_t *checks = (int32_t *)linear->checks + (size_t)projection * linear->in;
    memset(row_sums, 0, IMAGE_PANEL * sizeof *row_sums);
    for (uint32_t i = 0; i < linear->in; i++) {
        const int8_t *of_input = weights + (size_t)(i / IMAGE_GROUP) * IMAGE_PANEL * IMAGE_GROUP + i % IMAGE_GROUP;
        uint32_t check = 0; /* modulo 2^32, as all of them */
        for (uint32_t o = 0; o < IMAGE_PANEL; o++) {
            int32_t weight = of_input[o * IMAGE_GROUP];
            row_sums[o] += weight;
            sums[i] += (uint32_t)(weight * card_check_factor(o));
            check += (uint32_t)weight * (uint32_t)image_check_factors[o];
        }
        checks[i] = (int32_t)((uint32_t)checks[i] + check);
    }
}

/* The array multiplies the check panel's digits as it does weights: they should be the sums of the run's weights. Where
 * they are not, a product fails whose row sees the difference; so it does when the difference is in its check here. The
 * panel's other output, the inputs' factors, tells of the engine's own memories, which are not here. */
static void add_difference(const struct image_linear *linear, uint32_t projection, const int8_t *digits,
                           const uint32_t *sums)
{
    int32_t *checks = (int32_t *)linear->checks + (size_t)projection * linear->in;
    for (uint32_t i = 0; i < linear->in; i++) {
        const int8_t *of_input = digits + (size_t)(i / IMAGE_GROUP) * IMAGE_PANEL * IMAGE_GROUP + i % IMAGE_GROUP;
        uint32_t claimed = 0;
        for (uint32_t digit = CHECK_DIGITS; digit-- > 0;)
            claimed = claimed * 256 + (uint32_t)of_input[digit * IMAGE_GROUP];
        checks[i] = (int32_t)((uint32_t)checks[i] + claimed - sums[i]);
    }
}

/* Outputs [first, first + outputs) of a linear, of `projections` from `projection` on. `sums` is scratch [in]. */
static void read_run(const struct image_linear *linear, uint32_t first, uint32_t outputs, uint32_t projection,
                     uint32_t projections, const char *at, uint32_t *sums)
{
    const size_t weights = (size_t)linear->in_padded * IMAGE_PANEL;
    memset(sums, 0, linear->in * sizeof *sums);
    memset((int32_t *)linear->checks + (size_t)projection * linear->in, 0,
           (size_t)projections * linear->in * sizeof *linear->checks);
    for (uint32_t o = first; o < first + outputs; o += IMAGE_PANEL) {
        memcpy((float *)linear->scales + o, at, BEAT);
        memcpy((float *)linear->bias + o, at + BEAT, BEAT);
        memcpy((int8_t *)linear->weights + (size_t)o * linear->in_padded, at + PARAM_BEATS * BEAT, weights);
        add_panel(linear, o, projection + (o - first) * projections / outputs, sums);
        at += PARAM_BEATS * BEAT + weights;
    }
    add_difference(linear, projection, (const int8_t *)at + PARAM_BEATS * BEAT, sums);
}

static void read_norm(const struct image_norm *norm, uint32_t width, const float *at)
{
    for (uint32_t i = 0; i < width; i += IMAGE_PANEL, at += 2 * IMAGE_PANEL) {
        memcpy((float *)norm->gamma + i, at, BEAT);
        memcpy((float *)norm->beta + i, at + IMAGE_PANEL, BEAT);
    }
}

static enum status fill_sections(const struct image *image, const struct image_layer *layer, struct error *err)
{
    const struct image_linear *linears[] = {&layer->qkv, &layer->output, &layer->ffn1, &layer->ffn2};
    enum status status = STATUS_OK;
    for (size_t l = 0; l < sizeof linears / sizeof *linears; l++)
        for (uint32_t i = 0; i < image->sections.n && !status; i++)
            status = image->sections.list[i]->fill((void *)linears[l]->sections[i], linears[l], err);
    return status;
}

static enum status read_layer(const struct device_layers *layers, const struct image_layer *layer,
                              const struct device_extent extents[DEVICE_LAYER_EXTENTS], struct error *err)
{
    const uint32_t hidden = layers->image.shape.hidden, intermediate = layers->image.shape.intermediate;
    const void *at[DEVICE_LAYER_EXTENTS];
    uint32_t *sums = mem_alloc((hidden > intermediate ? hidden : intermediate) * sizeof *sums);
    if (!sums)
        return error_set(err, STATUS_NO_MEMORY, "no memory for a layer");
    for (size_t i = 0; i < DEVICE_LAYER_EXTENTS; i++)
        at[i] = device_memory_at(layers->memory, extents[i].address, extents[i].size);
    read_run(&layer->qkv, hidden, 2 * hidden, 1, 2, at[0], sums);
    read_run(&layer->qkv, 0, hidden, 0, 1, at[1], sums);
    read_run(&layer->output, 0, hidden, 0, 1, at[2], sums);
    read_run(&layer->ffn1, 0, intermediate, 0, 1, at[3], sums);
    read_run(&layer->ffn2, 0, hidden, 0, 1, at[4], sums);
    read_norm(&layer->attention_norm, hidden, at[5]);
    read_norm(&layer->output_norm, hidden, at[6]);
    mem_free(sums);
    return fill_sections(&layers->image, layer, err);
}

/* Finding it ------------------------------------------------------------------------------------------------------ */

static uint64_t version_of(const struct device_layers *layers, const struct device_extent *extents)
{
    uint64_t version = 0;
    for (size_t i = 0; i < DEVICE_LAYER_EXTENTS; i++)
        version += device_memory_version(layers->memory, extents[i].address, extents[i].size);
    return version;
}

static struct card_layer place_of(const struct device_extent extents[DEVICE_LAYER_EXTENTS])
{
    return (struct card_layer){.kv = extents[0].address,
                               .q = extents[1].address,
                               .output = extents[2].address,
                               .ffn1 = extents[3].address,
                               .ffn2 = extents[4].address,
                               .attention_norm = extents[5].address,
                               .output_norm = extents[6].address};
}

/* A new place for a layer that lies there; 0: there is none. */
static uint32_t add(struct device_layers *layers, const struct card_layer *at)
{
    if (layers->count == CAPACITY)
        return 0;
    struct blob blob = {0};
    struct image_layer *layer = &layers->layers[layers->count];
    place_layer(&blob, &layers->image, layer);
    blob.base = mem_alloc_aligned(BEAT, blob.size);
    if (!blob.base)
        return 0;
    blob.size = 0;
    place_layer(&blob, &layers->image, layer);
    layers->kept[layers->count] = (struct kept){.at = *at, .version = UINT64_MAX, .blob = blob.base};
    return layers->count++;
}

enum status device_layers_find(struct device_layers *layers, const struct device_command *command, uint32_t layer,
                               uint32_t *ret, struct error *err)
{
    struct device_extent extents[DEVICE_LAYER_EXTENTS];
    device_layer_extents(command, layer, extents);
    const struct card_layer at = place_of(extents);
    uint32_t index = 1;
    while (index < layers->count && memcmp(&layers->kept[index].at, &at, sizeof at) != 0)
        index++;
    if (index == layers->count)
        index = add(layers, &at);
    if (index == 0)
        return error_set(err, STATUS_NO_MEMORY, "no memory for a layer more than %u", layers->count - 1);
    const uint64_t version = version_of(layers, extents); /* first: what is written meanwhile counts as new */
    if (layers->kept[index].version != version) {
        enum status status = read_layer(layers, &layers->layers[index], extents, err);
        if (status)
            return status;
        layers->kept[index].version = version;
    }
    *ret = index;
    return STATUS_OK;
}
