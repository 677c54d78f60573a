#include "server/model/config.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/json.h"

struct count_row {
    const char *field;
    size_t offset;
    uint32_t limit;
};

static const struct count_row counts[] = {
    {"hidden_size", offsetof(struct image_shape, hidden), IMAGE_MAX_WIDTH},
    {"num_hidden_layers", offsetof(struct image_shape, layers), IMAGE_MAX_LAYERS},
    {"num_attention_heads", offsetof(struct image_shape, heads), IMAGE_MAX_WIDTH},
    {"intermediate_size", offsetof(struct image_shape, intermediate), IMAGE_MAX_WIDTH},
    {"vocab_size", offsetof(struct image_shape, vocab), IMAGE_MAX_VOCAB},
    {"max_position_embeddings", offsetof(struct image_shape, positions), IMAGE_MAX_POSITIONS},
};

struct activation_row {
    const char *name;
    enum image_activation activation;
};

static const struct activation_row activations[] = {
    {"gelu", IMAGE_GELU},
    {"gelu_python", IMAGE_GELU},
    {"gelu_new", IMAGE_GELU_NEW}, /* gelu's tanh form, as all that follow */
    {"gelu_pytorch_tanh", IMAGE_GELU_NEW},
    {"gelu_python_tanh", IMAGE_GELU_NEW},
    {"gelu_fast", IMAGE_GELU_NEW},
    {"gelu_accurate", IMAGE_GELU_NEW},
    {"relu", IMAGE_RELU},
};

/* What would make another model of it, even with the same tensors. */
static enum status check_kind(const json_t *root, struct error *err)
{
    const char *type = NULL, *positions = "absolute";
    bool decoder = false, cross_attention = false;
    enum status status = base_json_text(root, "model_type", &type, err);
    if (status == STATUS_OK)
        status = base_json_text(root, "position_embedding_type", &positions, err);
    if (status == STATUS_OK)
        status = base_json_flag(root, "is_decoder", &decoder, err);
    if (status == STATUS_OK)
        status = base_json_flag(root, "add_cross_attention", &cross_attention, err);
    if (status != STATUS_OK)
        return status;
    if (!type)
        return error_set(err, STATUS_FORMAT, "model_type is missing");
    if (strcmp(type, "bert") != 0)
        return error_set(err, STATUS_UNSUPPORTED, "model_type is \"%s\"; only \"bert\" is supported",
                         base_json_shown(type));
    if (strcmp(positions, "absolute") != 0)
        return error_set(err, STATUS_UNSUPPORTED, "position_embedding_type is \"%s\"; only \"absolute\" is supported",
                         base_json_shown(positions));
    if (decoder)
        return error_set(err, STATUS_UNSUPPORTED, "is_decoder is true; only encoders are supported");
    if (cross_attention)
        return error_set(err, STATUS_UNSUPPORTED, "add_cross_attention is true; only encoders are supported");
    return STATUS_OK;
}

static enum status read_activation(const json_t *root, enum image_activation *ret, struct error *err)
{
    const char *name = "gelu";
    enum status status = base_json_text(root, "hidden_act", &name, err);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < sizeof activations / sizeof *activations; i++) {
        if (strcmp(name, activations[i].name) == 0) {
            *ret = activations[i].activation;
            return STATUS_OK;
        }
    }
    return error_set(err, STATUS_UNSUPPORTED,
                     "hidden_act is \"%s\"; gelu and gelu_new by all their names, and relu are supported",
                     base_json_shown(name));
}

static enum status read_eps(const json_t *root, float *ret, struct error *err)
{
    const json_t *value = json_object_get(root, "layer_norm_eps");
    double eps = value ? json_number_value(value) : 1e-12;
    if (value && !json_is_number(value))
        return error_set(err, STATUS_FORMAT, "layer_norm_eps is not a number");
    /* A smaller one would be flushed to zero, and a row of equal values divided by it. */
    if (!(eps >= (double)FLT_MIN && eps < 1))
        return error_set(err, STATUS_UNSUPPORTED, "layer_norm_eps is %g; from %g to 1 is supported", eps,
                         (double)FLT_MIN);
    *ret = (float)eps;
    return STATUS_OK;
}

static enum status read_counts(const json_t *root, struct image_shape *ret, struct error *err)
{
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        uint32_t *member = (uint32_t *)((char *)ret + counts[i].offset);
        enum status status = base_json_count(root, counts[i].field, 1, counts[i].limit, member, err);
        if (status != STATUS_OK)
            return status;
    }
    ret->types = 2;
    if (json_object_get(root, "type_vocab_size"))
        return base_json_count(root, "type_vocab_size", 1, IMAGE_MAX_TYPES, &ret->types, err);
    return STATUS_OK;
}

static enum status read_shape(const json_t *root, struct image_shape *ret, struct error *err)
{
    if (!json_is_object(root))
        return error_set(err, STATUS_FORMAT, "not an object");
    enum status status = check_kind(root, err);
    if (status == STATUS_OK)
        status = read_counts(root, ret, err);
    if (status == STATUS_OK)
        status = read_activation(root, &ret->activation, err);
    if (status == STATUS_OK)
        status = read_eps(root, &ret->layer_norm_eps, err);
    if (status == STATUS_OK && ret->hidden % ret->heads != 0)
        return error_set(err, STATUS_FORMAT, "hidden_size %u is not a multiple of num_attention_heads %u", ret->hidden,
                         ret->heads);
    return status;
}

enum status model_config_parse(struct image_shape *ret, const void *data, size_t size, struct error *err)
{
    json_t *root;
    enum status status = base_json_parse(&root, data, size, err);
    if (status != STATUS_OK)
        return status;
    struct image_shape shape = {0};
    status = read_shape(root, &shape, err);
    json_decref(root);
    if (status == STATUS_OK)
        *ret = shape;
    return status;
}
