/* Sixteen lanes in one AVX-512 register. See lanes_c.h for what each operation means. */
#ifndef BERTD_ACCEL_CPU_LANES_H
#define BERTD_ACCEL_CPU_LANES_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#ifdef CPU_SIGNED_OPERANDS
enum { LANES = 16, OPERAND_SIZE = 1, OPERAND_FLIP = 0 };
#else
enum { LANES = 16, OPERAND_SIZE = 1, OPERAND_FLIP = -128 }; /* q + 128 is q with its highest bit flipped */
#endif

enum { LANES_TOGETHER = 4 }; /* see lanes_fours.h */

typedef __m512 lanes;
typedef __m512i ints;

static inline __mmask16 lanes_mask(size_t n)
{
    return (__mmask16)((1u << n) - 1);
}

static inline lanes lanes_set(float x)
{
    return _mm512_set1_ps(x);
}

static inline lanes lanes_load(const float *p)
{
    return _mm512_loadu_ps(p);
}

static inline lanes lanes_load_part(const float *p, size_t n)
{
    return _mm512_maskz_loadu_ps(lanes_mask(n), p);
}

static inline void lanes_store(float *p, lanes x)
{
    _mm512_storeu_ps(p, x);
}

static inline void lanes_store_part(float *p, lanes x, size_t n)
{
    _mm512_mask_storeu_ps(p, lanes_mask(n), x);
}

static inline lanes lanes_keep(lanes x, size_t n, lanes other)
{
    return _mm512_mask_mov_ps(other, lanes_mask(n), x);
}

static inline lanes lanes_add(lanes a, lanes b)
{
    return _mm512_add_ps(a, b);
}

static inline lanes lanes_sub(lanes a, lanes b)
{
    return _mm512_sub_ps(a, b);
}

static inline lanes lanes_mul(lanes a, lanes b)
{
    return _mm512_mul_ps(a, b);
}

static inline lanes lanes_div(lanes a, lanes b)
{
    return _mm512_div_ps(a, b);
}

static inline lanes lanes_fma(lanes a, lanes b, lanes c)
{
    return _mm512_fmadd_ps(a, b, c);
}

static inline lanes lanes_fma_minus(lanes a, lanes b, lanes c)
{
    return _mm512_fnmadd_ps(a, b, c);
}

static inline lanes lanes_max(lanes a, lanes b)
{
    return _mm512_max_ps(a, b);
}

static inline lanes lanes_min(lanes a, lanes b)
{
    return _mm512_min_ps(a, b);
}

static inline lanes lanes_where_less(lanes a, lanes b, lanes yes, lanes no)
{
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), no, yes);
}

static inline lanes lanes_zero_where_less(lanes a, lanes b, lanes x)
{
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(a, b, _CMP_NLT_UQ), x);
}

static inline lanes lanes_scaled(lanes x, lanes n, lanes shifted)
{
    (void)shifted;
    return _mm512_scalef_ps(x, n);
}

static inline lanes lanes_lookup(const float table[8], ints index)
{
    return _mm512_permutexvar_ps(index, _mm512_broadcast_f32x8(_mm256_loadu_ps(table)));
}

static inline float lanes_sum(lanes x)
{
    __m256 a = _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
    __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    b = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(b, _mm_movehdup_ps(b)));
}

static inline float lanes_largest(lanes x)
{
    return _mm512_reduce_max_ps(x);
}

static inline lanes lanes_from_ints(ints x)
{
    return _mm512_cvtepi32_ps(x);
}

static inline lanes lanes_from_bits(ints x)
{
    return _mm512_castsi512_ps(x);
}

static inline ints ints_set(int32_t x)
{
    return _mm512_set1_epi32(x);
}

static inline ints ints_load(const int32_t *p)
{
    return _mm512_loadu_si512(p);
}

static inline ints ints_load_part(const int32_t *p, size_t n)
{
    return _mm512_maskz_loadu_epi32(lanes_mask(n), p);
}

static inline ints ints_nearest(lanes x)
{
    return _mm512_cvtps_epi32(x);
}

static inline ints ints_bits(lanes x)
{
    return _mm512_castps_si512(x);
}

static inline ints ints_magnitude(lanes x)
{
    return _mm512_and_si512(_mm512_castps_si512(x), _mm512_set1_epi32(0x7fffffff));
}

