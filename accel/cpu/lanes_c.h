/* The sixteen lanes that docs/numerics.md reduces rows in, in plain C. lanes_avx2.h and lanes_avx512vnni.h give the
 * same operations in registers; rows_body.h and attention_body.h are written in them once and compiled with each.
 *
 * `_part` works on the first n < 16 lanes and leaves memory past them alone; loaded lanes past n are 0.
 */
#ifndef BERTD_ACCEL_CPU_LANES_H
#define BERTD_ACCEL_CPU_LANES_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { LANES = 16, LANES_TOGETHER = 1, OPERAND_SIZE = sizeof(int16_t) };

typedef struct {
    float lane[LANES];
} lanes;

typedef struct {
    int32_t lane[LANES];
} ints;

#define EACH_LANE for (int l = 0; l < LANES; l++)

static inline lanes lanes_set(float x)
{
    lanes r;
    EACH_LANE r.lane[l] = x;
    return r;
}

static inline lanes lanes_load(const float *p)
{
    lanes r;
    memcpy(r.lane, p, sizeof r.lane);
    return r;
}

static inline lanes lanes_load_part(const float *p, size_t n)
{
    lanes r = {{0}};
    memcpy(r.lane, p, n * sizeof *p);
    return r;
}

static inline void lanes_store(float *p, lanes x)
{
    memcpy(p, x.lane, sizeof x.lane);
}

static inline void lanes_store_part(float *p, lanes x, size_t n)
{
    memcpy(p, x.lane, n * sizeof *p);
}

/* The first n lanes of x, the others of `other`. */
static inline lanes lanes_keep(lanes x, size_t n, lanes other)
{
    memcpy(other.lane, x.lane, n * sizeof *x.lane);
    return other;
}

static inline lanes lanes_add(lanes a, lanes b)
{
    EACH_LANE a.lane[l] += b.lane[l];
    return a;
}

static inline lanes lanes_sub(lanes a, lanes b)
{
    EACH_LANE a.lane[l] -= b.lane[l];
    return a;
}

static inline lanes lanes_mul(lanes a, lanes b)
{
    EACH_LANE a.lane[l] *= b.lane[l];
    return a;
}

static inline lanes lanes_div(lanes a, lanes b)
{
    EACH_LANE a.lane[l] /= b.lane[l];
    return a;
}

static inline lanes lanes_fma(lanes a, lanes b, lanes c)
{
    EACH_LANE c.lane[l] = fmaf(a.lane[l], b.lane[l], c.lane[l]);
    return c;
}

/* -a * b + c */
static inline lanes lanes_fma_minus(lanes a, lanes b, lanes c)
{
    EACH_LANE c.lane[l] = fmaf(-a.lane[l], b.lane[l], c.lane[l]);
    return c;
}

static inline lanes lanes_max(lanes a, lanes b)
{
    EACH_LANE a.lane[l] = a.lane[l] > b.lane[l] ? a.lane[l] : b.lane[l];
    return a;
}

static inline lanes lanes_min(lanes a, lanes b)
{
    EACH_LANE a.lane[l] = a.lane[l] < b.lane[l] ? a.lane[l] : b.lane[l];
    return a;
}

/* a < b ? yes : no */
static inline lanes lanes_where_less(lanes a, lanes b, lanes yes, lanes no)
{
    EACH_LANE no.lane[l] = a.lane[l] < b.lane[l] ? yes.lane[l] : no.lane[l];
    return no;
}

/* a < b ? 0 : x */
static inline lanes lanes_zero_where_less(lanes a, lanes b, lanes x)
{
    EACH_LANE x.lane[l] = a.lane[l] < b.lane[l] ? 0 : x.lane[l];
    return x;
}

/* The element of the table that each index's low three bits choose; bit 3 is 0. */
static inline lanes lanes_lookup(const float table[8], ints index)
{
    lanes r;
    EACH_LANE r.lane[l] = table[index.lane[l] & 7];
    return r;
}

/* l + l+8, then l+4, l+2, l+1. */
static inline float lanes_sum(lanes x)
{
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int l = 0; l < half; l++)
            x.lane[l] += x.lane[l + half];
    return x.lane[0];
}

static inline float lanes_largest(lanes x)
{
    float r = x.lane[0];
    EACH_LANE r = x.lane[l] > r ? x.lane[l] : r;
    return r;
}

static inline lanes lanes_from_ints(ints x)
{
    lanes r;
    EACH_LANE r.lane[l] = (float)x.lane[l];
    return r;
}

static inline lanes lanes_from_bits(ints x)
{
    lanes r;
    memcpy(r.lane, x.lane, sizeof r.lane);
    return r;
}

static inline ints ints_set(int32_t x)
{
    ints r;
    EACH_LANE r.lane[l] = x;
    return r;
}

static inline ints ints_load(const int32_t *p)
{
    ints r;
    memcpy(r.lane, p, sizeof r.lane);
    return r;
}

static inline ints ints_load_part(const int32_t *p, size_t n)
{
    ints r = {{0}};
    memcpy(r.lane, p, n * sizeof *p);
    return r;
}

