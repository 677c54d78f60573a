#include "server/model/weights.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/mem.h"
#include "server/model/convert.h"

/* A tensor by its name in BertModel: where its pointer goes, and which members of the shape are its own. */
struct weight_row {
    const char *name;
    size_t target;  /* offset of a `const float *` in image_source or image_source_layer */
    size_t rows;    /* offset of a uint32_t in image_shape */
    size_t columns; /* the same, or no_columns for a vector */
};

static const size_t no_columns = SIZE_MAX;

#define SHAPE(member)  offsetof(struct image_shape, member)
#define SOURCE(member) offsetof(struct image_source, member)
#define LAYER(member)  offsetof(struct image_source_layer, member)

static const struct weight_row embedding_rows[MODEL_EMBEDDING_TENSORS] = {
    {"embeddings.word_embeddings.weight", SOURCE(word_embeddings), SHAPE(vocab), SHAPE(hidden)},
    {"embeddings.position_embeddings.weight", SOURCE(position_embeddings), SHAPE(positions), SHAPE(hidden)},
    {"embeddings.token_type_embeddings.weight", SOURCE(type_embeddings), SHAPE(types), SHAPE(hidden)},
    {"embeddings.LayerNorm.weight", SOURCE(embedding_norm.gamma), SHAPE(hidden), no_columns},
    {"embeddings.LayerNorm.bias", SOURCE(embedding_norm.beta), SHAPE(hidden), no_columns},
};

static const struct weight_row layer_rows[MODEL_LAYER_TENSORS] = {
    {"attention.self.query.weight", LAYER(query.weight), SHAPE(hidden), SHAPE(hidden)},
    {"attention.self.query.bias", LAYER(query.bias), SHAPE(hidden), no_columns},
    {"attention.self.key.weight", LAYER(key.weight), SHAPE(hidden), SHAPE(hidden)},
    {"attention.self.key.bias", LAYER(key.bias), SHAPE(hidden), no_columns},
    {"attention.self.value.weight", LAYER(value.weight), SHAPE(hidden), SHAPE(hidden)},
    {"attention.self.value.bias", LAYER(value.bias), SHAPE(hidden), no_columns},
    {"attention.output.dense.weight", LAYER(output.weight), SHAPE(hidden), SHAPE(hidden)},
    {"attention.output.dense.bias", LAYER(output.bias), SHAPE(hidden), no_columns},
    {"attention.output.LayerNorm.weight", LAYER(attention_norm.gamma), SHAPE(hidden), no_columns},
    {"attention.output.LayerNorm.bias", LAYER(attention_norm.beta), SHAPE(hidden), no_columns},
    {"intermediate.dense.weight", LAYER(ffn1.weight), SHAPE(intermediate), SHAPE(hidden)},
    {"intermediate.dense.bias", LAYER(ffn1.bias), SHAPE(intermediate), no_columns},
    {"output.dense.weight", LAYER(ffn2.weight), SHAPE(hidden), SHAPE(intermediate)},
    {"output.dense.bias", LAYER(ffn2.bias), SHAPE(hidden), no_columns},
    {"output.LayerNorm.weight", LAYER(output_norm.gamma), SHAPE(hidden), no_columns},
    {"output.LayerNorm.bias", LAYER(output_norm.beta), SHAPE(hidden), no_columns},
};

static uint32_t shape_member(const struct image_shape *shape, size_t offset)
{
    return offset == no_columns ? 0 : *(const uint32_t *)((const char *)shape + offset);
}

static enum status find_row(const struct model_checkpoint *checkpoint, const struct image_shape *shape,
                            const struct weight_row *row, const char *name, const struct model_tensor **ret,
                            struct error *err)
{
    return model_checkpoint_find(checkpoint, name, shape_member(shape, row->rows), shape_member(shape, row->columns),
                                 ret, err);
}

static enum status find_layer_row(const struct model_checkpoint *checkpoint, const struct image_shape *shape,
                                  uint32_t layer, int row, const struct model_tensor **ret, struct error *err)
{
    char name[MODEL_MAX_NAME];
    snprintf(name, sizeof name, "encoder.layer.%u.%s", layer, layer_rows[row].name);
    return find_row(checkpoint, shape, &layer_rows[row], name, ret, err);
}