static inline lanes lanes_least_magnitude(lanes x, lanes limit)
{
    enum { LEAST_MAGNITUDE = 2, POSITIVE = 2 << 2 };
    return _mm512_range_ps(x, limit, LEAST_MAGNITUDE | POSITIVE);
}

static inline ints ints_add(ints a, ints b)
{
    return _mm512_add_epi32(a, b);
}

static inline ints ints_multiply(ints a, ints b)
{
    return _mm512_mullo_epi32(a, b);
}

/* Written out: gcc's _mm512_reduce_add_epi32 ends in a signed addition, which may not overflow. */
static inline uint32_t ints_sum(ints x)
{
    __m256i a = _mm256_add_epi32(_mm512_castsi512_si256(x), _mm512_extracti64x4_epi64(x, 1));
    __m128i b = _mm_add_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    b = _mm_add_epi32(b, _mm_shuffle_epi32(b, 0x4e));
    return (uint32_t)_mm_cvtsi128_si32(_mm_add_epi32(b, _mm_shuffle_epi32(b, 0xb1)));
}

static inline ints ints_and(ints a, ints b)
{
    return _mm512_and_si512(a, b);
}

static inline ints ints_shift_left(ints x, int count)
{
    return _mm512_slli_epi32(x, (unsigned)count);
}

static inline ints ints_shift_right(ints x, int count)
{
    return _mm512_srai_epi32(x, (unsigned)count);
}

static inline ints ints_max(ints a, ints b)
{
    return _mm512_max_epi32(a, b);
}

static inline ints ints_min(ints a, ints b)
{
    return _mm512_min_epi32(a, b);
}

static inline int32_t ints_largest(ints x)
{
    return _mm512_reduce_max_epi32(x);
}

static inline void ints_store_bytes(int8_t *p, ints x)
{
    _mm_storeu_si128((__m128i *)p, _mm512_cvtepi32_epi8(x));
}

static inline void ints_store_bytes_part(int8_t *p, ints x, size_t n)
{
    _mm_mask_storeu_epi8(p, lanes_mask(n), _mm512_cvtepi32_epi8(x));
}

static inline void ints_store_operands(void *operands, size_t i, ints x)
{
    __m128i bytes = _mm_xor_si128(_mm512_cvtepi32_epi8(x), _mm_set1_epi8(OPERAND_FLIP));
    _mm_storeu_si128((__m128i *)((uint8_t *)operands + i), bytes);
}

static inline void ints_store_digits(void *operands, size_t i, ints x)
{
    _mm_storeu_si128((__m128i *)((uint8_t *)operands + i), _mm512_cvtepi32_epi8(x));
}

static inline ints ints_load_operands(const void *operands, size_t i)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)((const uint8_t *)operands + i));
    return _mm512_cvtepi8_epi32(_mm_xor_si128(bytes, _mm_set1_epi8(OPERAND_FLIP)));
}

/* Four registers are reduced at once: their halves, then quarters, pairs and neighbours, as one would be. */
#define LANES_REDUCE_4(ret, x, shuffle, permute, op)                                                                   \
    {                                                                                                                  \
        __typeof__(ret) ab = op(shuffle(x[0], x[1], 0x44), shuffle(x[0], x[1], 0xee));                                 \
        __typeof__(ret) cd = op(shuffle(x[2], x[3], 0x44), shuffle(x[2], x[3], 0xee));                                 \
        ret = op(shuffle(ab, cd, 0x88), shuffle(ab, cd, 0xdd));                                                        \
        ret = op(ret, permute(ret, 0x4e));                                                                             \
        ret = op(ret, permute(ret, 0xb1));                                                                             \
    }

static inline __m128i ints_firsts(__m512i quads)
{
    return _mm512_castsi512_si128(_mm512_permutexvar_epi32(_mm512_setr4_epi32(0, 4, 8, 12), quads));
}

static inline void lanes_sum_4(float *to, const lanes *x)
{
    lanes sums;
    LANES_REDUCE_4(sums, x, _mm512_shuffle_f32x4, _mm512_permute_ps, _mm512_add_ps)
    _mm_storeu_si128((__m128i *)to, ints_firsts(ints_bits(sums)));
}

