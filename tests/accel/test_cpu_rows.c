/* The row kernels of every instruction set against the reference's steps, bit for bit. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "accel/functions.h"
#include "accel/ref/ref.h"
#include "base/round_up.h"
#include "tests/accel/cpu_check.h"

static float *some_floats(size_t n)
{
    float *x = check_input(n * sizeof *x);
    check_floats(x, n);
    return x;
}

static float *copy_of(const float *x, size_t n)
{
    return memcpy(check_input(n * sizeof *x), x, n * sizeof *x);
}

/* Equal bits, or both NaN: which NaN is nobody's promise. */
static bool same(float a, float b)
{
    return function_bits(a) == function_bits(b) || (isnan(a) && isnan(b));
}

static void expect_same(const struct cpu_kernels *k, const char *kernel, const float *y, const float *right, size_t n)
{
    cr_assert(check_intact(y), "%s: %s: written outside of the row of %zu", k->isa, kernel, n);
    for (size_t i = 0; i < n; i++)
        cr_assert(same(y[i], right[i]), "%s: %s: element %zu of %zu is %a, not %a", k->isa, kernel, i, n, (double)y[i],
                  (double)right[i]);
}

static void check_embed(const struct cpu_kernels *k, const struct cpu_kernels *before)
{
    if (!CHECK_NEW(k, before, embed))
        return;
    for (int round = check_rounds(100); round > 0; round--) {
        size_t n = check_width();
        float *a = some_floats(n), *b = some_floats(n), *c = some_floats(n), *right = check_input(n * sizeof(float));
        float *y = check_output(n * sizeof *y);
        for (size_t i = 0; i < n; i++)
            right[i] = (a[i] + b[i]) + c[i];
        k->embed(y, a, b, c, n);
        expect_same(k, "embed", y, right, n);
        free(a);
        free(b);
        free(c);
        free(right);
        check_free_output(y);
    }
}

Test(cpu_rows, embed)
{
    check_begin("embed");
    check_each_set(check_embed);
}

static void check_norm(const struct cpu_kernels *k, const struct cpu_kernels *before)
{
    if (!CHECK_NEW(k, before, norm))
        return;
    for (int round = check_rounds(150); round > 0; round--) {
        size_t n = check_width(), rows = 1 + check_below(9), stride = n + check_below(5), good = rows;
        size_t size = (rows - 1) * stride + n;
        float *gamma = some_floats(n), *beta = some_floats(n), *right = check_input(size * sizeof *right);
        float *y = check_output(size * sizeof *y), eps = check_below(2) ? 1e-12f : 1e-5f;
        const struct image_norm norm = {gamma, beta};
        for (size_t r = 0; r < rows; r++)
            check_floats(right + r * stride, r + 1 < rows ? stride : n);
        memcpy(y, right, size * sizeof *y);
        for (size_t r = 0; r < rows; r++)
            if (!ref_layernorm(right + r * stride, right + r * stride, &norm, (uint32_t)n, eps) && r < good)
                good = r;
        uint32_t *sums = check_output(rows * sizeof *sums);
        bool summed = check_below(4);
        size_t got = k->norm(y, stride, &norm, eps, n, rows, summed ? sums : NULL);
        cr_assert_eq(got, good, "%s: norm of %zu rows of %zu: the first bad one is %zu, not %zu", k->isa, rows, n, got,
                     good);
        expect_same(k, "norm", y, good == rows ? right : y, size);
        for (size_t r = 0; r < rows && good == rows && summed; r++)
            cr_assert_eq(sums[r], ref_sum_bits(y + r * stride, (uint32_t)n), "%s: norm of %zu: sum of row %zu", k->isa,
                         n, r);
        cr_assert(check_intact(sums));
        check_free_output(sums);
        free(gamma);
        free(beta);
        free(right);
        check_free_output(y);
    }
}

Test(cpu_rows, norm)
{
    check_begin("norm");
    check_each_set(check_norm);
}