enum status model_weights_check(const struct model_checkpoint *checkpoint, const struct image_shape *shape,
                                enum model_dtype *ret_dtype, struct error *err)
{
    uint32_t counts[MODEL_DTYPE_COUNT] = {0};
    const struct model_tensor *tensor;
    for (int row = 0; row < MODEL_EMBEDDING_TENSORS; row++) {
        enum status status = find_row(checkpoint, shape, &embedding_rows[row], embedding_rows[row].name, &tensor, err);
        if (status != STATUS_OK)
            return status;
        counts[tensor->dtype]++;
    }
    for (uint32_t layer = 0; layer < shape->layers; layer++) {
        for (int row = 0; row < MODEL_LAYER_TENSORS; row++) {
            enum status status = find_layer_row(checkpoint, shape, layer, row, &tensor, err);
            if (status != STATUS_OK)
                return status;
            counts[tensor->dtype]++;
        }
    }
    int most = 0;
    for (int dtype = 1; dtype < MODEL_DTYPE_COUNT; dtype++)
        most = counts[dtype] > counts[most] ? dtype : most;
    *ret_dtype = (enum model_dtype)most;
    return STATUS_OK;
}

void model_weights_init(struct model_weights *weights, const struct model_checkpoint *checkpoint,
                        const struct image_shape *shape)
{
    *weights = (struct model_weights){.checkpoint = checkpoint, .shape = *shape};
}

void model_weights_finish(struct model_weights *weights)
{
    for (int i = 0; i < MODEL_EMBEDDING_TENSORS; i++)
        mem_free(weights->embedding_copies[i]);
    for (int i = 0; i < MODEL_LAYER_TENSORS; i++)
        mem_free(weights->layer_copies[i]);
    *weights = (struct model_weights){0};
}

/* The tensor's elements as aligned binary32: in place, or converted to `*copy`, allocated when first needed. */
static enum status tensor_floats(const struct model_tensor *tensor, size_t count, float **copy, const float **ret,
                                 struct error *err)
{
    if (tensor->dtype == MODEL_DTYPE_F32 && (uintptr_t)tensor->data % _Alignof(float) == 0) {
        *ret = (const float *)(const void *)tensor->data;
        return STATUS_OK;
    }
    if (!*copy)
        *copy = mem_alloc(count * sizeof **copy);
    if (!*copy)
        return error_set(err, STATUS_NO_MEMORY, "tensor %.*s: no memory to convert %zu elements", (int)tensor->name_len,
                         tensor->name, count);
    model_convert(*copy, tensor->data, count, tensor->dtype);
    *ret = *copy;
    return STATUS_OK;
}

static size_t row_elements(const struct image_shape *shape, const struct weight_row *row)
{
    size_t columns = shape_member(shape, row->columns);
    return shape_member(shape, row->rows) * (columns ? columns : 1);
}

static enum status hand_out(struct model_weights *weights, int slot, const struct weight_row *row,
                            const struct model_tensor *tensor, float **copy, void *target, struct error *err)
{
    weights->used[slot] = tensor;
    return tensor_floats(tensor, row_elements(&weights->shape, row), copy,
                         (const float **)((char *)target + row->target), err);
}

enum status model_weights_embeddings(struct model_weights *weights, struct image_source *ret, struct error *err)
{
    for (int i = 0; i < MODEL_EMBEDDING_TENSORS; i++) {
        const struct weight_row *row = &embedding_rows[i];
        const struct model_tensor *tensor;
        enum status status = find_row(weights->checkpoint, &weights->shape, row, row->name, &tensor, err);
        if (status == STATUS_OK)
            status = hand_out(weights, i, row, tensor, &weights->embedding_copies[i], ret, err);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

enum status model_weights_layer(void *cookie, uint32_t index, struct image_source_layer *ret, struct error *err)
{
    struct model_weights *weights = cookie;
    for (int i = 0; i < MODEL_LAYER_TENSORS; i++) {
        const struct model_tensor *tensor;
        if (weights->used[i]) /* by now copied into the image; were it not, it would be read from the file again */
            model_checkpoint_drop(weights->used[i]);
        enum status status = find_layer_row(weights->checkpoint, &weights->shape, index, i, &tensor, err);
        if (status == STATUS_OK)
            status = hand_out(weights, i, &layer_rows[i], tensor, &weights->layer_copies[i], ret, err);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}
