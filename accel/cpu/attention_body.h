/* The attention kernels, written once in lanes and compiled with each instruction set's: the file that includes this
 * one includes its lanes first. All is static; attention_init fills the table.
 */
#ifndef BERTD_ACCEL_CPU_ATTENTION_BODY_H
#define BERTD_ACCEL_CPU_ATTENTION_BODY_H

#ifndef BERTD_ACCEL_CPU_LANES_H
#include "accel/cpu/lanes_c.h"
#endif
#include <math.h>

#include "accel/cpu/elements.h"
#include "accel/cpu/groups.h"
#include "accel/cpu/kernels.h"
#include "accel/cpu/tiles.h"

enum { DIGIT_BITS = 7 };

/* Accumulators to scores; returns the largest. */
CPU_TEMPLATE float scores(float *s, const float *key_scales, float scale, size_t n)
{
    const lanes scales = lanes_set(scale);
    lanes max = lanes_set(-INFINITY);
    EACH_GROUP(n, lanes x = lanes_mul(lanes_from_ints(ints_bits(load(s + i, count))), load(key_scales + i, count));
               x = lanes_mul(x, scales); store(s + i, x, count); max = lanes_max(max, keep(x, count, -INFINITY));)
    return lanes_largest(max);
}

struct softmax {
    float sum;  /* of e */
    float wmax; /* largest e times value scale */
};

/* Scores to e times value scales; zeros past n. */
CPU_TEMPLATE struct softmax softmax(float *s, const float *value_scales, float max, size_t n)
{
    const lanes top = lanes_set(max);
    lanes sum = lanes_set(0), wmax = lanes_set(0);
    EACH_GROUP(n, lanes e = keep(lanes_exp(lanes_sub(load(s + i, count), top)), count, 0); sum = lanes_add(sum, e);
               lanes w = lanes_mul(e, load(value_scales + i, count)); lanes_store(s + i, w); wmax = lanes_max(wmax, w);)
    return (struct softmax){lanes_sum(sum), lanes_largest(wmax)};
}

CPU_TEMPLATE void digits(void *high, void *low, const float *w, float factor, size_t n)
{
    const lanes factors = lanes_set(factor);
    const ints mask = ints_set((1 << DIGIT_BITS) - 1);
    for (size_t i = 0; i < n; i += LANES) {
        ints p = ints_nearest(lanes_mul(lanes_load(w + i), factors));
        if (low) {
            ints_store_digits(low, i, ints_and(p, mask));
            p = ints_shift_right(p, DIGIT_BITS);
        }
        ints_store_digits(high, i, p);
    }
}

static void attend_some(const struct cpu_attention *a, size_t row, size_t rows)
{
    float max[CPU_TOGETHER], *s = a->scores + row * a->score_stride;
    struct softmax sums[CPU_TOGETHER];
    for (size_t r = 0; r < rows; r++)
        max[r] = scores(s + r * a->score_stride, a->key_scales, a->scales[(row + r) * a->scale_stride], a->n);
    for (size_t r = 0; r < rows; r++)
        sums[r] = softmax(s + r * a->score_stride, a->value_scales, max[r], a->n);
    for (size_t r = 0; r < rows; r++) {
        bool tiny = sums[r].wmax < IMAGE_TINY, finite = isfinite(max[r]);
        float factor = tiny ? 0 : CPU_WHOLE / sums[r].wmax;
        char *high = (char *)a->high + (row + r) * a->digit_stride;
        if (finite && a->low)
            digits(high, (char *)a->low + (row + r) * a->digit_stride, s + r * a->score_stride, factor, a->n);
        else if (finite)
            digits(high, NULL, s + r * a->score_stride, factor, a->n);
        a->factors[row + r] = !finite ? NAN : tiny ? 0 : sums[r].wmax * (1.0f / CPU_WHOLE) / sums[r].sum;
    }
}

static void attend(const struct cpu_attention *a)
{
    for (size_t row = 0; row < a->n_rows; row += CPU_TOGETHER)
        attend_some(a, row, a->n_rows - row < CPU_TOGETHER ? a->n_rows - row : CPU_TOGETHER);
}

static void context(float *y, size_t y_stride, const int32_t *high, const int32_t *low, size_t stride,
                    const float *factors, size_t n, size_t n_rows)
{
    for (size_t r = 0; r < n_rows; r++, y += y_stride, high += stride, low += low ? stride : 0) {
        const lanes factor = lanes_set(factors[r]);
        EACH_GROUP(n, ints acc = load_ints(high + i, count);
                   if (low) acc = ints_add(ints_shift_left(acc, DIGIT_BITS), load_ints(low + i, count));
                   store(y + i, lanes_mul(lanes_from_ints(acc), factor), count);)
    }
}

static void attention_init(struct cpu_kernels *kernels)
{
    kernels->attend = attend;
    kernels->context = context;
}

#endif
