#include "server/model/convert.h"

#include <string.h>

static float float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* 1 sign, 5 exponent (bias 15), 10 mantissa bits. Subnormals go through an integer, since a thread that flushes
 * subnormals would lose them in a multiplication. */
static float float_of_half(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    uint32_t exponent = half >> 10 & 0x1F, mantissa = half & 0x3FF;
    if (exponent == 0) {
        float magnitude = (float)mantissa * 0x1p-24f;
        return sign ? -magnitude : magnitude;
    }
    exponent = exponent == 0x1F ? 0xFF : exponent - 15 + 127;
    return float_of_bits(sign | exponent << 23 | mantissa << 13);
}

bool model_convertible(enum model_dtype dtype)
{
    return dtype == MODEL_DTYPE_F32 || dtype == MODEL_DTYPE_F16 || dtype == MODEL_DTYPE_BF16;
}

void model_convert(float *out, const unsigned char *data, size_t count, enum model_dtype dtype)
{
    if (dtype == MODEL_DTYPE_F32) {
        memcpy(out, data, count * sizeof *out);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        uint16_t bits;
        memcpy(&bits, data + 2 * i, sizeof bits);
        out[i] = dtype == MODEL_DTYPE_BF16 ? float_of_bits((uint32_t)bits << 16) : float_of_half(bits);
    }
}
