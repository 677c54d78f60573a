/* The attention kernels of every instruction set against the reference's softmax, bit for bit. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "accel/functions.h"
#include "accel/ref/ref.h"
#include "base/round_up.h"
#include "tests/accel/cpu_check.h"

enum { MAX_ROWS = 19 };

static size_t padded(size_t n)
{
    return round_up(n, IMAGE_PANEL);
}

/* P as the number it stands for. */
static int32_t digit_at(const struct cpu_kernels *k, const void *digits, size_t i)
{
    if (k->operand.size == 1)
        return ((const uint8_t *)digits)[i];
    int16_t number;
    memcpy(&number, (const char *)digits + i * sizeof number, sizeof number);
    return number;
}

/* Scales as quantisation makes them: none negative; sometimes some or all of them 0. */
static void fill_scales(float *scales, size_t n)
{
    check_floats(scales, n);
    for (size_t i = 0; i < n; i++)
        scales[i] = fabsf(scales[i]);
}

static void expect_row(const struct cpu_kernels *k, const struct cpu_attention *a, size_t row, const float *scores,
                       int32_t *p)
{
    const char *high = (const char *)a->high + row * a->digit_stride;
    const char *low = a->low ? (const char *)a->low + row * a->digit_stride : NULL;
    float right = NAN;
    if (!ref_softmax(p, &right, scores, a->value_scales, (uint32_t)a->n)) {
        cr_assert(isnan(a->factors[row]), "%s: %zu tokens: no finite score, but the factor is %a", k->isa, a->n,
                  (double)a->factors[row]);
        return;
    }
    for (size_t j = 0; j < a->padded; j++) {
        int32_t number = low ? digit_at(k, high, j) << 7 | digit_at(k, low, j) : digit_at(k, high, j);
        cr_assert_eq(number, j < a->n ? p[j] : 0, "%s: row %zu: p %zu of %zu is %d, not %d", k->isa, row, j, a->n,
                     number, j < a->n ? p[j] : 0);
    }
    uint32_t product = 0;
    for (size_t j = 0; j < a->n; j++)
        product += (uint32_t)p[j] * (uint32_t)a->value_sums[j];
    cr_assert_eq(a->products[row], product, "%s: row %zu: the product is %x, not %x", k->isa, row, a->products[row],
                 product);
    cr_assert_eq(function_bits(a->factors[row]), function_bits(right),
                 "%s: row %zu: %zu tokens: the factor is %a, "
                 "not %a",
                 k->isa, row, a->n, (double)a->factors[row], (double)right);
}

static void check_rows(const struct cpu_kernels *k, size_t rows, size_t n)
{
    const size_t width = padded(n) + check_below(4) * IMAGE_PANEL, size = width * sizeof(float);
    float *key_scales = check_input(size), *value_scales = check_input(size), *scores = check_input(rows * size);
    float scales[2 * MAX_ROWS];
    int32_t *value_sums = check_input(size);
    uint32_t sums[MAX_ROWS] = {0}, score_sums[MAX_ROWS], products[MAX_ROWS];
    int32_t *p = check_input(size);
    struct cpu_attention a = {
        .n_rows = rows, .n = n, .padded = width, .score_stride = width, .scale_stride = 1 + check_below(2)};
    a.digit_stride = width * k->operand.size;
    a.scores = check_output(rows * size);
    a.high = check_output(rows * a.digit_stride);
    a.low = k->n_digits == 2 ? check_output(rows * a.digit_stride) : NULL;
    a.factors = check_output(rows * sizeof *a.factors);
    a.key_scales = key_scales;
    a.value_scales = value_scales;
    a.scales = scales;
    a.value_sums = value_sums;
    a.score_sums = score_sums;
    a.products = products;
    a.narrow_sums = check_below(2);
    const int span = a.narrow_sums ? 1 << 15 : 1 << 24;
    for (size_t j = 0; j < width; j++)
        value_sums[j] = (int32_t)check_below(2u * (uint32_t)span) - span;
    fill_scales(key_scales, width);
    fill_scales(value_scales, width);
    for (size_t r = 0; r < rows; r++) {
        uint32_t bits = 1 + check_below(21);
        float scale = scales[r * a.scale_stride] = fabsf(ldexpf(1.7f, -(int)check_below(60)));
        for (size_t j = 0; j < width; j++) {
            int32_t acc = (int32_t)check_below(2u << bits) - (1 << bits);
            memcpy(a.scores + r * width + j, &acc, sizeof acc);
            if (j < padded(n))
                sums[r] += (uint32_t)acc;
            scores[r * width + j] = ((float)acc * key_scales[j]) * scale;
        }
    }
    k->attend(&a);
    cr_assert(check_intact(a.scores) && check_intact(a.high) && check_intact(a.factors) &&
                  (!a.low || check_intact(a.low)),
              "%s: written outside of %zu rows of %zu tokens", k->isa, rows, n);
    for (size_t r = 0; r < rows; r++)
        expect_row(k, &a, r, scores + r * width, p);
    cr_assert_eq(memcmp(score_sums, sums, rows * sizeof *sums), 0, "%s: sums of %zu scores", k->isa, n);
    free(value_sums);
    free(key_scales);
    free(value_scales);
    free(scores);
    free(p);
    check_free_output(a.scores);
    check_free_output(a.high);
    check_free_output(a.factors);
    if (a.low)
        check_free_output(a.low);
}

