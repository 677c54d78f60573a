/* A model directory in Hugging Face's layout, read into an image. */
#ifndef BERTD_MODEL_MODEL_H
#define BERTD_MODEL_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "accel/image.h"
#include "base/status.h"

enum model_pooling { MODEL_POOL_CLS, MODEL_POOL_MEAN, MODEL_POOL_MAX };

/** What the directory says besides the weights. */
struct model_info {
    struct image_shape shape;
    enum model_pooling pooling;    /* modules.json's 1_Pooling; cls where there is none */
    bool pooling_known;            /* false: the directory names no pooling */
    bool normalize;                /* modules.json ends with a Normalize module */
    bool include_prompt;           /* false: pooling leaves out the prompt's tokens, and [CLS] before them */
    bool lowercase;                /* sentence_bert_config.json asks for lower case, whatever the tokenizer does */
    uint32_t max_seq_length;       /* tokens, special ones included: the least of the model's positions and what
                                      sentence_bert_config.json says, or else tokenizer_config.json */
    char default_prompt_name[256]; /* of config_sentence_transformers.json, among its prompts; "": none */
    char checkpoint_dtype[8];      /* "F32", "F16", "BF16" as most tensors have it */
};

/** Read config.json and what sentence-transformers adds. Of the weights, the headers: every tensor that the model needs
 *  is there, with its shape and a dtype that can be read.
 *  pooling_given  the caller knows how to pool: the pooling's file is not needed, `pooling` means nothing
 *  Errors: IO, FORMAT, UNSUPPORTED, each naming the file and the field; `ret` untouched on failure. Thread: any. */
enum status model_read_info(struct model_info *ret, const char *model_dir, bool pooling_given, struct error *err);
/** Read the weights (model.safetensors, or the shards of model.safetensors.index.json) and build the image.
 *  ret       new reference; image_release
 *  sections  what the boards read beside the model, as for image_build; NULL: nothing
 *  Errors: IO, FORMAT, UNSUPPORTED, NO_MEMORY, naming the file and the tensor
 *  Thread: any */
enum status model_load_image(struct image **ret, const char *model_dir, const struct model_info *info,
                             enum image_precision precision, const struct image_sections *sections, struct error *err);

#endif
