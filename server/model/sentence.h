/* The files sentence-transformers adds: modules.json, the pooling's config.json, sentence_bert_config.json.
 * Room-private. */
#ifndef BERTD_MODEL_SENTENCE_H
#define BERTD_MODEL_SENTENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "server/model/model.h"

enum { MODEL_MAX_MODULE_PATH = 256 };

/** What modules.json says: Transformer, then perhaps Pooling, then perhaps Normalize. */
struct model_modules {
    bool has_pooling;
    bool normalize;
    char pooling_path[MODEL_MAX_MODULE_PATH]; /* the pooling's folder, one component of a path */
};

/** All three parse `data` [size], borrowed for the call. Errors: FORMAT, UNSUPPORTED (naming the module or the pooling
 *  mode), NO_MEMORY; `ret` untouched on failure. Thread: any */
enum status model_modules_parse(struct model_modules *ret, const void *data, size_t size, struct error *err);
/** `hidden` is what word_embedding_dimension must be, where there is one. */
enum status model_pooling_parse(enum model_pooling *ret, uint32_t hidden, const void *data, size_t size,
                                struct error *err);
/** max_seq_length; 0 where the file gives none. */
enum status model_sequence_parse(uint32_t *ret, const void *data, size_t size, struct error *err);

/** Read the three files of a directory, each optional, into pooling, pooling_known, normalize and max_seq_length.
 *  `info->shape` must be filled. Without modules.json, 1_Pooling/config.json counts alone.
 *  Errors: IO, and those above, naming the file; `info` untouched on failure. */
enum status model_sentence_read(struct model_info *info, const char *model_dir, struct error *err);

#endif
