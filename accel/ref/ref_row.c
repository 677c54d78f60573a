#include "accel/ref/ref.h"

#include <math.h>
#include <string.h>

#include "accel/functions.h"

static float sum_lanes(float lanes[REF_LANES])
{
    for (uint32_t distance = REF_LANES / 2; distance > 0; distance /= 2)
        for (uint32_t l = 0; l < distance; l++)
            lanes[l] += lanes[l + distance];
    return lanes[0];
}

float ref_sum(const float *x, uint32_t n)
{
    float lanes[REF_LANES] = {0};
    for (uint32_t i = 0; i < n; i++)
        lanes[i % REF_LANES] += x[i];
    return sum_lanes(lanes);
}

uint32_t ref_amax_bits(const float *x, uint32_t n)
{
    uint32_t amax = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t bits = function_bits(x[i]) & 0x7fffffff;
        amax = bits > amax ? bits : amax;
    }
    return amax;
}

void ref_fwht(float *x, uint32_t n, uint32_t block)
{
    for (uint32_t begin = 0; begin < n; begin += block)
        for (uint32_t distance = 1; distance < block; distance *= 2)
            for (uint32_t i = 0; i < block; i++) {
                if (i & distance)
                    continue;
                float a = x[begin + i], b = x[begin + i + distance];
                x[begin + i] = a + b;
                x[begin + i + distance] = a - b;
            }
}

bool ref_quantise(int8_t *q, float *ret_scale, const float *x, uint32_t n)
{
    uint32_t bits = ref_amax_bits(x, n);
    if (bits >= 0x7f800000)
        return false;
    float amax = function_from_bits(bits);
    bool tiny = amax < IMAGE_TINY;
    float inverse = tiny ? 0 : 127.0f / amax;
    for (uint32_t i = 0; i < n; i++) {
        long rounded = tiny ? 0 : lrintf(x[i] * inverse);
        q[i] = (int8_t)(rounded > 127 ? 127 : rounded < -127 ? -127 : rounded);
    }
    *ret_scale = tiny ? 0 : amax * (1.0f / 127.0f);
    return true;
}

void ref_accumulate(int32_t *acc, const struct image_linear *linear, uint32_t first, uint32_t n, const int8_t *q)
{
    const uint32_t groups = linear->in_padded / IMAGE_GROUP;
    for (uint32_t begin = 0; begin < n; begin += IMAGE_PANEL) {
        const int8_t *w = linear->weights + (size_t)(first + begin) * linear->in_padded;
        int32_t panel[IMAGE_PANEL] = {0};
        for (uint32_t g = 0; g < groups; g++)
            for (uint32_t o = 0; o < IMAGE_PANEL; o++)
                for (uint32_t i = 0; i < IMAGE_GROUP; i++)
                    panel[o] += w[(g * IMAGE_PANEL + o) * IMAGE_GROUP + i] * q[g * IMAGE_GROUP + i];
        memcpy(acc + begin, panel, (n - begin < IMAGE_PANEL ? n - begin : IMAGE_PANEL) * sizeof *acc);
    }
}

void ref_dequantise(float *y, const struct image_linear *linear, uint32_t first, uint32_t n, const int32_t *acc,
                    float scale)
{
    for (uint32_t o = 0; o < n; o++)
        y[o] = fmaf((float)acc[o] * linear->scales[first + o], scale, linear->bias[first + o]);
}

uint32_t ref_sum_checked(const int32_t *acc, uint32_t n)
{
    uint32_t sum = 0;
    for (uint32_t o = 0; o < n; o++)
        sum += (uint32_t)acc[o] * (uint32_t)image_check_factors[o % IMAGE_PANEL];
    return sum;
}

uint32_t ref_check(const struct image_linear *linear, uint32_t projection, const int8_t *q)
{
    const int32_t *checks = linear->checks + (size_t)projection * linear->in;
    uint32_t sum = 0;
    for (uint32_t i = 0; i < linear->in; i++)
        sum += (uint32_t)q[i] * (uint32_t)checks[i];
    return sum;
}

bool ref_layernorm(float *y, const float *x, const struct image_norm *norm, uint32_t n, float eps)
{
    float share = 1.0f / (float)n;
    float mean = ref_sum(x, n) * share;
    float lanes[REF_LANES] = {0};
    for (uint32_t i = 0; i < n; i++) {
        float d = x[i] - mean;
        lanes[i % REF_LANES] = fmaf(d, d, lanes[i % REF_LANES]);
    }
    float variance = sum_lanes(lanes) * share;
    float r = 1.0f / sqrtf(variance + eps);
    if (!(r > 0 && r < INFINITY))
        return false;
    for (uint32_t i = 0; i < n; i++)
        y[i] = fmaf((x[i] - mean) * r, norm->gamma[i], norm->beta[i]);
    return true;
}

bool ref_embed(float *y, const struct image *image, uint32_t id, uint32_t position, uint32_t type)
{
    size_t h = image->shape.hidden;
    const float *word = image->word_embeddings + id * h;
    const float *place = image->position_embeddings + position * h;
    const float *kind = image->type_embeddings + type * h;
    for (size_t i = 0; i < h; i++)
        y[i] = (word[i] + place[i]) + kind[i];
    return ref_layernorm(y, y, &image->embedding_norm, (uint32_t)h, image->shape.layer_norm_eps);
}

uint32_t ref_sum_bits(const float *x, uint32_t n)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += function_bits(x[i]);
    return sum;
}
