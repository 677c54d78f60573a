#include "accel/ref/ref.h"

#include <math.h>

#include "accel/functions.h"
#include "accel_constants.h"

/* Block and head, as one index into keys, values (times a block's bytes) and scales (times its tokens). */
static size_t block_of(const struct ref_head *head, uint32_t token)
{
    return ((size_t)head->kv->block_begin[head->seq] + token / IMAGE_PANEL) * head->image->shape.heads + head->head;
}

int8_t *ref_key(const struct ref_head *head, uint32_t token, uint32_t d)
{
    size_t begin = block_of(head, token) * IMAGE_PANEL * head->image->head_dim_padded;
    size_t at = (d / IMAGE_GROUP * IMAGE_PANEL + token % IMAGE_PANEL) * IMAGE_GROUP + d % IMAGE_GROUP;
    return head->kv->keys[head->set] + begin + at;
}

int8_t *ref_value(const struct ref_head *head, uint32_t token, uint32_t d)
{
    uint32_t t = token % IMAGE_PANEL, groups = IMAGE_PANEL / IMAGE_GROUP;
    size_t begin = block_of(head, token) * IMAGE_PANEL * head->image->head_dim_padded;
    size_t at =
        ((d / IMAGE_PANEL * groups + t / IMAGE_GROUP) * IMAGE_PANEL + d % IMAGE_PANEL) * IMAGE_GROUP + t % IMAGE_GROUP;
    return head->kv->values[head->set] + begin + at;
}

float *ref_key_scale(const struct ref_head *head, uint32_t token)
{
    return head->kv->key_scales[head->set] + block_of(head, token) * IMAGE_PANEL + token % IMAGE_PANEL;
}

float *ref_value_scale(const struct ref_head *head, uint32_t token)
{
    return head->kv->value_scales[head->set] + block_of(head, token) * IMAGE_PANEL + token % IMAGE_PANEL;
}

void ref_scores(float *scores, const struct ref_head *head, const int8_t *q, float scale)
{
    for (uint32_t j = 0; j < head->tokens; j++) {
        int32_t acc = 0;
        for (uint32_t d = 0; d < head->image->head_dim; d++)
            acc += q[d] * *ref_key(head, j, d);
        scores[j] = ((float)acc * *ref_key_scale(head, j)) * scale;
    }
}

bool ref_softmax(int32_t *p, float *ret_factor, const float *scores, const float *value_scales, uint32_t n)
{
    float e[IMAGE_MAX_SEQUENCE];
    float top = -INFINITY, wmax = 0;
    for (uint32_t j = 0; j < n; j++)
        top = scores[j] > top ? scores[j] : top;
    if (!isfinite(top))
        return false;
    for (uint32_t j = 0; j < n; j++)
        e[j] = function_exp(scores[j] - top);
    float z = ref_sum(e, n);
    for (uint32_t j = 0; j < n; j++) {
        e[j] = e[j] * value_scales[j];
        wmax = e[j] > wmax ? e[j] : wmax;
    }
    bool tiny = wmax < IMAGE_TINY;
    float inverse = tiny ? 0 : (float)ACCEL_PROBABILITY_MAX / wmax;
    for (uint32_t j = 0; j < n; j++)
        p[j] = tiny ? 0 : (int32_t)lrintf(e[j] * inverse);
    *ret_factor = tiny ? 0 : (wmax * (1.0f / (float)ACCEL_PROBABILITY_MAX)) / z;
    return true;
}

void ref_context(float *ctx, const struct ref_head *head, const int32_t *p, float factor)
{
    for (uint32_t d = 0; d < head->image->head_dim; d++) {
        int32_t high = 0, low = 0;
        for (uint32_t j = 0; j < head->tokens; j++) {
            int32_t v = *ref_value(head, j, d);
            high += (p[j] >> 7) * v;
            low += (p[j] & 127) * v;
        }
        ctx[d] = (float)(128 * high + low) * factor;
    }
}
