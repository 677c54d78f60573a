/* The row kernels, written once in lanes and compiled with each instruction set's: the file that includes this one
 * includes its lanes first. All is static; rows_init fills the table.
 */
#ifndef BERTD_ACCEL_CPU_ROWS_BODY_H
#define BERTD_ACCEL_CPU_ROWS_BODY_H

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
#include "base/round_up.h"

static void embed(float *y, const float *word, const float *position, const float *type, size_t n)
{
    EACH_GROUP(n, lanes sum = lanes_add(load(word + i, count), load(position + i, count));
               store(y + i, lanes_add(sum, load(type + i, count)), count);)
}

/* Rows of a few, `stride` apart. */
CPU_TEMPLATE void means_of(const int rows, float *mean, const float *x, size_t stride, size_t n)
{
    lanes sum[LANES_TOGETHER];
    EACH_ROW(rows) sum[r] = lanes_set(0);
    EACH_GROUP(n, EACH_ROW(rows) sum[r] = lanes_add(sum[r], load(x + (size_t)r * stride + i, count));)
    lanes_sums(rows, mean, sum);
    EACH_ROW(rows) mean[r] *= 1 / (float)n;
}

CPU_TEMPLATE void inverse_deviations(const int rows, float *ret, const float *mean, const float *x, size_t stride,
                                     float eps, size_t n)
{
    lanes means[LANES_TOGETHER], squares[LANES_TOGETHER];
    EACH_ROW(rows)
    {
        means[r] = lanes_set(mean[r]);
        squares[r] = lanes_set(0);
    }
    EACH_GROUP(
        n, EACH_ROW(rows) {
            lanes d = keep(lanes_sub(load(x + (size_t)r * stride + i, count), means[r]), count, 0);
            squares[r] = lanes_fma(d, d, squares[r]);
        })
    lanes_sums(rows, ret, squares);
    EACH_ROW(rows) ret[r] = 1 / sqrtf(ret[r] * (1 / (float)n) + eps);
}

CPU_TEMPLATE void normalise(const int rows, float *x, size_t stride, const float *mean, const float *inverse,
                            const struct image_norm *weights, size_t n, uint32_t *sums)
{
    const float *const gamma = weights->gamma, *const beta = weights->beta;
    lanes means[LANES_TOGETHER], inverses[LANES_TOGETHER];
    ints sum[LANES_TOGETHER];
    EACH_ROW(rows)
    {
        means[r] = lanes_set(mean[r]);
        inverses[r] = lanes_set(inverse[r]);
        sum[r] = ints_set(0);
    }
    EACH_GROUP(
        n, const lanes gammas = load(gamma + i, count), betas = load(beta + i, count); EACH_ROW(rows) {
            float *at = x + (size_t)r * stride + i;
            lanes d = lanes_sub(load(at, count), means[r]);
            lanes y = keep(lanes_fma(lanes_mul(d, inverses[r]), gammas, betas), count, 0);
            store(at, y, count);
            sum[r] = ints_add(sum[r], ints_bits(y));
        })
    if (sums)
        ints_sums(rows, sums, sum);
}

/* Rows take each step together, so that the long chains of sums overlap. */
CPU_TEMPLATE size_t norm_some(const int together, float *x, size_t stride, const struct image_norm *weights, float eps,
                              size_t n, size_t rows, uint32_t *sums)
{
    const size_t step = (size_t)together;
    float mean[CPU_TOGETHER], inverse[CPU_TOGETHER];
    for (size_t row = 0; row < rows; row += step)
        means_of(together, mean + row, x + row * stride, stride, n);
    for (size_t row = 0; row < rows; row += step)
        inverse_deviations(together, inverse + row, mean + row, x + row * stride, stride, eps, n);
    for (size_t row = 0; row < rows; row++)
        if (!(inverse[row] > 0 && inverse[row] < INFINITY))
            return row;
    for (size_t row = 0; row < rows; row += step)
        normalise(together, x + row * stride, stride, mean + row, inverse + row, weights, n, sums ? sums + row : NULL);
    return rows;
}

