/* Small random BERTs and batches for tests of boards and engines. */
#ifndef TESTS_ACCEL_TINY_H
#define TESTS_ACCEL_TINY_H

#include "accel/board.h"
#include "accel/engine.h"

enum { TINY_MAX_LAYERS = 3, TINY_MAX_ROWS = 256, TINY_MAX_SEQS = 32 };

/** Shapes with ragged widths: no multiple of a panel or a group, rotations of 1 to 64, head sizes such as 26. */
extern const struct image_shape tiny_shapes[];
extern const uint32_t tiny_n_shapes;

/** A checkpoint in memory; a test may change its tensors through the pointers in `layers` and `source`. */
struct tiny {
    struct image_source source; /* its cookie points back here: do not copy */
    struct image_source_layer layers[TINY_MAX_LAYERS];
    float *values; /* every tensor, one after another */
    float *next;
    uint64_t random;
};

void tiny_init(struct tiny *tiny, const struct image_shape *shape, uint64_t seed);
void tiny_finish(struct tiny *tiny);
/** The image of a random checkpoint; the test fails if there is none. Release it with image_release. */
struct image *tiny_image(const struct image_shape *shape, enum image_precision precision, uint64_t seed);

/** A batch with room for its hidden states. */
struct tiny_batch {
    struct board_job job; /* points into the rest: do not copy */
    uint32_t cu_seqlens[TINY_MAX_SEQS + 1];
    uint32_t ids[TINY_MAX_ROWS];
    uint8_t type_ids[TINY_MAX_ROWS];
    uint32_t hidden_sums[TINY_MAX_ROWS];
    struct board_kv kv;
    uint32_t block_begin[TINY_MAX_SEQS + 1];
    void *kv_memory;
};

/** Random ids and types for sequences of these lengths, the last followed by 0. */
void tiny_batch_init(struct tiny_batch *batch, const struct image *image, const uint32_t *lengths, uint64_t seed);
/** Give the job room for keys and values. */
void tiny_batch_add_kv(struct tiny_batch *batch);
void tiny_batch_finish(struct tiny_batch *batch);
/** The hidden states as bytes are the same. */
bool tiny_batch_equal(const struct tiny_batch *a, const struct tiny_batch *b);
/** All layers on an engine made for the occasion. The thread's float mode is as before. */
enum status tiny_run(const struct engine_ops *ops, struct tiny_batch *batch, struct error *err);

/** The next number of a generator; `state` is not 0. */
uint64_t tiny_random(uint64_t *state);
/** Cosine of two vectors. */
double tiny_cosine(const float *a, const double *b, uint32_t n);

#endif
