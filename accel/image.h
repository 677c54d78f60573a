/* The model image: what a board loads. Made once from a checkpoint, immutable, reference-counted, shared by every
 * board of the process, with a checksum over its bytes.
 *
 * Weights are int8 in panels of 16 outputs by 4 inputs, the order an s8 x s8 array or a dot-product instruction reads
 * them in; everything else stays binary32 (numerics: docs/numerics.md).
 */
#ifndef BERTD_ACCEL_IMAGE_H
#define BERTD_ACCEL_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum image_activation { IMAGE_GELU, IMAGE_GELU_NEW, IMAGE_RELU };
enum image_precision { IMAGE_INT8, IMAGE_FP32 };

enum {
    IMAGE_PANEL = 16, /* outputs in a weight panel, tokens in a K/V block */
    IMAGE_GROUP = 4,  /* inputs that lie next to each other in a panel */
    IMAGE_MAX_SECTIONS = 4,
    IMAGE_MAX_ROTATION = 128, /* largest Hadamard block */
    /** Tokens: the P x V accumulator is exact up to here. A model may have more positions; boards refuse the sequences
     *  that would use them. */
    IMAGE_MAX_SEQUENCE = 1024,
    /** Limits of a shape. No size of an image overflows within them, and every int32 accumulator is exact: width * 127
     * * 127 < 2^31. */
    IMAGE_MAX_WIDTH = 65536, /* hidden, intermediate */
    IMAGE_MAX_LAYERS = 1024,
    IMAGE_MAX_VOCAB = 1 << 22,
    IMAGE_MAX_POSITIONS = 1 << 17,
    IMAGE_MAX_TYPES = 256,
};

/** Weights are below this in magnitude, so that folding, rotating and the sum of a row stay finite. */
#define IMAGE_MAX_MAGNITUDE 0x1p64f
/** A row whose largest magnitude is below this quantises to zeros with scale 0: 127 / amax would overflow. */
#define IMAGE_TINY 0x1p-100f

/** The shape of a BERT encoder. All counts > 0 and within the limits above; `hidden` is a multiple of `heads`;
 *  `layer_norm_eps` is at least FLT_MIN and below 1. */
struct image_shape {
    uint32_t hidden;
    uint32_t layers;
    uint32_t heads;
    uint32_t intermediate;
    uint32_t vocab;
    uint32_t positions;
    uint32_t types;
    enum image_activation activation;
    float layer_norm_eps;
};

/** y = W x + b. Of the two weight forms the one of the image's precision is set, the other NULL. */
struct image_linear {
    uint32_t in;
    uint32_t out;
    uint32_t in_padded;   /* `in` rounded up to IMAGE_GROUP */
    uint32_t out_padded;  /* `out` rounded up to IMAGE_PANEL */
    uint32_t projections; /* 3 in qkv, else 1 */
    uint32_t rotation;    /* Hadamard block of the input; 1: the input is not rotated (always so in binary32) */
    /** [out_padded/16][in_padded/4][16][4]: W[o][i] at panel o/16, group i/4, then o%16, i%4; padding is 0. */
    const int8_t *weights;
    const float *scales;     /* [out_padded] s_w, padding 0 */
    const int32_t *row_sums; /* [out_padded] sum over i of W[o][i] */
    /** [projections][in] one more output of each projection (Q, K and V of qkv; another linear is one), by which its
     *  product is checked: the sum over its outputs o of W[o][i] * image_check_factors[o % 16] modulo 2^32. */
    const int32_t *checks;
    /** [out][in] row-major, as in the checkpoint (1/sqrt(head_dim) folded, not rotated); rows between the projections
     *  of qkv are 0. */
    const float *weights_f32;
    const float *bias;                        /* [out_padded], padding 0 */
    const void *sections[IMAGE_MAX_SECTIONS]; /* in the order of the image's; NULL past them, see image_section */
};

/** What int8 products are checked by: algorithm-based fault tolerance (ABFT). A linear has one more output, a weighted
 *  sum of all others (`checks`), so the outputs of a product must come to what that output gives; docs/numerics.md has
 *  the whole. The factors are odd numbers: a check sees any one bit of an accumulator, and an input whose plain sum of
 *  weights happens to be 0. */
extern const int32_t image_check_factors[IMAGE_PANEL];

/** Something beside the model that whoever computes from an image reads of each int8 linear. It is made when the image
 *  is built, lies among its bytes (aligned to 64), and so is checked, scrubbed, copied and repaired with them. An image
 *  has the sections that image_build was given and no others. Its address is what it is found by: static. */
struct image_section {
    /** Bytes for a linear, of which only the sizes are set. Thread: any. */
    size_t (*size)(const struct image_linear *linear);
    /** Write all of those bytes, the same for the same weights. Errors: NO_MEMORY. Thread: the builder's. */
    enum status (*fill)(void *bytes, const struct image_linear *linear, struct error *err);
};