/* dequantise, add and activate: all begin with fma(float(acc) * s_w, s_x, bias). */
static void check_epilogue(const struct cpu_kernels *k, const struct cpu_kernels *before)
{
    if (!CHECK_NEW(k, before, dequantise) && !CHECK_NEW(k, before, add) && !CHECK_NEW(k, before, activate))
        return;
    for (int round = check_rounds(200); round > 0; round--) {
        size_t n = check_width();
        float *scales = some_floats(n), *bias = some_floats(n), *x = some_floats(n);
        int32_t *acc = check_input(n * sizeof *acc);
        float *right = check_input(n * sizeof *right), *y = check_output(n * sizeof *y);
        const struct cpu_epilogue e = {scales, bias, ldexpf(1 + (float)check_below(100) / 100, -(int)check_below(40))};
        for (size_t i = 0; i < n; i++) {
            acc[i] = (int32_t)(check_random() >> (32 + check_below(30))) * (check_below(2) ? 1 : -1);
            right[i] = fmaf((float)acc[i] * scales[i], e.scale, bias[i]);
        }
        const uint32_t sum = ref_sum_checked(acc, (uint32_t)n);
        cr_assert_eq(k->dequantise(y, acc, &e, n), sum);
        expect_same(k, "dequantise", y, right, n);
        for (int a = IMAGE_GELU; a <= IMAGE_RELU; a++) {
            float *activated = copy_of(right, n);
            for (size_t i = 0; i < n; i++)
                activated[i] = function_activation((enum image_activation)a, right[i]);
            cr_assert_eq(k->activate(y, acc, &e, (enum image_activation)a, n), sum);
            expect_same(k, "activate", y, activated, n);
            free(activated);
        }
        memcpy(y, x, n * sizeof *y);
        for (size_t i = 0; i < n; i++)
            right[i] += x[i];
        uint32_t old;
        cr_assert_eq(k->add(y, acc, &e, n, &old), sum);
        cr_assert_eq(old, ref_sum_bits(x, (uint32_t)n), "%s: add of %zu: sum of what there was", k->isa, n);
        expect_same(k, "add", y, right, n);
        free(scales);
        free(bias);
        free(x);
        free(acc);
        free(right);
        check_free_output(y);
    }
}

Test(cpu_rows, epilogue)
{
    check_begin("epilogue");
    check_each_set(check_epilogue);
}

static void check_rotate(const struct cpu_kernels *k, const struct cpu_kernels *before)
{
    if (!CHECK_NEW(k, before, rotate))
        return;
    for (int round = check_rounds(300); round > 0; round--) {
        size_t n = check_width(), block = image_rotation((uint32_t)n) >> (check_below(3) ? 0 : check_below(8));
        block = block ? block : 1;
        float *x = some_floats(n), *right = copy_of(x, n), *y = check_output(n * sizeof *y);
        ref_fwht(right, (uint32_t)n, (uint32_t)block);
        uint32_t amax = ref_amax_bits(right, (uint32_t)n);
        bool in_place = check_below(2);
        if (in_place)
            memcpy(y, x, n * sizeof *x);
        uint32_t sum = ref_sum_bits(x, (uint32_t)n), got_sum = ~sum;
        bool summed = check_below(3);
        uint32_t got = k->rotate(y, in_place ? y : x, n, block, summed ? &got_sum : NULL);
        cr_assert(got_sum == sum || !summed, "%s: rotate %zu by %zu: sum", k->isa, n, block);
        expect_same(k, "rotate", y, right, n);
        cr_assert(got == amax || (got > 0x7f800000 && amax > 0x7f800000), "%s: rotate %zu by %zu: amax %x, not %x",
                  k->isa, n, block, got, amax);
        free(x);
        free(right);
        check_free_output(y);
    }
}

Test(cpu_rows, rotate)
{
    check_begin("rotate");
    check_each_set(check_rotate);
}

static void check_amax(const struct cpu_kernels *k, const struct cpu_kernels *before)
{
    static const float bad[] = {INFINITY, -INFINITY, NAN};
    if (!CHECK_NEW(k, before, amax))
        return;
    for (int round = check_rounds(300); round > 0; round--) {
        size_t n = check_width();
        float *x = some_floats(n);
        if (check_below(3) == 0)
            x[check_below((uint32_t)n)] = bad[check_below(3)];
        uint32_t right = ref_amax_bits(x, (uint32_t)n), got = k->amax(x, n);
        cr_assert_eq(got, right, "%s: amax of %zu is %x, not %x", k->isa, n, got, right);
        free(x);
    }
}

Test(cpu_rows, amax)
{
    check_begin("amax");
    check_each_set(check_amax);
}

/* One operand as the number it stands for. */
static int32_t operand_at(struct cpu_operand form, const void *operands, size_t i)
{
    if (form.size == 1)
        return form.offset ? ((const uint8_t *)operands)[i] - form.offset : ((const int8_t *)operands)[i];
    int16_t number;
    memcpy(&number, (const char *)operands + i * sizeof number, sizeof number);
    return number;
}

static size_t padded(size_t n)
{
    return round_up(n, IMAGE_PANEL);
}

static void expect_operands(const char *isa, struct cpu_operand form, const void *operands, const int8_t *right,
                            size_t n)
{
    for (size_t i = 0; i < padded(n); i++)
        cr_assert_eq(operand_at(form, operands, i), i < n ? right[i] : 0, "%s: operand %zu of %zu is %d", isa, i, n,
                     operand_at(form, operands, i));
}

