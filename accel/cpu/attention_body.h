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
#include "accel/cpu/lanes_fours.h"
#include "accel/cpu/tiles.h"
#include "accel_constants.h"
#include "base/round_up.h"

enum { DIGIT_BITS = 7 };

#define WHOLE ((float)ACCEL_PROBABILITY_MAX)

/* Rows of accumulators, `stride` apart, to scores; each row's sum, and its largest score. */
CPU_TEMPLATE void scores(const int rows, float *s, const struct cpu_attention *a, size_t row, float *ret_max)
{
    const float *key_scales = a->key_scales;
    const size_t stride = a->score_stride, n = a->n;
    lanes scale[LANES_TOGETHER], max[LANES_TOGETHER];
    ints sum[LANES_TOGETHER];
    EACH_ROW(rows)
    {
        scale[r] = lanes_set(a->scales[(row + (size_t)r) * a->scale_stride]);
        max[r] = lanes_set(-INFINITY);
        sum[r] = ints_set(0);
    }
    EACH_GROUP(
        n, const lanes keys = load(key_scales + i, count); EACH_ROW(rows) {
            float *at = s + (size_t)r * stride + i;
            ints acc = ints_bits(lanes_load(at));
            sum[r] = ints_add(sum[r], acc);
            lanes x = lanes_mul(lanes_mul(lanes_from_ints(acc), keys), scale[r]);
            store(at, x, count);
            max[r] = lanes_max(max[r], keep(x, count, -INFINITY));
        })
    ints_sums(rows, a->score_sums + row, sum);
    lanes_largests(rows, ret_max, max);
}

/* Rows that take each pass one after the other, so that the end of a reduction overlaps with the rows after it. */
enum { TOGETHER = LANES_TOGETHER > 1 ? 16 : CPU_TOGETHER };

struct softmax {
    float max[TOGETHER];  /* of the scores */
    float sum[TOGETHER];  /* of e */
    float wmax[TOGETHER]; /* largest e times value scale */
};

/* Zeros where p goes on past whole groups of tokens. */
CPU_TEMPLATE void fill_up(const int rows, float *s, const struct cpu_attention *a)
{
    for (size_t i = round_up(a->n, LANES); i < a->padded; i += LANES)
        EACH_ROW(rows) lanes_store(s + (size_t)r * a->score_stride + i, lanes_set(0));
}

/* Scores to e times value scales; zeros past n. */
CPU_TEMPLATE void softmax(const int rows, float *s, const struct cpu_attention *a, struct softmax *sums, size_t first)
{
    const float *value_scales = a->value_scales;
    const size_t stride = a->score_stride, n = a->n;
    lanes top[LANES_TOGETHER], sum[LANES_TOGETHER], wmax[LANES_TOGETHER];
    EACH_ROW(rows)
    {
        top[r] = lanes_set(sums->max[first + (size_t)r]);
        sum[r] = wmax[r] = lanes_set(0);
    }
    EACH_GROUP(
        n, const lanes values = load(value_scales + i, count); EACH_ROW(rows) {
            float *at = s + (size_t)r * stride + i;
            lanes e = keep(lanes_exp(lanes_sub(load(at, count), top[r])), count, 0);
            sum[r] = lanes_add(sum[r], e);
            lanes w = lanes_mul(e, values);
            lanes_store(at, w);
            wmax[r] = lanes_max(wmax[r], w);
        })
    fill_up(rows, s, a);
    lanes_sums(rows, sums->sum + first, sum);
    lanes_largests(rows, sums->wmax + first, wmax);
}

CPU_TEMPLATE ints digits_of(const float *w, lanes factor)
{
    return ints_nearest(lanes_mul(lanes_load(w), factor));
}

CPU_TEMPLATE ints add_product(const bool narrow, ints sum, ints p, const int32_t *value_sums)
{
    const ints values = ints_load(value_sums);
    return narrow ? ints_add_product(sum, p, values) : ints_add(sum, ints_multiply(p, values));
}

/* Returns the product of p with value_sums, in lanes. */
CPU_TEMPLATE ints digits(const bool narrow, void *high, void *low, const float *w, float factor,
                         const int32_t *value_sums, size_t n)
{
    const lanes factors = lanes_set(factor);
    const ints mask = ints_set((1 << DIGIT_BITS) - 1);
    ints product = ints_set(0);
    size_t i = 0;
#ifdef LANES_REDUCE_4
    for (; low && i + 4 * LANES <= n; i += 4 * LANES) {
        ints p[4];
        EACH_ROW(4)
        {
            p[r] = digits_of(w + i + r * LANES, factors);
            product = add_product(narrow, product, p[r], value_sums + i + r * LANES);
        }
        ints_store_digits_4(high, low, i, p);
    }
#endif
    for (; i < n; i += LANES) {
        ints p = digits_of(w + i, factors);
        product = add_product(narrow, product, p, value_sums + i);
        if (low) {
            ints_store_digits(low, i, ints_and(p, mask));
            p = ints_shift_right(p, DIGIT_BITS);
        }
        ints_store_digits(high, i, p);
    }
    return product;
}