static size_t norm(float *x, size_t stride, const struct image_norm *norm, float eps, size_t n, size_t n_rows,
                   uint32_t *sums)
{
    for (size_t row = 0, rows, good; row < n_rows; row += rows) {
        float *at = x + row * stride;
        uint32_t *to = sums ? sums + row : NULL;
        rows = n_rows - row < CPU_TOGETHER ? n_rows - row : CPU_TOGETHER;
        if (rows == CPU_TOGETHER)
            good = norm_some(LANES_TOGETHER, at, stride, norm, eps, n, CPU_TOGETHER, to);
        else
            good = norm_some(1, at, stride, norm, eps, n, rows, to);
        if (good < rows)
            return row + good;
    }
    return n_rows;
}

/* An epilogue in registers: what is written through another pointer might be the structure, for all the compiler knows.
 */
struct epilogue {
    const float *scales, *bias;
    lanes scale;
};

CPU_TEMPLATE struct epilogue epilogue_of(const struct cpu_epilogue *e)
{
    return (struct epilogue){e->scales, e->bias, lanes_set(e->scale)};
}

/* Adds the accumulators to `sum`. */
CPU_TEMPLATE lanes epilogue_at(const struct epilogue *e, const int32_t *acc, ints *sum, size_t i, size_t count)
{
    ints whole = load_ints(acc + i, count);
    *sum = ints_add(*sum, whole);
    lanes scaled = lanes_mul(lanes_from_ints(whole), load(e->scales + i, count));
    return lanes_fma(scaled, e->scale, load(e->bias + i, count));
}

CPU_TEMPLATE uint32_t checked(ints sum)
{
    return ints_sum(ints_multiply(sum, ints_load(image_check_factors)));
}

static uint32_t dequantise(float *y, const int32_t *acc, const struct cpu_epilogue *epilogue, size_t n)
{
    const struct epilogue e = epilogue_of(epilogue);
    ints sum = ints_set(0);
    EACH_GROUP(n, store(y + i, epilogue_at(&e, acc, &sum, i, count), count);)
    return checked(sum);
}

static uint32_t add(float *x, const int32_t *acc, const struct cpu_epilogue *epilogue, size_t n, uint32_t *ret_before)
{
    const struct epilogue e = epilogue_of(epilogue);
    ints sum = ints_set(0), before = sum;
    EACH_GROUP(n, const lanes old = load(x + i, count); before = ints_add(before, ints_bits(old));
               store(x + i, lanes_add(epilogue_at(&e, acc, &sum, i, count), old), count);)
    *ret_before = ints_sum(before);
    return checked(sum);
}

static uint32_t activate(float *y, const int32_t *acc, const struct cpu_epilogue *epilogue,
                         enum image_activation activation, size_t n)
{
    const struct epilogue e = epilogue_of(epilogue);
    ints sum = ints_set(0);
    switch (activation) {
    case IMAGE_GELU:
        EACH_GROUP(n, store(y + i, lanes_gelu(epilogue_at(&e, acc, &sum, i, count)), count);)
        break;
    case IMAGE_GELU_NEW:
        EACH_GROUP(n, store(y + i, lanes_gelu_new(epilogue_at(&e, acc, &sum, i, count)), count);)
        break;
    case IMAGE_RELU:
        EACH_GROUP(n, store(y + i, lanes_relu(epilogue_at(&e, acc, &sum, i, count)), count);)
        break;
    }
    return checked(sum);
}

static inline __attribute__((always_inline)) void butterfly(lanes *a, lanes *b)
{
    lanes sum = lanes_add(*a, *b);
    *b = lanes_sub(*a, *b);
    *a = sum;
}

/* What becomes of a row as it is rotated: max|y| as bits, and the sum of the bits of x; in lanes. */
struct rotated {
    ints amax, sum;
};

CPU_TEMPLATE lanes rotate_16(const float *x, const bool summed, ints *sum)
{
    if (summed)
        *sum = ints_add(*sum, ints_bits(lanes_load(x)));
    return lanes_butterfly_8(lanes_butterfly_4(lanes_butterfly_2(lanes_load_butterfly_1(x))));
}

