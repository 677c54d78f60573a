/* What the models of the floating-point units call: one operation each, in the thread's float mode (subnormals are
 * flushed), on the bits of binary32 values. */
#include <math.h>
#include <stdint.h>

#include "accel/functions.h"

/* As the models import them. */
int32_t model_fp_add(int32_t a, int32_t b);
int32_t model_fp_mul(int32_t a, int32_t b);
int32_t model_fp_fma(int32_t a, int32_t b, int32_t c);
int32_t model_fp_from_int32(int32_t a);
int32_t model_fp_to_int(int32_t x, int32_t limit);
int32_t model_fp_exp(int32_t x);
int32_t model_fp_activation(int32_t kind, int32_t x);
int32_t model_fp_div(int32_t a, int32_t b);
int32_t model_fp_sqrt(int32_t x);

static float real(int32_t bits)
{
    return function_from_bits((uint32_t)bits);
}

static int32_t bits(float x)
{
    return (int32_t)function_bits(x);
}

int32_t model_fp_add(int32_t a, int32_t b)
{
    return bits(real(a) + real(b));
}

int32_t model_fp_mul(int32_t a, int32_t b)
{
    return bits(real(a) * real(b));
}

int32_t model_fp_fma(int32_t a, int32_t b, int32_t c)
{
    return bits(fmaf(real(a), real(b), real(c)));
}

int32_t model_fp_from_int32(int32_t a)
{
    return bits((float)a);
}

int32_t model_fp_to_int(int32_t x, int32_t limit)
{
    float value = real(x);
    if (!(fabsf(value) < 0x1p20f))
        return signbit(value) ? -limit : limit;
    long rounded = lrintf(value);
    return (int32_t)(rounded > limit ? limit : rounded < -limit ? -limit : rounded);
}

int32_t model_fp_exp(int32_t x)
{
    return bits(function_exp(real(x)));
}

int32_t model_fp_activation(int32_t kind, int32_t x)
{
    return kind > IMAGE_RELU ? x : bits(function_activation((enum image_activation)kind, real(x)));
}

int32_t model_fp_div(int32_t a, int32_t b)
{
    return bits(real(a) / real(b));
}

int32_t model_fp_sqrt(int32_t x)
{
    return bits(sqrtf(real(x)));
}
