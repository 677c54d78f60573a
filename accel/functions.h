/* The element functions, one value at a time: the definition that every kernel and the hardware follow operation by
 * operation. Coefficients: schemas/accel.json, fitted by tests/accel/fit_functions.py.
 */
#ifndef BERTD_ACCEL_FUNCTIONS_H
#define BERTD_ACCEL_FUNCTIONS_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "accel/image.h"
#include "accel_constants.h"

static inline uint32_t function_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float function_from_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/** e^x for x <= 0 (not NaN); exactly 1 at 0, exactly 0 below -87. Relative error at most 1.8e-7.
 *  x * log2 e is rounded to the integer n by adding 1.5 * 2^23: the sum's low bits are n, ready for the exponent. */
static inline float function_exp(float x)
{
    float shifted = fmaf(x, ACCEL_EXP_LOG2E, ACCEL_ROUNDER);
    float n = shifted - ACCEL_ROUNDER;
    float r = fmaf(n, -ACCEL_EXP_LN2_HIGH, x);
    r = fmaf(n, -ACCEL_EXP_LN2_LOW, r);
    float p = ACCEL_EXP_POLYNOMIAL[5];
    for (int i = 4; i >= 0; i--)
        p = fmaf(p, r, ACCEL_EXP_POLYNOMIAL[i]);
    return x < ACCEL_EXP_LOWEST ? 0 : function_from_bits(function_bits(p) + (function_bits(shifted) << 23));
}

/** max(x, 0) - |x| q(|x|), q a polynomial chosen by |x| rounded to a multiple of the width 25/32: the low three bits of
 *  the shifted value. The last of the eight is 0, so beyond the tails the result is exactly 0 or x.
 *  Written so because q needs one small table for both signs, vanishes where the tails do, and gives exactly 0 at 0. */
static inline float function_tailed(float x, const float coefficients[6][8])
{
    float u = fabsf(x) < ACCEL_TAIL_LIMIT ? fabsf(x) : ACCEL_TAIL_LIMIT;
    uint32_t segment = function_bits(fmaf(u, ACCEL_TAIL_PER_WIDTH, ACCEL_ROUNDER)) & 7;
    float q = coefficients[5][segment];
    for (int i = 4; i >= 0; i--)
        q = fmaf(q, u, coefficients[i][segment]);
    return fmaf(-u, q, x > 0 ? x : 0);
}

/** x * 0.5 * (1 + erf(x / sqrt 2)). Absolute error at most 1.5e-6. */
static inline float function_gelu(float x)
{
    return function_tailed(x, ACCEL_TAIL_GELU);
}

/** x * 0.5 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))). Absolute error at most 1.5e-6. */
static inline float function_gelu_new(float x)
{
    return function_tailed(x, ACCEL_TAIL_GELU_NEW);
}

static inline float function_relu(float x)
{
    return x > 0 ? x : 0;
}

static inline float function_activation(enum image_activation activation, float x)
{
    return activation == IMAGE_RELU   ? function_relu(x)
           : activation == IMAGE_GELU ? function_gelu(x)
                                      : function_gelu_new(x);
}

#endif