/* A block of 16, 32, 64 or 128 elements. */
CPU_TEMPLATE void rotate_block(const int block, const bool summed, float *y, const float *x, struct rotated *to)
{
    lanes v0 = rotate_16(x, summed, &to->sum), v1 = v0, v2 = v0, v3 = v0, v4 = v0, v5 = v0, v6 = v0, v7 = v0;
    if (block > 16) {
        v1 = rotate_16(x + 16, summed, &to->sum);
        butterfly(&v0, &v1);
    }
    if (block > 32) {
        v2 = rotate_16(x + 32, summed, &to->sum);
        v3 = rotate_16(x + 48, summed, &to->sum);
        butterfly(&v2, &v3);
        butterfly(&v0, &v2);
        butterfly(&v1, &v3);
    }
    if (block > 64) {
        v4 = rotate_16(x + 64, summed, &to->sum);
        v5 = rotate_16(x + 80, summed, &to->sum);
        v6 = rotate_16(x + 96, summed, &to->sum);
        v7 = rotate_16(x + 112, summed, &to->sum);
        butterfly(&v4, &v5);
        butterfly(&v6, &v7);
        butterfly(&v4, &v6);
        butterfly(&v5, &v7);
        butterfly(&v0, &v4);
        butterfly(&v1, &v5);
        butterfly(&v2, &v6);
        butterfly(&v3, &v7);
    }
#define PUT(k)                                                                                                         \
    if (block > 16 * k) {                                                                                              \
        lanes_store(y + 16 * k, v##k);                                                                                 \
        to->amax = ints_max(to->amax, ints_magnitude(v##k));                                                           \
    }
    PUT(0);
    PUT(1);
    PUT(2);
    PUT(3);
    PUT(4);
    PUT(5);
    PUT(6);
    PUT(7);
#undef PUT
}

CPU_TEMPLATE uint32_t rotate_blocks(const int block, float *y, const float *x, size_t n, uint32_t *ret_sum)
{
    struct rotated rotated = {ints_set(0), ints_set(0)};
    for (size_t i = 0; i < n; i += (size_t)block)
        rotate_block(block, ret_sum, y + i, x + i, &rotated);
    if (ret_sum)
        *ret_sum = ints_sum(rotated.sum);
    return (uint32_t)ints_largest(rotated.amax);
}

/* Blocks of 1 to 8 elements lie within lanes. */
static uint32_t rotate_within(float *y, const float *x, size_t n, size_t block, uint32_t *ret_sum)
{
    ints amax = ints_set(0), sum = amax;
    EACH_GROUP(n, lanes v = load(x + i, count); sum = ints_add(sum, ints_bits(v));
               if (block > 1) v = lanes_butterfly_1(v); if (block > 2) v = lanes_butterfly_2(v);
               if (block > 4) v = lanes_butterfly_4(v); store(y + i, v, count);
               amax = ints_max(amax, ints_magnitude(v));)
    if (ret_sum)
        *ret_sum = ints_sum(sum);
    return (uint32_t)ints_largest(amax);
}

static uint32_t rotate(float *y, const float *x, size_t n, size_t block, uint32_t *ret_sum)
{
    switch (block) {
    case 128:
        return ret_sum ? rotate_blocks(128, y, x, n, ret_sum) : rotate_blocks(128, y, x, n, NULL);
    case 64:
        return rotate_blocks(64, y, x, n, ret_sum);
    case 32:
        return rotate_blocks(32, y, x, n, ret_sum);
    case 16:
        return rotate_blocks(16, y, x, n, ret_sum);
    default:
        return rotate_within(y, x, n, block, ret_sum);
    }
}

static size_t padded(size_t n)
{
    return round_up(n, IMAGE_PANEL);
}

static uint32_t amax(const float *x, size_t n)
{
    ints largest = ints_set(0);
    EACH_GROUP(n, largest = ints_max(largest, ints_magnitude(load(x + i, count)));)
    return (uint32_t)ints_largest(largest);
}

static uint32_t sum_bits(const float *x, size_t n)
{
    ints sum = ints_set(0);
    EACH_GROUP(n, sum = ints_add(sum, ints_bits(load(x + i, count)));)
    return ints_sum(sum);
}

CPU_TEMPLATE ints quantised(const float *x, lanes factor, size_t count)
{
    ints q = ints_nearest(lanes_mul(load(x, count), factor));
    return ints_max(ints_min(q, ints_set(127)), ints_set(-127));
}

CPU_TEMPLATE void quantise_to(const bool bytes, void *to, const float *x, float factor, size_t n)
{
    const lanes factors = lanes_set(factor);
    EACH_GROUP(n, ints q = quantised(x + i, factors, count); if (!bytes) ints_store_operands(to, i, q);
               else if (count == LANES) ints_store_bytes((int8_t *)to + i, q);
               else ints_store_bytes_part((int8_t *)to + i, q, count);)
}

/* With the products of one projection, or of three. */
CPU_TEMPLATE void quantise_checked(const int projections, void *to, const float *x, float factor, size_t n,
                                   const struct cpu_check *check)
{
    const lanes factors = lanes_set(factor);
    const int32_t *checks = check->checks;
    ints a = ints_set(0), b = a, c = a;
    EACH_GROUP(
        n, ints q = quantised(x + i, factors, count); ints_store_operands(to, i, q);
        a = ints_add(a, ints_multiply(q, load_ints(checks + i, count))); if (projections > 1) {
            b = ints_add(b, ints_multiply(q, load_ints(checks + n + i, count)));
            c = ints_add(c, ints_multiply(q, load_ints(checks + 2 * n + i, count)));
        })
    check->products[0] = ints_sum(a);
    if (projections > 1) {
        check->products[1] = ints_sum(b);
        check->products[2] = ints_sum(c);
    }
}

static void quantise(void *operands, const float *x, float factor, size_t n, const struct cpu_check *check)
{
    if (!check)
        quantise_to(false, operands, x, factor, n);
    else if (check->n_projections > 1)
        quantise_checked(3, operands, x, factor, n, check);
    else
        quantise_checked(1, operands, x, factor, n, check);
}

/* Of up to 16 heads, by the bits of their amax, zeros past them. Returns the largest. */
CPU_TEMPLATE uint32_t scales_of(float *scales, float factors[LANES], const int32_t bits[LANES], size_t heads)
{
    const ints largest = ints_load(bits);
    const lanes all = lanes_from_bits(largest), tiny = lanes_set(IMAGE_TINY), zero = lanes_set(0);
    lanes scale = lanes_where_less(all, tiny, zero, lanes_mul(all, lanes_set(1.0f / 127)));
    lanes_store(factors, lanes_where_less(all, tiny, zero, lanes_div(lanes_set(127), all)));
    store(scales, scale, heads);
    return (uint32_t)ints_largest(largest);
}

CPU_TEMPLATE uint32_t heads_to(const bool bytes, char *to, size_t stride, float *scales, const float *x, size_t heads,
                               size_t dim)
{
    int32_t bits[LANES] = {0};
    float factors[LANES];
    for (size_t h = 0; h < heads; h++)
        bits[h] = (int32_t)amax(x + h * dim, dim);
    const uint32_t largest = scales_of(scales, factors, bits, heads);
    for (size_t h = 0; h < heads; h++)
        quantise_to(bytes, to + h * stride, x + h * dim, factors[h], dim);
    return largest;
}

CPU_TEMPLATE uint32_t all_heads_to(const bool bytes, char *to, size_t stride, float *scales, const float *x,
                                   size_t heads, size_t dim)
{
    uint32_t largest = 0;
    for (size_t h = 0; h < heads; h += LANES) {
        size_t some = heads - h < LANES ? heads - h : LANES;
        uint32_t bits = heads_to(bytes, to + h * stride, stride, scales + h, x + h * dim, some, dim);
        largest = bits > largest ? bits : largest;
    }
    return largest;
}

static uint32_t quantise_heads(void *operands, float *scales, const float *x, size_t heads, size_t dim)
{
    return all_heads_to(false, operands, padded(dim) * OPERAND_SIZE, scales, x, heads, dim);
}

static uint32_t quantise_head_bytes(int8_t *q, float *scales, const float *x, size_t heads, size_t dim)
{
    return all_heads_to(true, (char *)q, padded(dim), scales, x, heads, dim);
}

static void rows_init(struct cpu_kernels *kernels)
{
    kernels->embed = embed;
    kernels->norm = norm;
    kernels->dequantise = dequantise;
    kernels->add = add;
    kernels->activate = activate;
    kernels->rotate = rotate;
    kernels->amax = amax;
    kernels->sum_bits = sum_bits;
    kernels->quantise = quantise;
    kernels->quantise_heads = quantise_heads;
    kernels->quantise_head_bytes = quantise_head_bytes;
}

#endif
