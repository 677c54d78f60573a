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
    IMAGE_SPAN = 4,   /* see struct image_narrow */
    IMAGE_NARROW = 128,
    IMAGE_TURNS = 4, /* of a sum of excess, two weights each */
    IMAGE_PLACE = 4,
    IMAGE_NOT_NARROW = 0xffff,
    IMAGE_MAX_ROTATION = 128,  /* largest Hadamard block */
    IMAGE_MAX_SEQUENCE = 1024, /* tokens: the P x V accumulator is exact up to here. A model may have more positions;
                                  boards refuse the sequences that would use them */
    /* No size of an image overflows within these, and every int32 accumulator is exact: width * 127 * 127 < 2^31. */
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

/** What up to 16 weights of an output were clipped by: in two sums, of which each fits 16 bits like a span's (see
 * struct image_narrow). Zeros stand for weights that are fewer. */
struct image_excess {
    uint16_t places[2 * IMAGE_TURNS][2]; /* their inputs, times IMAGE_PLACE */
    int8_t excess[2 * IMAGE_TURNS][4];   /* each pair twice, to be read as 32 bits */
    uint32_t output;                     /* of the panel */
};

/** int8 weights once more, for processors that add products of unsigned by signed bytes in 16 bits: clipped so that the
 *  weights of one sign within any IMAGE_SPAN inputs that are added there (the first two of each of two neighbouring
 *  groups, the last two of each) sum up to IMAGE_NARROW at most; 255 times that fits. Each panel has its groups in an
 *  order in which there is little to clip. `excess` holds what is missing.
 *  All NULL where no such processor computes. */
struct image_narrow {
    const int8_t *weights;             /* as those of the linear, but for the order of a panel's groups */
    const uint16_t *orders;            /* [out_padded/16][in_padded/4] the first input of each group of a panel */
    const uint16_t *counts;            /* [out_padded/16] of each panel's excess; IMAGE_NOT_NARROW where it has no room:
                                          take the weights as they are */
    const struct image_excess *excess; /* [out_padded/16][image_excess_room(in_padded)]: first one of each output in
                                          order, then what did not fit those */
};

/** y = W x + b. Of the two weight forms the one of the image's precision is set, the other NULL. */
struct image_linear {
    uint32_t in;
    uint32_t out;
    uint32_t in_padded;  /* `in` rounded up to IMAGE_GROUP */
    uint32_t out_padded; /* `out` rounded up to IMAGE_PANEL */
    uint32_t rotation;   /* Hadamard block of the input; 1: the input is not rotated (always so in binary32) */
    /** [out_padded/16][in_padded/4][16][4]: W[o][i] at panel o/16, group i/4, then o%16, i%4; padding is 0. */
    const int8_t *weights;
    const float *scales;     /* [out_padded] s_w, padding 0 */
    const int32_t *row_sums; /* [out_padded] sum over i of W[o][i] */
    /** [parts][in] one more output, by which a product is checked: over the outputs o of a part (Q, K and V of qkv; all
     *  of another linear), the sum of W[o][i] * image_check_factors[o % 16] modulo 2^32 */
    const int32_t *checks;
    const float *weights_f32; /* [out][in] row-major, as in the checkpoint (1/sqrt(head_dim) folded, not rotated);
                                 rows between the parts of qkv are 0 */
    const float *bias;        /* [out_padded], padding 0 */
    struct image_narrow narrow;
};

/** Odd numbers: a check sees any one bit of an accumulator, and an input whose plain sum of weights happens to be 0. */
extern const int32_t image_check_factors[IMAGE_PANEL];

struct image_norm {
    const float *gamma; /* [hidden] */
    const float *beta;  /* [hidden] */
};

struct image_layer {
    struct image_linear qkv; /* out = 3 * hidden: Q (scaled by 1/sqrt(head_dim)), K, V, each from a panel boundary on;
                                so out is 3 * round_up(hidden, 16), see image_qkv_offset */
    struct image_linear output;
    struct image_linear ffn1;
    struct image_linear ffn2;
    struct image_norm attention_norm;
    struct image_norm output_norm;
};

struct image {
    struct image_shape shape;
    enum image_precision precision;
    uint32_t head_dim;            /* hidden / heads */
    uint32_t head_dim_padded;     /* rounded up to IMAGE_PANEL */
    const float *words;           /* [vocab][hidden] */
    const float *token_positions; /* [positions][hidden] */
    const float *token_types;     /* [types][hidden] */
    struct image_norm embedding_norm;
    const struct image_layer *layers; /* [shape.layers] */
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
    const float *words, *token_positions, *token_types;
    struct image_source_norm embedding_norm;
    enum status (*layer)(void *cookie, uint32_t index, struct image_source_layer *ret, struct error *err);
    void *cookie;
};

/** Build an image: fold, rotate, quantise, pack (scalar, one place, the same on every machine).
 *  ret     new reference; release with image_release
 *  Errors: NO_MEMORY; UNSUPPORTED (a shape over a limit, named); FORMAT (NaN, Inf, or 2^64 and more, naming the tensor
 *          in the checkpoint's words, e.g. "encoder.layer.3.attention.self.query.weight"); what `layer` returned
 *  Thread: any */
enum status image_build(struct image **ret, const struct image_source *source, enum image_precision precision,
                        struct error *err);
/** One more reference to the same image. Thread: any. */
struct image *image_retain(struct image *image);
/** Drop a reference and set the pointer to NULL; the last one frees. NULL is fine. Thread: any. */
void image_release(struct image **image);

/** True when the blob's bytes still have the checksum of the day it was built. */
bool image_verify(const struct image *image);
/** The same in slices with pauses between, for a thread that must not be in the way of others. Blocks. */
bool image_scrub(const struct image *image);
/** The same bytes in memory of their own: what a board holds that does not share this process's. `ret`: new reference.
 *  Errors: NO_MEMORY. Thread: any. */
enum status image_copy(struct image **ret, const struct image *image, struct error *err);
/** Put the bytes of `fresh`, the same image built once more, in place of those of a damaged one; all pointers stay.
 *  Nobody may be reading it. Errors: FORMAT (`fresh` is not the same image), `image` is then untouched. */
enum status image_repair(struct image *image, const struct image *fresh, struct error *err);
/** First output row of Q (part 0), K (1) or V (2) in the qkv linear. */
uint32_t image_qkv_offset(const struct image *image, int part);
/** One int8 weight by its place in the matrix: for reading and tests, not for speed. */
int8_t image_weight(const struct image_linear *linear, uint32_t out, uint32_t in);
/** A linear's narrow weights from this panel on. */
struct image_narrow image_narrow_at(const struct image_linear *linear, size_t panel);
/** Of a panel, in struct image_excess. Of trained weights one in twenty is clipped, for which half of this would do. */
size_t image_excess_room(uint32_t in_padded);
/** The Hadamard block for an input of this width: the largest power of two <= 128 that divides it. */
uint32_t image_rotation(uint32_t width);

#endif
