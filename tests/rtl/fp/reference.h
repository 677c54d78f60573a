/* What the units should give, from this processor and from accel/functions.h, as bits. Plain C, since the constants
 * are.
 */
#ifndef BERTD_TESTS_RTL_FP_REFERENCE_H
#define BERTD_TESTS_RTL_FP_REFERENCE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

void reference_begin(void); /* sets the calling thread's float mode: float_mode_set */
uint32_t reference_add(uint32_t a, uint32_t b);
uint32_t reference_mul(uint32_t a, uint32_t b);
uint32_t reference_fma(uint32_t a, uint32_t b, uint32_t c);
uint32_t reference_div(uint32_t a, uint32_t b);
uint32_t reference_sqrt(uint32_t x);
uint32_t reference_from_int32(uint32_t a);
int32_t reference_to_int(uint32_t x, int32_t limit);
uint32_t reference_exp(uint32_t x);
uint32_t reference_activation(uint32_t kind, uint32_t x); /* 3: x itself, flushed */

#ifdef __cplusplus
}
#endif
#endif
