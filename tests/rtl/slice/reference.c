#include "tests/rtl/slice/reference.h"

#include <string.h>

#include "accel/float_mode.h"
#include "accel/functions.h"
#include "accel/ref/ref.h"

enum { MAX_WIDTH = 4096 };

void reference_begin(void)
{
    float_mode_set();
}

bool reference_quant(int16_t *q, uint32_t *scale, uint32_t *x, uint32_t n, uint32_t block)
{
    float values[MAX_WIDTH], result;
    int8_t quantised[MAX_WIDTH];
    memcpy(values, x, n * sizeof *x);
    ref_fwht(values, n, block);
    if (!ref_quantise(quantised, &result, values, n))
        return false;
    for (uint32_t i = 0; i < n; i++)
        q[i] = quantised[i];
    *scale = function_bits(result);
    return true;
}

bool reference_norm(uint32_t *y, const uint32_t *x, const uint32_t *gamma, const uint32_t *beta, uint32_t n,
                    uint32_t eps)
{
    float values[MAX_WIDTH], gammas[MAX_WIDTH], betas[MAX_WIDTH];
    memcpy(values, x, n * sizeof *x);
    memcpy(gammas, gamma, n * sizeof *x);
    memcpy(betas, beta, n * sizeof *x);
    struct image_norm norm = {gammas, betas};
    if (!ref_layernorm(values, values, &norm, n, function_from_bits(eps)))
        return false;
    memcpy(y, values, n * sizeof *x);
    return true;
}

bool reference_softmax(uint16_t *digits, uint32_t *factor, const uint32_t *scores, const uint32_t *scales, uint32_t n)
{
    float values[IMAGE_MAX_SEQUENCE], value_scales[IMAGE_MAX_SEQUENCE], result;
    int32_t p[IMAGE_MAX_SEQUENCE];
    memcpy(values, scores, n * sizeof *scores);
    memcpy(value_scales, scales, n * sizeof *scales);
    if (!ref_softmax(p, &result, values, value_scales, n))
        return false;
    for (uint32_t i = 0; i < n; i++)
        digits[i] = (uint16_t)((p[i] >> 7) << 8 | (p[i] & 127));
    *factor = function_bits(result);
    return true;
}