/* To the nearest integer, ties to even, of magnitudes below 2^22: adding 1.5 * 2^23 leaves no fraction bits. */
static inline ints ints_nearest(lanes x)
{
    const float magic = 0x1.8p23f;
    ints r;
    EACH_LANE r.lane[l] = (int32_t)((x.lane[l] + magic) - magic);
    return r;
}

static inline ints ints_bits(lanes x)
{
    ints r;
    memcpy(r.lane, x.lane, sizeof r.lane);
    return r;
}

/* The bits of |x|, in the order of the magnitudes, with Inf and NaN above everything. */
static inline ints ints_magnitude(lanes x)
{
    ints r = ints_bits(x);
    EACH_LANE r.lane[l] &= 0x7fffffff;
    return r;
}

/* min(|x|, limit), where limit is not negative; limit where x is NaN. */
static inline lanes lanes_least_magnitude(lanes x, lanes limit)
{
    return lanes_min(lanes_from_bits(ints_magnitude(x)), limit);
}

static inline ints ints_add(ints a, ints b)
{
    EACH_LANE a.lane[l] = (int32_t)((uint32_t)a.lane[l] + (uint32_t)b.lane[l]);
    return a;
}

/* Modulo 2^32. */
static inline ints ints_multiply(ints a, ints b)
{
    EACH_LANE a.lane[l] = (int32_t)((uint32_t)a.lane[l] * (uint32_t)b.lane[l]);
    return a;
}

/* sum + a * b modulo 2^32, where both fit 16 bits and a is not negative. */
static inline ints ints_add_product(ints sum, ints a, ints b)
{
    EACH_LANE sum.lane[l] = (int32_t)((uint32_t)sum.lane[l] + (uint32_t)a.lane[l] * (uint32_t)b.lane[l]);
    return sum;
}

static inline uint32_t ints_sum(ints x)
{
    uint32_t r = 0;
    EACH_LANE r += (uint32_t)x.lane[l];
    return r;
}

static inline ints ints_and(ints a, ints b)
{
    EACH_LANE a.lane[l] &= b.lane[l];
    return a;
}

static inline ints ints_shift_left(ints x, int count)
{
    EACH_LANE x.lane[l] = (int32_t)((uint32_t)x.lane[l] << count);
    return x;
}

static inline ints ints_shift_right(ints x, int count)
{
    EACH_LANE x.lane[l] >>= count;
    return x;
}

/* x * 2^n where the result is normal: n is an integer, and the low bits of `shifted`. */
static inline lanes lanes_scaled(lanes x, lanes n, lanes shifted)
{
    (void)n;
    return lanes_from_bits(ints_add(ints_bits(x), ints_shift_left(ints_bits(shifted), 23)));
}

static inline ints ints_max(ints a, ints b)
{
    EACH_LANE a.lane[l] = a.lane[l] > b.lane[l] ? a.lane[l] : b.lane[l];
    return a;
}

static inline ints ints_min(ints a, ints b)
{
    EACH_LANE a.lane[l] = a.lane[l] < b.lane[l] ? a.lane[l] : b.lane[l];
    return a;
}

static inline int32_t ints_largest(ints x)
{
    int32_t r = x.lane[0];
    EACH_LANE r = x.lane[l] > r ? x.lane[l] : r;
    return r;
}

/* Values within -128..127. */
static inline void ints_store_bytes_part(int8_t *p, ints x, size_t n)
{
    for (size_t l = 0; l < n; l++)
        p[l] = (int8_t)x.lane[l];
}

static inline void ints_store_bytes(int8_t *p, ints x)
{
    ints_store_bytes_part(p, x, LANES);
}

/* Sixteen operands from element i on: activations, and digits of P, which carry no offset. */
static inline void ints_store_operands(void *operands, size_t i, ints x)
{
    int16_t *p = (int16_t *)operands + i;
    EACH_LANE p[l] = (int16_t)x.lane[l];
}

static inline void ints_store_digits(void *operands, size_t i, ints x)
{
    ints_store_operands(operands, i, x);
}

/* Sixteen operands of activations as numbers. */
static inline ints ints_load_operands(const void *operands, size_t i)
{
    const int16_t *p = (const int16_t *)operands + i;
    ints r;
    EACH_LANE r.lane[l] = p[l];
    return r;
}

/* One stage of the Hadamard transform: lanes `distance` apart become their sum and difference. */
static inline lanes lanes_butterfly(lanes x, int distance)
{
    lanes r;
    EACH_LANE r.lane[l] = l & distance ? x.lane[l - distance] - x.lane[l] : x.lane[l] + x.lane[l + distance];
    return r;
}

static inline lanes lanes_butterfly_1(lanes x)
{
    return lanes_butterfly(x, 1);
}

/* Of what lies there. */
static inline lanes lanes_load_butterfly_1(const float *p)
{
    return lanes_butterfly_1(lanes_load(p));
}

static inline lanes lanes_butterfly_2(lanes x)
{
    return lanes_butterfly(x, 2);
}

static inline lanes lanes_butterfly_4(lanes x)
{
    return lanes_butterfly(x, 4);
}

static inline lanes lanes_butterfly_8(lanes x)
{
    return lanes_butterfly(x, 8);
}

#endif
