/* The attention kernels, written once in lanes and compiled with each instruction set's: the file that includes this
 * one includes its lanes first. All is static; attention_init fills the table.
 */
#ifndef BERTD_ACCEL_CPU_ATTENTION_BODY_H
#define BERTD_ACCEL_CPU_ATTENTION_BODY_H

#ifndef BERTD_ACCEL_CPU_LANES_H
#include "accel/cpu/lanes_c.h"
#endif
#include <math.h>
#include <string.h>

#include "accel/cpu/elements.h"
#include "accel/cpu/groups.h"
#include "accel/cpu/kernels.h"
#include "accel/cpu/tiles.h"
#include "accel_constants.h"

enum { DIGIT_BITS = 7 };

#define WHOLE ((float)ACCEL_PROBABILITY_MAX)

/* Accumulators to scores; returns the largest. */
CPU_TEMPLATE float scores(float *s, uint32_t *ret_sum, const float *key_scales, float scale, size_t n)
{
    const lanes scales = lanes_set(scale);
    lanes max = lanes_set(-INFINITY);
    ints sum = ints_set(0);
    EACH_GROUP(n, ints acc = ints_bits(lanes_load(s + i)); sum = ints_add(sum, acc);
               lanes x = lanes_mul(lanes_from_ints(acc), load(key_scales + i, count)); x = lanes_mul(x, scales);
               store(s + i, x, count); max = lanes_max(max, keep(x, count, -INFINITY));)
    *ret_sum = ints_sum(sum);
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

/* Returns the product of p with value_sums. */
CPU_TEMPLATE uint32_t digits(void *high, void *low, const float *w, float factor, const int32_t *value_sums, size_t n)
{
    const lanes factors = lanes_set(factor);
    ints product = ints_set(0);
    const ints mask = ints_set((1 << DIGIT_BITS) - 1);
    for (size_t i = 0; i < n; i += LANES) {
        ints p = ints_nearest(lanes_mul(lanes_load(w + i), factors));
        product = ints_add(product, ints_multiply(p, ints_load(value_sums + i)));
        if (low) {
            ints_store_digits(low, i, ints_and(p, mask));
            p = ints_shift_right(p, DIGIT_BITS);
        }
        ints_store_digits(high, i, p);
    }
    return ints_sum(product);
}

static void attend_some(const struct cpu_attention *a, size_t row, size_t rows)
{
    float max[CPU_TOGETHER], *s = a->scores + row * a->score_stride;
    struct softmax sums[CPU_TOGETHER];
    for (size_t r = 0; r < rows; r++)
        max[r] = scores(s + r * a->score_stride, &a->score_sums[row + r], a->key_scales,
                        a->scales[(row + r) * a->scale_stride], a->n);
    for (size_t r = 0; r < rows; r++)
        sums[r] = softmax(s + r * a->score_stride, a->value_scales, max[r], a->n);
    for (size_t r = 0; r < rows; r++) {
        bool tiny = sums[r].wmax < IMAGE_TINY, finite = isfinite(max[r]);
        float factor = tiny ? 0 : WHOLE / sums[r].wmax;
        char *high = (char *)a->high + (row + r) * a->digit_stride;
        char *low = a->low ? (char *)a->low + (row + r) * a->digit_stride : NULL;
        const float *w = s + r * a->score_stride;
        if (finite)
            a->products[row + r] = low ? digits(high, low, w, factor, a->value_sums, a->n)
                                       : digits(high, NULL, w, factor, a->value_sums, a->n);
        a->factors[row + r] = !finite ? NAN : tiny ? 0 : sums[r].wmax * (1.0f / WHOLE) / sums[r].sum;
    }
}

static void attend(const struct cpu_attention *a)
{
    for (size_t row = 0; row < a->n_rows; row += CPU_TOGETHER)
        attend_some(a, row, a->n_rows - row < CPU_TOGETHER ? a->n_rows - row : CPU_TOGETHER);
}

static void context(float *y, size_t y_stride, const int32_t *high, const int32_t *low, size_t stride,
                    const float *factors, uint32_t *sums, size_t n, size_t n_rows)
{
    for (size_t r = 0; r < n_rows; r++, y += y_stride, high += stride, low = low ? low + stride : NULL) {
        const lanes factor = lanes_set(factors[r]);
        ints sum = ints_set(0);
        EACH_GROUP(n, ints acc = load_ints(high + i, count);
                   if (low) acc = ints_add(ints_shift_left(acc, DIGIT_BITS), load_ints(low + i, count));
                   sum = ints_add(sum, acc); store(y + i, lanes_mul(lanes_from_ints(acc), factor), count);)
        sums[r] = ints_sum(sum);
    }
}

typedef int8_t bytes16 __attribute__((vector_size(16)));
typedef int16_t words16 __attribute__((vector_size(32)));

enum { WORD_PANELS = 64 }; /* whose 4 summands a lane, within +-127 each, still fit 16 bits */

/* sums [4] += the outputs of some panels, for a group of inputs. */
CPU_TEMPLATE void add_panels(int32_t *sums, const int8_t *weights, size_t panel_stride, size_t n_panels)
{
    words16 sum = {0}; /* 4 lanes an input */
    for (size_t panel = 0; panel < n_panels; panel++) {
        for (size_t i = 0; i < IMAGE_GROUP; i++) {
            bytes16 part;
            memcpy(&part, weights + panel * panel_stride + i * sizeof part, sizeof part);
            sum += __builtin_convertvector(part, words16);
        }
    }
    for (size_t i = 0; i < IMAGE_GROUP; i++)
        sums[i] += sum[i] + sum[i + 4] + sum[i + 8] + sum[i + 12];
}

static void column_sums(int32_t *sums, const struct cpu_gemm *g)
{
    memset(sums, 0, g->n_blocks * g->block_groups * IMAGE_GROUP * sizeof *sums);
    for (size_t b = 0; b < g->n_blocks; b++) {
        const int8_t *w = g->weights + b * g->block_stride;
        for (size_t group = 0; group < g->block_groups; group++, sums += IMAGE_GROUP, w += IMAGE_PANEL * IMAGE_GROUP)
            for (size_t panel = 0; panel < g->n_panels; panel += WORD_PANELS)
                add_panels(sums, w + panel * g->panel_stride, g->panel_stride,
                           g->n_panels - panel < WORD_PANELS ? g->n_panels - panel : WORD_PANELS);
    }
}

static uint32_t product(const void *operands, const int32_t *sums, size_t n)
{
    ints sum = ints_set(0);
    for (size_t i = 0; i < n; i += LANES)
        sum = ints_add(sum, ints_multiply(ints_load_operands(operands, i), ints_load(sums + i)));
    return ints_sum(sum);
}

static void attention_init(struct cpu_kernels *kernels)
{
    kernels->column_sums = column_sums;
    kernels->product = product;
    kernels->attend = attend;
    kernels->context = context;
}

#endif
