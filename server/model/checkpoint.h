/* The weights on disk: model.safetensors, or the shards that model.safetensors.index.json names. Room-private. */
#ifndef BERTD_MODEL_CHECKPOINT_H
#define BERTD_MODEL_CHECKPOINT_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "server/model/safetensors.h"

enum { MODEL_MAX_SHARDS = 256 };

struct model_checkpoint;

/** Map the files and parse their headers; the tensors' bytes are not touched. A file must not shrink while it is
 *  mapped: reading what is gone ends the process with SIGBUS.
 *  ret       new; model_checkpoint_close
 *  model_dir borrowed as long as `ret` lives
 *  Errors: IO, FORMAT (also a shard outside the directory), UNSUPPORTED, NO_MEMORY, naming the file. Thread: any */
enum status model_checkpoint_open(struct model_checkpoint **ret, const char *model_dir, struct error *err);
/** Unmap, free, set to NULL; NULL is fine. */
void model_checkpoint_close(struct model_checkpoint **checkpoint);

/** Find a tensor of floats by its name in BertModel ("encoder.layer.0.output.dense.bias"), with the prefix "bert." or
 *  without, with LayerNorm.weight and .bias also under their old names gamma and beta.
 *  rows, columns  what its shape must be; columns 0: a vector of `rows`
 *  ret            borrowed from the checkpoint
 *  Errors: FORMAT (missing, another shape), UNSUPPORTED (dtype), naming the file and the tensor */
enum status model_checkpoint_find(const struct model_checkpoint *checkpoint, const char *name, uint32_t rows,
                                  uint32_t columns, const struct model_tensor **ret, struct error *err);
/** The file that errors about the weights as a whole should name: the only one, or the index. Borrowed. */
const char *model_checkpoint_file(const struct model_checkpoint *checkpoint);
/** The tensor's pages are not needed any more: take them out of the process's resident memory. */
void model_checkpoint_drop(const struct model_tensor *tensor);

#endif