static void check_attend(const struct cpu_kernels *k, const struct cpu_kernels *before)
{
    if (!CHECK_NEW(k, before, attend))
        return;
    for (size_t n = 1; n <= 70; n++)
        check_rows(k, 1 + check_below(3), n);
    for (int round = check_rounds(150); round > 0; round--)
        check_rows(k, 1 + check_below(MAX_ROWS), 1 + check_below(check_below(4) ? 150 : IMAGE_MAX_SEQUENCE));
}

Test(cpu_attention, attend)
{
    check_begin("attend");
    check_each_set(check_attend);
}

static void check_context(const struct cpu_kernels *k, const struct cpu_kernels *before)
{
    if (!CHECK_NEW(k, before, context))
        return;
    for (int round = check_rounds(300); round > 0; round--) {
        size_t n = 1 + check_below(130), rows = 1 + check_below(MAX_ROWS), stride = n + check_below(9);
        int32_t *high = check_input(rows * stride * sizeof *high), *low = check_input(rows * stride * sizeof *low);
        float *y = check_output(rows * n * sizeof *y), factors[MAX_ROWS];
        bool whole = check_below(2);
        for (size_t i = 0; i < rows * stride; i++) {
            high[i] = (int32_t)check_below(1 << 24) - (1 << 23);
            low[i] = (int32_t)check_below(1 << 24) - (1 << 23);
        }
        for (size_t r = 0; r < rows; r++)
            factors[r] = ldexpf(1.3f, -(int)check_below(100));
        uint32_t sums[MAX_ROWS], right_sums[MAX_ROWS] = {0};
        k->context(&(struct cpu_context){.n_rows = rows,
                                         .n = n,
                                         .high = high,
                                         .low = whole ? NULL : low,
                                         .stride = stride,
                                         .factors = factors,
                                         .y = y,
                                         .y_stride = n,
                                         .sums = sums});
        cr_assert(check_intact(y), "%s: written outside of a head of %zu", k->isa, n);
        for (size_t i = 0; i < rows * n; i++) {
            size_t at = i / n * stride + i % n;
            int32_t acc = whole ? high[at] : 128 * high[at] + low[at];
            float right = (float)acc * factors[i / n];
            right_sums[i / n] += (uint32_t)acc;
            cr_assert_eq(function_bits(y[i]), function_bits(right), "%s: context %zu of %zu is %a, not %a", k->isa, i,
                         n, (double)y[i], (double)right);
        }
        cr_assert_eq(memcmp(sums, right_sums, rows * sizeof *sums), 0, "%s: sums of %zu", k->isa, n);
        free(high);
        free(low);
        check_free_output(y);
    }
}

Test(cpu_attention, context)
{
    check_begin("context");
    check_each_set(check_context);
}

/* Random numbers as operands; returns the sum of their products with `sums`. */
static uint32_t fill_operands(const struct cpu_kernels *k, char *operands, const int32_t *sums, size_t n)
{
    uint32_t right = 0;
    for (size_t i = 0; i < n; i++) {
        const int16_t number = (int16_t)((int32_t)check_below(255) - 127);
        right += (uint32_t)sums[i] * (uint32_t)number;
        if (k->operand.size == 1)
            operands[i] = (char)(number + k->operand.offset);
        else
            memcpy(operands + i * sizeof number, &number, sizeof number);
    }
    return right;
}

static void check_products(const struct cpu_kernels *k, const struct cpu_kernels *before)
{
    if (!CHECK_NEW(k, before, products))
        return;
    for (int round = check_rounds(100); round > 0; round--) {
        const size_t n = padded(1 + check_below(130)), rows = 1 + check_below(MAX_ROWS);
        const size_t stride = n * k->operand.size + check_below(3) * 64;
        int32_t *sums = check_input(n * sizeof *sums);
        char *operands = check_input((rows - 1) * stride + n * k->operand.size);
        uint32_t right[MAX_ROWS], *found = check_output(rows * sizeof *found);
        for (size_t i = 0; i < n; i++)
            sums[i] = (int32_t)(check_random() >> 32);
        for (size_t r = 0; r < rows; r++)
            right[r] = fill_operands(k, operands + r * stride, sums, n);
        k->products(found, operands, stride, sums, n, rows);
        cr_assert(check_intact(found), "%s: written outside of the products", k->isa);
        cr_assert_eq(memcmp(found, right, rows * sizeof *found), 0, "%s: products of %zu rows of %zu", k->isa, rows, n);
        check_free_output(found);
        free(sums);
        free(operands);
    }
}

Test(cpu_attention, products)
{
    check_begin("products");
    check_each_set(check_products);
}
