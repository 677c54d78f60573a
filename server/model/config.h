/* config.json: what BERT it is. Room-private. */
#ifndef BERTD_MODEL_CONFIG_H
#define BERTD_MODEL_CONFIG_H

#include <stddef.h>

#include "accel/image.h"
#include "base/status.h"

enum { MODEL_MAX_JSON = 4 << 20 }; /* bytes of one of the directory's JSON files */

/** Parse config.json. Sizes must be there; layer_norm_eps (1e-12), hidden_act (gelu), position_embedding_type
 *  (absolute) and type_vocab_size (2) have the defaults of transformers' BertConfig, since old files lack them.
 *  data    [size] JSON; borrowed for the call
 *  Errors: FORMAT, UNSUPPORTED, NO_MEMORY, naming the field; `ret` untouched on failure. Thread: any */
enum status model_config_parse(struct image_shape *ret, const void *data, size_t size, struct error *err);

#endif
