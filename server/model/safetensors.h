/* The safetensors container: 8 bytes little-endian header size, a JSON header, the tensors' bytes. Room-private.
 * Source: the format's description in huggingface/safetensors (README, "Format"), version 0.4. */
#ifndef BERTD_MODEL_SAFETENSORS_H
#define BERTD_MODEL_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* X(name, bytes an element) */
#define MODEL_DTYPE_MAP(X)                                                                                             \
    X(F32, 4)                                                                                                          \
    X(F16, 2)                                                                                                          \
    X(BF16, 2)                                                                                                         \
    X(F64, 8)                                                                                                          \
    X(I64, 8)                                                                                                          \
    X(U64, 8)                                                                                                          \
    X(I32, 4)                                                                                                          \
    X(U32, 4)                                                                                                          \
    X(I16, 2)                                                                                                          \
    X(U16, 2)                                                                                                          \
    X(I8, 1)                                                                                                           \
    X(U8, 1)                                                                                                           \
    X(BOOL, 1)                                                                                                         \
    X(F8_E4M3, 1)                                                                                                      \
    X(F8_E5M2, 1)                                                                                                      \
    X(F8_E8M0, 1)                                                                                                      \
    X(OTHER, 0) /* one that this program does not know, of a tensor that no BERT encoder has */

enum model_dtype {
#define X(name, size) MODEL_DTYPE_##name,
    MODEL_DTYPE_MAP(X)
#undef X
        MODEL_DTYPE_COUNT
};

enum {
    MODEL_MAX_HEADER = 16 << 20, /* bytes; a BERT-large header has 50 thousand */
    MODEL_MAX_NAME = 256,        /* bytes of a tensor's name */
    MODEL_MAX_RANK = 8,
};

struct model_tensor {
    const char *name; /* [name_len], no NUL; borrowed from the file's bytes, as `data` is */
    uint32_t name_len;
    enum model_dtype dtype;
    const char *dtype_name; /* [dtype_name_len], no NUL; borrowed as `name` is */
    uint32_t dtype_name_len;
    uint32_t rank;
    uint64_t shape[MODEL_MAX_RANK];
    const unsigned char *data; /* [size]; any alignment */
    uint64_t size;             /* bytes: the product of the shape times the element's size */
};

struct model_safetensors;

/** Parse and check a whole file: every tensor's dtype, shape and bytes agree, names are unique, and the tensors cover
 *  the data without overlap or gap.
 *  ret     new; free with model_safetensors_destroy
 *  data    [size]; borrowed as long as `ret` lives. Only the header is read.
 *  Memory: at most 3 times the header's size
 *  Errors: FORMAT, NO_MEMORY, naming the tensor; not the file, which the
 *          caller knows
 *  Thread: any */
enum status model_safetensors_parse(struct model_safetensors **ret, const unsigned char *data, size_t size,
                                    struct error *err);
/** Free and set to NULL; NULL is fine. */
void model_safetensors_destroy(struct model_safetensors **safetensors);

size_t model_safetensors_count(const struct model_safetensors *safetensors);
/** The tensors in order of their names, index < count; borrowed. */
const struct model_tensor *model_safetensors_at(const struct model_safetensors *safetensors, size_t index);
/** By name; borrowed, NULL when there is none. */
const struct model_tensor *model_safetensors_find(const struct model_safetensors *safetensors, const char *name);

const char *model_dtype_name(enum model_dtype dtype); /**< "BF16"; static */

#endif