CPU_TEMPLATE void weights(const int rows, const float *s, const struct cpu_attention *a, size_t row,
                          const struct softmax *sums, size_t first)
{
    ints products[LANES_TOGETHER];
    EACH_ROW(rows)
    {
        const float max = sums->max[first + (size_t)r], sum = sums->sum[first + (size_t)r];
        const float wmax = sums->wmax[first + (size_t)r], *w = s + (size_t)r * a->score_stride;
        const bool tiny = wmax < IMAGE_TINY, finite = isfinite(max);
        const float factor = tiny ? 0 : WHOLE / wmax;
        const size_t at = (row + (size_t)r) * a->digit_stride;
        char *high = (char *)a->high + at, *low = a->low ? (char *)a->low + at : NULL;
        products[r] = ints_set(0);
        if (finite)
            products[r] = a->narrow_sums ? digits(true, high, low, w, factor, a->value_sums, a->padded)
                                         : digits(false, high, low, w, factor, a->value_sums, a->padded);
        a->factors[row + (size_t)r] = !finite ? NAN : tiny ? 0 : wmax * (1.0f / WHOLE) / sum;
    }
    ints_sums(rows, a->products + row, products);
}

static void attend(const struct cpu_attention *a)
{
    for (size_t first = 0, rows; first < a->n_rows; first += rows) {
        float *s = a->scores + first * a->score_stride;
        struct softmax sums;
        rows = a->n_rows - first < TOGETHER ? a->n_rows - first : TOGETHER;
        EACH_FEW(rows, scores(together, s + row * a->score_stride, a, first + row, sums.max + row);)
        EACH_FEW(rows, softmax(together, s + row * a->score_stride, a, &sums, row);)
        EACH_FEW(rows, weights(together, s + row * a->score_stride, a, first + row, &sums, row);)
    }
}

CPU_TEMPLATE void context_some(const int rows, const struct cpu_context *c, size_t row)
{
    const size_t n = c->n, at = row * c->stride;
    const int32_t *high = c->high + at, *low = c->low ? c->low + at : NULL;
    float *y = c->y + row * c->y_stride;
    ints sum[LANES_TOGETHER];
    EACH_ROW(rows)
    {
        const size_t offset = (size_t)r * c->stride;
        const lanes factor = lanes_set(c->factors[row + (size_t)r]);
        sum[r] = ints_set(0);
        EACH_GROUP(n, ints acc = load_ints(high + offset + i, count);
                   if (low) acc = ints_add(ints_shift_left(acc, DIGIT_BITS), load_ints(low + offset + i, count));
                   sum[r] = ints_add(sum[r], acc);
                   store(y + (size_t)r * c->y_stride + i, lanes_mul(lanes_from_ints(acc), factor), count);)
    }
    ints_sums(rows, c->sums + row, sum);
}

static void context(const struct cpu_context *c)
{
    EACH_FEW(c->n_rows, context_some(together, c, row);)
}

#ifdef LANES_REDUCE_4
static void column_sums(int32_t *sums, const struct cpu_gemm *g)
{
    const int8_t *w = g->weights;
    for (size_t group = 0; group < g->groups; group++, sums += IMAGE_GROUP, w += IMAGE_PANEL * IMAGE_GROUP) {
        ints sum[IMAGE_GROUP];
        EACH_ROW(IMAGE_GROUP) sum[r] = ints_set(0);
        for (size_t panel = 0; panel < g->n_panels; panel++)
            ints_add_each_byte(sum, w + panel * g->panel_stride);
        ints_sum_4((uint32_t *)sums, sum);
    }
}
#else
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
    const int8_t *w = g->weights;
    memset(sums, 0, g->groups * IMAGE_GROUP * sizeof *sums);
    for (size_t group = 0; group < g->groups; group++, sums += IMAGE_GROUP, w += IMAGE_PANEL * IMAGE_GROUP)
        for (size_t panel = 0; panel < g->n_panels; panel += WORD_PANELS)
            add_panels(sums, w + panel * g->panel_stride, g->panel_stride,
                       g->n_panels - panel < WORD_PANELS ? g->n_panels - panel : WORD_PANELS);
}
#endif

CPU_TEMPLATE void products_some(const int rows, uint32_t *ret, const char *operands, size_t stride, const int32_t *sums,
                                size_t n)
{
    ints sum[LANES_TOGETHER];
    EACH_ROW(rows) sum[r] = ints_set(0);
    for (size_t i = 0; i < n; i += LANES) {
        const ints right = ints_load(sums + i);
        EACH_ROW(rows)
        sum[r] = ints_add(sum[r], ints_multiply(ints_load_operands(operands + (size_t)r * stride, i), right));
    }
    ints_sums(rows, ret, sum);
}

static void products(uint32_t *ret, const void *operands, size_t stride, const int32_t *sums, size_t n, size_t n_rows)
{
    const char *at = operands;
    EACH_FEW(n_rows, products_some(together, ret + row, at + row * stride, stride, sums, n);)
}

static void attention_init(struct cpu_kernels *kernels)
{
    kernels->column_sums = column_sums;
    kernels->products = products;
    kernels->attend = attend;
    kernels->context = context;
}

#endif