/** A list of them. Zeroed: none. */
struct image_sections {
    uint32_t n;
    const struct image_section *list[IMAGE_MAX_SECTIONS];
};

struct image_norm {
    const float *gamma; /* [hidden] */
    const float *beta;  /* [hidden] */
};

struct image_layer {
    /** The projections Q (scaled by 1/sqrt(head_dim)), K and V, each from a panel boundary on (image_qkv_offset): `out`
     *  is 3 * round_up(hidden, 16). */
    struct image_linear qkv;
    struct image_linear output;
    struct image_linear ffn1;
    struct image_linear ffn2;
    struct image_norm attention_norm;
    struct image_norm output_norm;
};

/** Whoever reads it holds a reference. Nobody writes but image_repair. */
struct image {
    struct image_shape shape;
    enum image_precision precision;
    uint32_t head_dim;                /* hidden / heads */
    uint32_t head_dim_padded;         /* rounded up to IMAGE_PANEL */
    const float *word_embeddings;     /* [vocab][hidden] */
    const float *position_embeddings; /* [positions][hidden] */
    const float *type_embeddings;     /* [types][hidden] */
    struct image_norm embedding_norm;
    const struct image_layer *layers; /* [shape.layers] */
    struct image_sections sections;   /* of its linears; none in binary32 */
    const void *bytes; /* the blob that all the pointers above (but `layers`) point into; each is aligned to 64 */
    size_t size;       /* of the blob, in bytes */
    uint64_t checksum; /* XXH3-64 of the blob */
};

/** One checkpoint tensor, binary32, row-major; borrowed. */
struct image_source_linear {
    const float *weight; /* [out][in] */
    const float *bias;   /* [out] */
};
struct image_source_norm {
    const float *gamma;
    const float *beta;
};
struct image_source_layer {
    struct image_source_linear query, key, value, output, ffn1, ffn2;
    struct image_source_norm attention_norm, output_norm;
};

/** Where a builder gets a layer from: called once per layer, in order, so that a loader may convert one layer at a
 *  time. The pointers it fills stay valid until the next call. */
struct image_source {
    struct image_shape shape;
    const float *word_embeddings;     /* [vocab][hidden] */
    const float *position_embeddings; /* [positions][hidden] */
    const float *type_embeddings;     /* [types][hidden] */
    struct image_source_norm embedding_norm;
    enum status (*layer)(void *cookie, uint32_t index, struct image_source_layer *ret, struct error *err);
    void *cookie;
};

/** Build an image: fold, rotate, quantise, pack (scalar, one place, the same on every machine).
 *  ret       new reference; release with image_release
 *  source    borrowed for the call
 *  sections  what the boards that will load the image read beside the model (board_sections); NULL: nothing. Ignored in
 *            binary32. The list is copied
 *  Errors: NO_MEMORY; UNSUPPORTED (a shape over a limit, named); FORMAT (NaN, Inf, or 2^64 and more, naming the tensor
 *          in the checkpoint's words, e.g. "encoder.layer.3.attention.self.query.weight"); what `layer` returned
 *  Thread: any */
enum status image_build(struct image **ret, const struct image_source *source, enum image_precision precision,
                        const struct image_sections *sections, struct error *err);
/** One more reference to the same image. Thread: any. */
struct image *image_retain(struct image *image);
/** Drop a reference and set the pointer to NULL; the last one frees. NULL is fine. Thread: any. */
void image_release(struct image **image);

/** True when the blob's bytes still have the checksum of the day it was built. Thread: any. */
bool image_verify(const struct image *image);
/** The same in slices with pauses between, for a thread that should not be in the way of others. Blocks. Thread: any.
 */
bool image_scrub(const struct image *image);
/** The same bytes in memory of their own: what a board holds that does not share this process's. `ret`: new reference.
 *  Errors: NO_MEMORY. Thread: any. */
enum status image_copy(struct image **ret, const struct image *image, struct error *err);
/** Put the bytes of `fresh`, the same image built once more, in place of those of a damaged one; all pointers stay.
 *  Nobody may be reading it. Errors: FORMAT (`fresh` is not the same image), `image` is then untouched. */
enum status image_repair(struct image *image, const struct image *fresh, struct error *err);
/** First output row of a projection of qkv: 0 is Q, 1 is K, 2 is V; 3: past the last. Thread: any. */
uint32_t image_qkv_offset(const struct image *image, int projection);
/** One int8 weight by its place in the matrix: for reading and tests, not for speed. Thread: any. */
int8_t image_weight(const struct image_linear *linear, uint32_t out, uint32_t in);
/** The bytes of a section of a linear of this image, borrowed; NULL where the image was built without. Thread: any. */
const void *image_section(const struct image *image, const struct image_linear *linear,
                          const struct image_section *section);
/** The Hadamard block for an input of this width: the largest power of two <= 128 that divides it. Thread: any. */
uint32_t image_rotation(uint32_t width);

#endif
