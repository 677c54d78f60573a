/* Row programs by accel/ref, for the bench of the vector slice. Floats as bits. False: a value is not finite. */
#ifndef BERTD_TESTS_RTL_SLICE_REFERENCE_H
#define BERTD_TESTS_RTL_SLICE_REFERENCE_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

void reference_begin(void); /* sets the calling thread's float mode: float_mode_set */
/* [FWHT] and quantise. x [n] is overwritten. */
bool reference_quant(int16_t *q, uint32_t *scale, uint32_t *x, uint32_t n, uint32_t block);
/* LayerNorm -> y [n] */
bool reference_norm(uint32_t *y, const uint32_t *x, const uint32_t *gamma, const uint32_t *beta, uint32_t n,
                    uint32_t eps);
/* Scores and value scales -> digits [n], as high << 8 | low, and the row's factor */
bool reference_softmax(uint16_t *digits, uint32_t *factor, const uint32_t *scores, const uint32_t *scales, uint32_t n);

#ifdef __cplusplus
}
#endif
#endif
