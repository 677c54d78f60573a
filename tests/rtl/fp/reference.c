#include "tests/rtl/fp/reference.h"

#include "accel/float_mode.h"
#include "accel/functions.h"

void reference_begin(void)
{
    float_mode_set();
}

uint32_t reference_add(uint32_t a, uint32_t b)
{
    return function_bits(function_from_bits(a) + function_from_bits(b));
}

uint32_t reference_mul(uint32_t a, uint32_t b)
{
    return function_bits(function_from_bits(a) * function_from_bits(b));
}

uint32_t reference_fma(uint32_t a, uint32_t b, uint32_t c)
{
    return function_bits(fmaf(function_from_bits(a), function_from_bits(b), function_from_bits(c)));
}

uint32_t reference_div(uint32_t a, uint32_t b)
{
    return function_bits(function_from_bits(a) / function_from_bits(b));
}

uint32_t reference_sqrt(uint32_t x)
{
    return function_bits(sqrtf(function_from_bits(x)));
}

uint32_t reference_from_int32(uint32_t a)
{
    return function_bits((float)(int32_t)a);
}

int32_t reference_to_int(uint32_t x, int32_t limit)
{
    float value = function_from_bits(x);
    if (!(fabsf(value) < 0x1p20f)) /* lrintf of what does not fit is not defined; the unit clamps it by its sign */
        return x >> 31 ? -limit : limit;
    int32_t rounded = (int32_t)lrintf(value);
    return rounded > limit ? limit : rounded < -limit ? -limit : rounded;
}

uint32_t reference_exp(uint32_t x)
{
    return function_bits(function_exp(function_from_bits(x)));
}

uint32_t reference_activation(uint32_t kind, uint32_t x)
{
    if (kind == 3)
        return (x & 0x7f800000) == 0 ? x & 0x80000000 : x;
    return function_bits(function_activation((enum image_activation)kind, function_from_bits(x)));
}
