/* F16 and BF16 to binary32: every value. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#ifdef __SSE__
#include <xmmintrin.h>
#endif

#include "server/model/convert.h"

/* What the bits of an IEEE format with these widths mean, by arithmetic. */
static float meaning(uint16_t bits, int exponent_bits, int mantissa_bits)
{
    int exponent = bits >> mantissa_bits & ((1 << exponent_bits) - 1), mantissa = bits & ((1 << mantissa_bits) - 1);
    int bias = (1 << (exponent_bits - 1)) - 1;
    double magnitude;
    if (exponent == (1 << exponent_bits) - 1)
        magnitude = mantissa ? (double)NAN : (double)INFINITY;
    else if (exponent == 0)
        magnitude = ldexp(mantissa, 1 - bias - mantissa_bits);
    else
        magnitude = ldexp(mantissa + (1 << mantissa_bits), exponent - bias - mantissa_bits);
    return (float)(bits & 0x8000 ? -magnitude : magnitude);
}

static void check_all(enum model_dtype dtype, int exponent_bits, int mantissa_bits)
{
    unsigned char *data = malloc(2 * 65536 + 1);
    float *out = malloc(65536 * sizeof *out);
    for (uint32_t i = 0; i < 65536; i++)
        memcpy(data + 1 + 2 * i, &(uint16_t){(uint16_t)i}, 2);
    model_convert(out, data + 1, 65536, dtype); /* + 1: unaligned */
    for (uint32_t i = 0; i < 65536; i++) {
        float expected = meaning((uint16_t)i, exponent_bits, mantissa_bits);
        if (isnan(expected))
            cr_assert(isnan(out[i]), "0x%04x", i);
        else
            cr_assert(memcmp(&out[i], &expected, 4) == 0, "0x%04x: %a, not %a", i, (double)out[i], (double)expected);
    }
    free(data);
    free(out);
}

Test(convert, every_half)
{
    check_all(MODEL_DTYPE_F16, 5, 10);
}

Test(convert, every_bfloat)
{
    check_all(MODEL_DTYPE_BF16, 8, 7);
}

#ifdef __SSE__
/* Boards run with subnormals flushed; half's subnormals are normal numbers in binary32 and must survive that. */
Test(convert, half_subnormals_survive_flushing)
{
    unsigned int saved = _mm_getcsr();
    _mm_setcsr(saved | 0x8040);
    float out;
    model_convert(&out, (const unsigned char[]){0x01, 0x80}, 1, MODEL_DTYPE_F16);
    _mm_setcsr(saved);
    cr_assert_eq(out, -0x1p-24f);
}
#endif

Test(convert, binary32_is_copied)
{
    unsigned char data[1 + 2 * sizeof(float)];
    const float in[2] = {1.5f, -0.0f};
    float out[2];
    memcpy(data + 1, in, sizeof in);
    model_convert(out, data + 1, 2, MODEL_DTYPE_F32);
    cr_assert(memcmp(in, out, sizeof in) == 0);
    cr_assert(model_convertible(MODEL_DTYPE_BF16) && !model_convertible(MODEL_DTYPE_F64));
}
