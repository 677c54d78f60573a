/* Writes small model directories for the tests: any BERT shape, dtype, prefix and number of shards, and broken ones.
 * A failure of the test's own files ends the test. */
#ifndef BERTD_TESTS_MODEL_WRITER_H
#define BERTD_TESTS_MODEL_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "accel/image.h"

struct writer_tensor {
    char name[160];
    char dtype[8]; /* "F32", "F16", "BF16"; anything else is written as zeroes of 4 bytes an element */
    uint32_t rows;
    uint32_t columns; /* 0: a vector */
    float *values;    /* [rows * columns]; multiples of 1/128 below 1, exact in all three dtypes */
    bool skip;
};

/** Called with every tensor before it is written: may change anything but `values` itself. */
typedef void writer_edit(struct writer_tensor *tensor, void *cookie);

struct writer_model {
    struct image_shape shape;
    const char *dtype;
    const char *prefix; /* "" or "bert." */
    uint32_t shards;    /* 0: one file */
    uint32_t misalign;  /* the data begin at this many bytes past a multiple of 8 */
    bool legacy_norms;  /* LayerNorm.gamma and .beta */
    bool extra_tensors; /* position_ids, a pooler, a head */
    writer_edit *edit;
    void *cookie;
};

/** A shape that loads in no time, and a model of it: one file, F32, no prefix. */
struct writer_model writer_default(void);

/** New temporary directory; writer_remove deletes it with all in it and frees the name. */
char *writer_directory(void);
void writer_remove(char *dir);

void writer_file(const char *dir, const char *name, const void *data, size_t size);
void writer_text(const char *dir, const char *name, const char *text);
/** A safetensors file of this header, with `data_size` zero bytes behind. */
void writer_safetensors(const char *dir, const char *name, const char *header, size_t data_size);
/** config.json and the weights. Values depend on the tensor's place only. */
void writer_weights(const char *dir, const struct writer_model *model);
void writer_config(const char *dir, const struct writer_model *model);

#endif
