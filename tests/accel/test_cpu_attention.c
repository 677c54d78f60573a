/* The attention kernels of every instruction set against the reference's softmax, bit for bit. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "accel/functions.h"
#include "accel/ref/ref.h"
#include "tests/accel/cpu_check.h"

static size_t padded(size_t n)
{
    return (n + IMAGE_PANEL - 1) / IMAGE_PANEL * IMAGE_PANEL;
}

/* P as the number it stands for. */
static int32_t digit_at(const struct cpu_kernels *k, const void *digits, size_t i)
{
    if (k->operand_size == 1)
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

static void check_row(const struct cpu_kernels *k, size_t n)
{
    const size_t size = padded(n) * sizeof(float), operands = padded(n) * k->operand_size;
    float *key_scales = check_input(size), *value_scales = check_input(size), *scores = check_input(size);
    int32_t *acc = check_input(size), *p = check_input(size);
    float *s = check_output(size);
    void *high = check_output(operands), *low = k->n_digits == 2 ? check_output(operands) : NULL;
    uint32_t span = 1 + check_below(21);
    fill_scales(key_scales, padded(n));
    fill_scales(value_scales, padded(n));
    float scale = fabsf(ldexpf(1.7f, -(int)check_below(60))), right = NAN;
    for (size_t j = 0; j < padded(n); j++)
        acc[j] = (int32_t)check_below(2u << span) - (1 << span);
    for (size_t j = 0; j < n; j++)
        scores[j] = ((float)acc[j] * key_scales[j]) * scale;
    memcpy(s, acc, size);
    const struct cpu_attention_row row = {key_scales, value_scales, scale, n, high, low};
    float factor = k->attend(s, &row);
    cr_assert(check_intact(s) && check_intact(high) && (!low || check_intact(low)),
              "%s: written outside of a row of "
              "%zu tokens",
              k->isa, n);
    if (ref_softmax(p, &right, scores, value_scales, (uint32_t)n)) {
        for (size_t j = 0; j < padded(n); j++) {
            int32_t number = low ? digit_at(k, high, j) << 7 | digit_at(k, low, j) : digit_at(k, high, j);
            cr_assert_eq(number, j < n ? p[j] : 0, "%s: p %zu of %zu is %d, not %d", k->isa, j, n, number,
                         j < n ? p[j] : 0);
        }
        cr_assert_eq(function_bits(factor), function_bits(right), "%s: %zu tokens: the factor is %a, not %a", k->isa, n,
                     (double)factor, (double)right);
    } else {
        cr_assert(isnan(factor), "%s: %zu tokens: no finite score, but the factor is %a", k->isa, n, (double)factor);
    }
    free(key_scales);
    free(value_scales);
    free(scores);
    free(acc);
    free(p);
    check_free_output(s);
    check_free_output(high);
    if (low)
        check_free_output(low);
}

static void check_attend(const struct cpu_kernels *k, const struct cpu_kernels *before)
{
    if (!CHECK_NEW(k, before, attend))
        return;
    for (size_t n = 1; n <= 70; n++)
        check_row(k, n);
    for (int round = check_rounds(300); round > 0; round--)
        check_row(k, 1 + check_below(check_below(2) ? IMAGE_MAX_SEQUENCE : 150));
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
        size_t n = 1 + check_below(130);
        int32_t *high = check_input(n * sizeof *high), *low = check_input(n * sizeof *low);
        float *y = check_output(n * sizeof *y), scale = ldexpf(1.3f, -(int)check_below(100));
        bool whole = check_below(2);
        for (size_t i = 0; i < n; i++) {
            high[i] = (int32_t)check_below(1 << 24) - (1 << 23);
            low[i] = (int32_t)check_below(1 << 24) - (1 << 23);
        }
        k->context(y, high, whole ? NULL : low, scale, n);
        cr_assert(check_intact(y), "%s: written outside of a head of %zu", k->isa, n);
        for (size_t i = 0; i < n; i++) {
            float right = (float)(whole ? high[i] : 128 * high[i] + low[i]) * scale;
            cr_assert_eq(function_bits(y[i]), function_bits(right), "%s: context %zu of %zu is %a, not %a", k->isa, i,
                         n, (double)y[i], (double)right);
        }
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