static inline void lanes_largest_4(float *to, const lanes *x)
{
    lanes largest;
    LANES_REDUCE_4(largest, x, _mm512_shuffle_f32x4, _mm512_permute_ps, _mm512_max_ps)
    _mm_storeu_si128((__m128i *)to, ints_firsts(ints_bits(largest)));
}

static inline void ints_sum_4(uint32_t *to, const ints *x)
{
    ints sums;
    LANES_REDUCE_4(sums, x, _mm512_shuffle_i32x4, _mm512_shuffle_epi32, _mm512_add_epi32)
    _mm_storeu_si128((__m128i *)to, ints_firsts(sums));
}

static inline void ints_largest_4(int32_t *to, const ints *x)
{
    ints largest;
    LANES_REDUCE_4(largest, x, _mm512_shuffle_i32x4, _mm512_shuffle_epi32, _mm512_max_epi32)
    _mm_storeu_si128((__m128i *)to, ints_firsts(largest));
}

static inline ints ints_add_product(ints sum, ints a, ints b)
{
    return _mm512_dpwssd_epi32(sum, a, b);
}

/* sums [4]: to each lane of the i-th, byte i of that lane. */
static inline void ints_add_each_byte(ints *sums, const int8_t *bytes)
{
    const __m512i all = _mm512_loadu_si512(bytes);
    sums[0] = _mm512_dpbusd_epi32(sums[0], _mm512_set1_epi32(1), all);
    sums[1] = _mm512_dpbusd_epi32(sums[1], _mm512_set1_epi32(1 << 8), all);
    sums[2] = _mm512_dpbusd_epi32(sums[2], _mm512_set1_epi32(1 << 16), all);
    sums[3] = _mm512_dpbusd_epi32(sums[3], _mm512_set1_epi32(1 << 24), all);
}

/* Sixteen bytes of each of four, which packing left in quads. */
static inline __m512i ints_gathered(__m512i bytes)
{
    return _mm512_permutexvar_epi32(_mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), bytes);
}

static inline void ints_store_digits_4(void *high, void *low, size_t i, const ints *p)
{
    const __m512i mask = _mm512_set1_epi16(0x7f);
    __m512i ab = _mm512_packs_epi32(p[0], p[1]), cd = _mm512_packs_epi32(p[2], p[3]);
    __m512i lows = _mm512_packs_epi16(_mm512_and_si512(ab, mask), _mm512_and_si512(cd, mask));
    __m512i highs = _mm512_packs_epi16(_mm512_srli_epi16(ab, 7), _mm512_srli_epi16(cd, 7));
    _mm512_storeu_si512((int8_t *)low + i, ints_gathered(lows));
    _mm512_storeu_si512((int8_t *)high + i, ints_gathered(highs));
}

/* One stage of the Hadamard transform at a distance of 1, 2, 4 or 8 lanes: the partner of each lane, plus the lane
 * itself or minus it. The product by one is exact. */
static inline lanes lanes_stage(lanes x, lanes partner, uint32_t minus)
{
    const __m512 ones = _mm512_set1_ps(1), minuses = _mm512_set1_ps(-1);
    return _mm512_fmadd_ps(x, _mm512_mask_blend_ps((__mmask16)minus, ones, minuses), partner);
}

static inline lanes lanes_butterfly_1(lanes x)
{
    return lanes_stage(x, _mm512_permute_ps(x, 0xb1), 0xaaaa);
}

/* A load that repeats lanes takes no other port, but the compiler would load once and shuffle twice. */
static inline lanes lanes_load_butterfly_1(const float *p)
{
    lanes even, odd;
    __asm__("vmovsldup %1, %0" : "=v"(even) : "m"(*(const __m512_u *)p));
    __asm__("vmovshdup %1, %0" : "=v"(odd) : "m"(*(const __m512_u *)p));
    return lanes_stage(odd, even, 0xaaaa);
}

static inline lanes lanes_butterfly_2(lanes x)
{
    return lanes_stage(x, _mm512_permute_ps(x, 0x4e), 0xcccc);
}

static inline lanes lanes_butterfly_4(lanes x)
{
    return lanes_stage(x, _mm512_shuffle_f32x4(x, x, 0xb1), 0xf0f0);
}

static inline lanes lanes_butterfly_8(lanes x)
{
    return lanes_stage(x, _mm512_shuffle_f32x4(x, x, 0x4e), 0xff00);
}

#endif
