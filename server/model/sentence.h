/* The files sentence-transformers adds: modules.json, the pooling's config.json, sentence_bert_config.json,
 * config_sentence_transformers.json; and the longest input, which it also looks for in tokenizer_config.json.
 * Room-private. */
#ifndef BERTD_MODEL_SENTENCE_H
#define BERTD_MODEL_SENTENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "server/model/model.h"

enum { MODEL_MAX_MODULE_PATH = 256 };
enum { MODEL_MAX_TOKENIZER_JSON = 64 << 20 }; /* bytes of tokenizer_config.json, which may list added tokens */
#define MODEL_NO_LENGTH UINT32_MAX            /* a longest input that is none */

/** What modules.json says: Transformer, then perhaps Pooling, then perhaps Normalize. */
struct model_modules {
    bool has_pooling;
    bool normalize;
    char pooling_path[MODEL_MAX_MODULE_PATH]; /* the pooling's folder, one component of a path */
};

/** What sentence_bert_config.json says. */
struct model_sequence {
    uint32_t length; /* tokens; 0: nothing is said; MODEL_NO_LENGTH: no limit */
    bool lowercase;  /* inputs are put into lower case, whatever the tokenizer does */
};

/** Both parse `data` [size], borrowed for the call. Errors: FORMAT, UNSUPPORTED (naming the module or the task),
 *  NO_MEMORY; `ret` untouched on failure. Thread: any */
enum status model_modules_parse(struct model_modules *ret, const void *data, size_t size, struct error *err);
enum status model_sequence_parse(struct model_sequence *ret, const void *data, size_t size, struct error *err);

/** Read these files of a directory, each optional, into all of `info` that comes from them. `info->shape` must be
 *  filled. Without modules.json, 1_Pooling/config.json counts alone.
 *  pooling_given  the pooling's file may be missing or wrong; `pooling` then means nothing
 *  Errors: IO, and those above, naming the file; `info` untouched on failure. */
enum status model_sentence_read(struct model_info *info, const char *model_dir, bool pooling_given, struct error *err);

#endif
