/* The pooling's config.json, as sentence-transformers of any version writes it. Room-private. */
#ifndef BERTD_MODEL_POOLING_H
#define BERTD_MODEL_POOLING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "server/model/model.h"

struct model_pooling_config {
    enum model_pooling pooling;
    bool include_prompt;
};

/** `pooling_mode` (a word, or an array of one), or the flags of versions before 5.4; mean where the file names none.
 *  data    [size] JSON; borrowed for the call
 *  hidden  what embedding_dimension or word_embedding_dimension must be, where it is there
 *  Errors: FORMAT, UNSUPPORTED (naming the mode), NO_MEMORY; `ret` untouched on failure. Thread: any */
enum status model_pooling_parse(struct model_pooling_config *ret, uint32_t hidden, const void *data, size_t size,
                                struct error *err);
/** Of the same file only include_prompt; true where it is missing. Errors: FORMAT, NO_MEMORY. Thread: any */
enum status model_include_prompt_parse(bool *ret, const void *data, size_t size, struct error *err);

#endif
