/* The room's two doors: what a directory says, and its weights as an image. */
#include "server/model/model.h"

#include <stdio.h>

#include "base/json.h"
#include "server/model/checkpoint.h"
#include "server/model/config.h"
#include "server/model/sentence.h"
#include "server/model/weights.h"

static enum status on_config(void *cookie, const void *data, size_t size, struct error *err)
{
    return model_config_parse(cookie, data, size, err);
}

enum status model_read_info(struct model_info *ret, const char *model_dir, bool pooling_given, struct error *err)
{
    struct model_info info = {0};
    enum status status = base_json_file(model_dir, "config.json", MODEL_MAX_JSON, NULL, on_config, &info.shape, err);
    if (status == STATUS_OK)
        status = model_sentence_read(&info, model_dir, pooling_given, err);
    if (status != STATUS_OK)
        return status;
    struct model_checkpoint *checkpoint;
    status = model_checkpoint_open(&checkpoint, model_dir, err);
    if (status != STATUS_OK)
        return status;
    enum model_dtype dtype;
    status = model_weights_check(checkpoint, &info.shape, &dtype, err);
    model_checkpoint_close(&checkpoint);
    if (status != STATUS_OK)
        return status;
    snprintf(info.checkpoint_dtype, sizeof info.checkpoint_dtype, "%s", model_dtype_name(dtype));
    *ret = info;
    return STATUS_OK;
}

static enum status build_image(struct image **ret, const struct model_checkpoint *checkpoint,
                               const struct image_shape *shape, enum image_precision precision,
                               const struct image_sections *sections, struct error *err)
{
    struct model_weights weights;
    model_weights_init(&weights, checkpoint, shape);
    struct image_source source = {.shape = *shape, .layer = model_weights_layer, .cookie = &weights};
    enum status status = model_weights_embeddings(&weights, &source, err);
    if (status == STATUS_OK)
        status = image_build(ret, &source, precision, sections, err);
    model_weights_finish(&weights);
    return status;
}

enum status model_load_image(struct image **ret, const char *model_dir, const struct model_info *info,
                             enum image_precision precision, const struct image_sections *sections, struct error *err)
{
    struct model_checkpoint *checkpoint;
    enum status status = model_checkpoint_open(&checkpoint, model_dir, err);
    if (status != STATUS_OK)
        return status;
    enum model_dtype dtype;
    status = model_weights_check(checkpoint, &info->shape, &dtype, err);
    if (status == STATUS_OK) {
        status = build_image(ret, checkpoint, &info->shape, precision, sections, err);
        if (status != STATUS_OK)
            error_prefix(err, status, "%s: ", model_checkpoint_file(checkpoint));
    }
    model_checkpoint_close(&checkpoint);
    return status;
}
