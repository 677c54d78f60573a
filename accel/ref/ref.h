/* The specification's steps for one row, in plain C, in the order of docs/numerics.md. Private to accel, for the
 * reference engine and for tests that hold kernels against it one by one. Float mode: float_mode_set.
 */
#ifndef BERTD_ACCEL_REF_H
#define BERTD_ACCEL_REF_H

#include "accel/board.h"

enum { REF_LANES = 16 };

/** The row reduction of x [n]: 16 lanes, then pairs at distance 8, 4, 2, 1. */
float ref_sum(const float *x, uint32_t n);
/** The largest magnitude of x [n] as its bits, which order as magnitudes do; 0x7f800000 and more: not finite. */
uint32_t ref_amax_bits(const float *x, uint32_t n);
/** Unnormalised Walsh-Hadamard transform of x [n] in place, in blocks of `block`; 1: nothing. */
void ref_fwht(float *x, uint32_t n, uint32_t block);
/** What hidden states are checked by: the sum of the bits of x [n], modulo 2^32. */
uint32_t ref_sum_bits(const float *x, uint32_t n);
/** x [n] -> q [n], each -127..127, and its scale. False, and nothing written, when a value is not finite. */
bool ref_quantise(int8_t *q, float *ret_scale, const float *x, uint32_t n);
/** Outputs [first, first + n) of a linear for an input q [in_padded] (0 behind `in`) -> acc [n].
 *  `first` is a multiple of IMAGE_PANEL. */
void ref_accumulate(int32_t *acc, const struct image_linear *linear, uint32_t first, uint32_t n, const int8_t *q);
/** Those acc [n] of an input with this scale -> y [n]. */
void ref_dequantise(float *y, const struct image_linear *linear, uint32_t first, uint32_t n, const int32_t *acc,
                    float scale);
/** What acc [n] of a projection of a linear sum to, each times its factor, modulo 2^32. */
uint32_t ref_sum_checked(const int32_t *acc, uint32_t n);
/** What those of a projection are expected to sum to, for the input q. */
uint32_t ref_check(const struct image_linear *linear, uint32_t projection, const int8_t *q);
/** y [n] = LayerNorm(x [n]); y may be x. False when the variance is not finite; y is garbage then. */
bool ref_layernorm(float *y, const float *x, const struct image_norm *norm, uint32_t n, float eps);
/** LayerNorm((word + position) + type) -> y [hidden]. False as in ref_layernorm. */
bool ref_embed(float *y, const struct image *image, uint32_t id, uint32_t position, uint32_t type);

/** Where one head of one sequence lives in a board_kv. */
struct ref_head {
    const struct image *image;
    const struct board_kv *kv;
    uint32_t set; /* layer % 2 */
    uint32_t seq, head;
    uint32_t tokens; /* of the sequence */
};

/** Places in the kv: dimension d of a token's key or value, and the scales of a token. */
int8_t *ref_key(const struct ref_head *head, uint32_t token, uint32_t d);
int8_t *ref_value(const struct ref_head *head, uint32_t token, uint32_t d);
float *ref_key_scale(const struct ref_head *head, uint32_t token);
float *ref_value_scale(const struct ref_head *head, uint32_t token);

/** Scores of a query q [head_dim] with its scale against every token -> scores [tokens]. */
void ref_scores(float *scores, const struct ref_head *head, const int8_t *q, float scale);
/** scores [n], value scales [n] -> p [n], each 0..ACCEL_PROBABILITY_MAX, and the factor that turns the integer context
 * into ctx. False when the largest score is not finite. */
bool ref_softmax(int32_t *p, float *ret_factor, const float *scores, const float *value_scales, uint32_t n);
/** p [tokens] times the values, times the factor -> ctx [head_dim]. */
void ref_context(float *ctx, const struct ref_head *head, const int32_t *p, float factor);

#endif