/* The same with the products that check what is made of the row: for one projection, or three. */
static void check_products(const struct cpu_kernels *k, const float *x, float factor, const int8_t *q, size_t n)
{
    const size_t projections = check_below(2) ? 3 : 1;
    uint32_t products[3] = {0}, right[3] = {0};
    int32_t *checks = check_input(projections * n * sizeof *checks);
    char *operands = check_output(padded(n) * k->linear_operand.size);
    struct cpu_check check = {.checks = checks, .n_projections = projections, .products = products};
    for (size_t i = 0; i < projections * n; i++) {
        checks[i] = (int32_t)(check_random() >> 32);
        right[i / n] += (uint32_t)checks[i] * (uint32_t)q[i % n];
    }
    if (n % CPU_PLANE_INPUTS == 0 && check_below(4)) {
        check.planes.bytes = check_input(projections * n * CPU_PLANES);
        check.planes.offsets = check_input(projections * sizeof *check.planes.offsets);
        cpu_planes_split(&check.planes, checks, projections, n);
    }
    k->quantise(operands, x, factor, n, &check);
    cr_assert(check_intact(operands), "%s: written outside of a row of %zu", k->isa, n);
    expect_operands(k->isa, k->linear_operand, operands, q, n);
    for (size_t p = 0; p < projections; p++)
        cr_assert_eq(products[p], right[p], "%s: product %zu of %zu inputs is %x, not %x", k->isa, p, n, products[p],
                     right[p]);
    free(checks);
    free((void *)check.planes.bytes);
    free((void *)check.planes.offsets);
    check_free_output(operands);
}

static void check_quantise(const struct cpu_kernels *k, const struct cpu_kernels *before)
{
    if (!CHECK_NEW(k, before, quantise))
        return;
    for (int round = check_rounds(300); round > 0; round--) {
        size_t n = check_width();
        float *x = some_floats(n), scale;
        int8_t *right = check_input(n);
        char *operands = check_output(padded(n) * k->linear_operand.size);
        cr_assert(ref_quantise(right, &scale, x, (uint32_t)n));
        float amax = function_from_bits(ref_amax_bits(x, (uint32_t)n)), factor = amax < IMAGE_TINY ? 0 : 127 / amax;
        k->quantise(operands, x, factor, n, NULL);
        cr_assert(check_intact(operands), "%s: written outside of a row of %zu", k->isa, n);
        expect_operands(k->isa, k->linear_operand, operands, right, n);
        check_products(k, x, factor, right, n);
        cr_assert_eq(k->sum_bits(x, n), ref_sum_bits(x, (uint32_t)n));
        free(x);
        free(right);
        check_free_output(operands);
    }
}

Test(cpu_rows, quantise)
{
    check_begin("quantise");
    check_each_set(check_quantise);
}

static void check_heads(const struct cpu_kernels *k, const struct cpu_kernels *before)
{
    if (!CHECK_NEW(k, before, quantise_heads) && !CHECK_NEW(k, before, quantise_head_bytes))
        return;
    for (int round = check_rounds(200); round > 0; round--) {
        size_t heads = 1 + check_below(check_below(2) ? 16 : 40), dim = 1 + check_below(check_below(2) ? 20 : 130);
        if (check_below(2))
            dim = check_below(2) ? 32 : 64;
        size_t stride = padded(dim);
        float *x = check_input(heads * dim * sizeof *x), *scales = check_output(heads * sizeof *scales), scale;
        int8_t *right = check_input(dim), *bytes = check_output(heads * stride);
        char *operands = check_output(heads * stride * k->operand.size);
        for (size_t h = 0; h < heads; h++)
            check_floats(x + h * dim, dim);
        uint32_t amax = ref_amax_bits(x, (uint32_t)(heads * dim));
        cr_assert_eq(k->quantise_heads(operands, scales, x, heads, dim), amax);
        cr_assert_eq(k->quantise_head_bytes(bytes, scales, x, heads, dim), amax);
        cr_assert(check_intact(operands) && check_intact(bytes) && check_intact(scales),
                  "%s: written outside of %zu heads of %zu", k->isa, heads, dim);
        for (size_t h = 0; h < heads; h++) {
            cr_assert(ref_quantise(right, &scale, x + h * dim, (uint32_t)dim));
            cr_assert_eq(function_bits(scale), function_bits(scales[h]), "%s: scale of head %zu", k->isa, h);
            cr_assert(memcmp(bytes + h * stride, right, dim) == 0, "%s: bytes of head %zu", k->isa, h);
            for (size_t i = dim; i < stride; i++)
                cr_assert_eq((uint8_t)bytes[h * stride + i], 0xa5, "%s: written between heads", k->isa);
            expect_operands(k->isa, k->operand, operands + h * stride * k->operand.size, right, dim);
        }
        free(x);
        free(right);
        check_free_output(scales);
        check_free_output(bytes);
        check_free_output(operands);
    }
}

Test(cpu_rows, heads)
{
    check_begin("heads");
    check_each_set(check_heads);
}
