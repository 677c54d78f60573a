/* Sixteen lanes in two AVX2 registers: `low` holds lanes 0..7. See lanes_c.h for what each operation means. */
#ifndef BERTD_ACCEL_CPU_LANES_H
#define BERTD_ACCEL_CPU_LANES_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

enum { LANES = 16, LANES_TOGETHER = 1 };

typedef struct {
    __m256 low, high;
} lanes;

typedef struct {
    __m256i low, high;
} ints;

/* All ones in the first n of 16 lanes. */
static inline ints ints_mask(size_t n)
{
    const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m256i count = _mm256_set1_epi32((int)n);
    return (ints){_mm256_cmpgt_epi32(count, index),
                  _mm256_cmpgt_epi32(count, _mm256_add_epi32(index, _mm256_set1_epi32(8)))};
}

static inline lanes lanes_set(float x)
{
    return (lanes){_mm256_set1_ps(x), _mm256_set1_ps(x)};
}

static inline lanes lanes_load(const float *p)
{
    return (lanes){_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}

static inline lanes lanes_load_part(const float *p, size_t n)
{
    ints mask = ints_mask(n);
    return (lanes){_mm256_maskload_ps(p, mask.low), _mm256_maskload_ps(p + 8, mask.high)};
}

static inline void lanes_store(float *p, lanes x)
{
    _mm256_storeu_ps(p, x.low);
    _mm256_storeu_ps(p + 8, x.high);
}

static inline void lanes_store_part(float *p, lanes x, size_t n)
{
    ints mask = ints_mask(n);
    _mm256_maskstore_ps(p, mask.low, x.low);
    _mm256_maskstore_ps(p + 8, mask.high, x.high);
}

static inline lanes lanes_keep(lanes x, size_t n, lanes other)
{
    ints mask = ints_mask(n);
    return (lanes){_mm256_blendv_ps(other.low, x.low, _mm256_castsi256_ps(mask.low)),
                   _mm256_blendv_ps(other.high, x.high, _mm256_castsi256_ps(mask.high))};
}

static inline lanes lanes_add(lanes a, lanes b)
{
    return (lanes){_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)};
}

static inline lanes lanes_sub(lanes a, lanes b)
{
    return (lanes){_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high)};
}

static inline lanes lanes_mul(lanes a, lanes b)
{
    return (lanes){_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)};
}

static inline lanes lanes_div(lanes a, lanes b)
{
    return (lanes){_mm256_div_ps(a.low, b.low), _mm256_div_ps(a.high, b.high)};
}

static inline lanes lanes_fma(lanes a, lanes b, lanes c)
{
    return (lanes){_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
}

static inline lanes lanes_fma_minus(lanes a, lanes b, lanes c)
{
    return (lanes){_mm256_fnmadd_ps(a.low, b.low, c.low), _mm256_fnmadd_ps(a.high, b.high, c.high)};
}

static inline lanes lanes_max(lanes a, lanes b)
{
    return (lanes){_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)};
}

static inline lanes lanes_min(lanes a, lanes b)
{
    return (lanes){_mm256_min_ps(a.low, b.low), _mm256_min_ps(a.high, b.high)};
}

static inline lanes lanes_where_less(lanes a, lanes b, lanes yes, lanes no)
{
    return (lanes){_mm256_blendv_ps(no.low, yes.low, _mm256_cmp_ps(a.low, b.low, _CMP_LT_OQ)),
                   _mm256_blendv_ps(no.high, yes.high, _mm256_cmp_ps(a.high, b.high, _CMP_LT_OQ))};
}

static inline lanes lanes_zero_where_less(lanes a, lanes b, lanes x)
{
    return (lanes){_mm256_andnot_ps(_mm256_cmp_ps(a.low, b.low, _CMP_LT_OQ), x.low),
                   _mm256_andnot_ps(_mm256_cmp_ps(a.high, b.high, _CMP_LT_OQ), x.high)};
}

static inline lanes lanes_lookup(const float table[8], ints index)
{
    return (lanes){_mm256_permutevar8x32_ps(_mm256_loadu_ps(table), index.low),
                   _mm256_permutevar8x32_ps(_mm256_loadu_ps(table), index.high)};
}

static inline float lanes_sum(lanes x)
{
    __m256 a = _mm256_add_ps(x.low, x.high);
    __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    b = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(b, _mm_movehdup_ps(b)));
}

static inline float lanes_largest(lanes x)
{
    __m256 a = _mm256_max_ps(x.low, x.high);
    __m128 b = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    b = _mm_max_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_max_ss(b, _mm_movehdup_ps(b)));
}

static inline lanes lanes_from_ints(ints x)
{
    return (lanes){_mm256_cvtepi32_ps(x.low), _mm256_cvtepi32_ps(x.high)};
}

static inline lanes lanes_from_bits(ints x)
{
    return (lanes){_mm256_castsi256_ps(x.low), _mm256_castsi256_ps(x.high)};
}

static inline ints ints_set(int32_t x)
{
    return (ints){_mm256_set1_epi32(x), _mm256_set1_epi32(x)};
}

static inline ints ints_load(const int32_t *p)
{
    return (ints){_mm256_loadu_si256((const __m256i *)p), _mm256_loadu_si256((const __m256i *)(p + 8))};
}

static inline ints ints_load_part(const int32_t *p, size_t n)
{
    ints mask = ints_mask(n);
    return (ints){_mm256_maskload_epi32(p, mask.low), _mm256_maskload_epi32(p + 8, mask.high)};
}

static inline ints ints_nearest(lanes x)
{
    return (ints){_mm256_cvtps_epi32(x.low), _mm256_cvtps_epi32(x.high)};
}

static inline ints ints_bits(lanes x)
{
    return (ints){_mm256_castps_si256(x.low), _mm256_castps_si256(x.high)};
}

static inline ints ints_magnitude(lanes x)
{
    const __m256 mask = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff));
    return (ints){_mm256_castps_si256(_mm256_and_ps(x.low, mask)), _mm256_castps_si256(_mm256_and_ps(x.high, mask))};
}

static inline lanes lanes_least_magnitude(lanes x, lanes limit)
{
    return lanes_min(lanes_from_bits(ints_magnitude(x)), limit);
}

static inline ints ints_add(ints a, ints b)
{
    return (ints){_mm256_add_epi32(a.low, b.low), _mm256_add_epi32(a.high, b.high)};
}

static inline ints ints_multiply(ints a, ints b)
{
    return (ints){_mm256_mullo_epi32(a.low, b.low), _mm256_mullo_epi32(a.high, b.high)};
}

static inline ints ints_add_product(ints sum, ints a, ints b)
{
    return (ints){_mm256_add_epi32(sum.low, _mm256_madd_epi16(a.low, b.low)),
                  _mm256_add_epi32(sum.high, _mm256_madd_epi16(a.high, b.high))};
}

static inline uint32_t ints_sum(ints x)
{
    __m256i a = _mm256_add_epi32(x.low, x.high);
    __m128i b = _mm_add_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    b = _mm_add_epi32(b, _mm_shuffle_epi32(b, 0x4e));
    return (uint32_t)_mm_cvtsi128_si32(_mm_add_epi32(b, _mm_shuffle_epi32(b, 0xb1)));
}

static inline ints ints_and(ints a, ints b)
{
    return (ints){_mm256_and_si256(a.low, b.low), _mm256_and_si256(a.high, b.high)};
}

static inline ints ints_shift_left(ints x, int count)
{
    return (ints){_mm256_slli_epi32(x.low, count), _mm256_slli_epi32(x.high, count)};
}

static inline ints ints_shift_right(ints x, int count)
{
    return (ints){_mm256_srai_epi32(x.low, count), _mm256_srai_epi32(x.high, count)};
}

static inline lanes lanes_scaled(lanes x, lanes n, lanes shifted)
{
    (void)n;
    return lanes_from_bits(ints_add(ints_bits(x), ints_shift_left(ints_bits(shifted), 23)));
}

static inline ints ints_max(ints a, ints b)
{
    return (ints){_mm256_max_epi32(a.low, b.low), _mm256_max_epi32(a.high, b.high)};
}

static inline ints ints_min(ints a, ints b)
{
    return (ints){_mm256_min_epi32(a.low, b.low), _mm256_min_epi32(a.high, b.high)};
}

static inline int32_t ints_largest(ints x)
{
    __m256i a = _mm256_max_epi32(x.low, x.high);
    __m128i b = _mm_max_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    b = _mm_max_epi32(b, _mm_shuffle_epi32(b, 0x4e));
    return _mm_cvtsi128_si32(_mm_max_epi32(b, _mm_shuffle_epi32(b, 0xb1)));
}

static inline __m256i ints_words(ints x)
{
    return _mm256_permute4x64_epi64(_mm256_packs_epi32(x.low, x.high), 0xd8);
}

static inline __m128i ints_bytes(ints x)
{
    __m256i words = ints_words(x);
    return _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
}

static inline void ints_store_bytes(int8_t *p, ints x)
{
    _mm_storeu_si128((__m128i *)p, ints_bytes(x));
}

static inline void ints_store_bytes_part(int8_t *p, ints x, size_t n)
{
    int8_t bytes[LANES];
    ints_store_bytes(bytes, x);
    __builtin_memcpy(p, bytes, n);
}

#ifdef CPU_BYTE_OPERANDS
enum { OPERAND_SIZE = 1 };

static inline void ints_store_operands(void *operands, size_t i, ints x)
{
    __m128i bytes = _mm_xor_si128(ints_bytes(x), _mm_set1_epi8(-128));
    _mm_storeu_si128((__m128i *)((uint8_t *)operands + i), bytes);
}

static inline void ints_store_digits(void *operands, size_t i, ints x)
{
    _mm_storeu_si128((__m128i *)((uint8_t *)operands + i), ints_bytes(x));
}

static inline ints ints_load_operands(const void *operands, size_t i)
{
    __m128i bytes = _mm_loadu_si128((const __m128i *)((const uint8_t *)operands + i));
    bytes = _mm_xor_si128(bytes, _mm_set1_epi8(-128));
    return (ints){_mm256_cvtepi8_epi32(bytes), _mm256_cvtepi8_epi32(_mm_srli_si128(bytes, 8))};
}
#else
enum { OPERAND_SIZE = sizeof(int16_t) };

static inline void ints_store_operands(void *operands, size_t i, ints x)
{
    _mm256_storeu_si256((__m256i *)((int16_t *)operands + i), ints_words(x));
}

static inline void ints_store_digits(void *operands, size_t i, ints x)
{
    ints_store_operands(operands, i, x);
}

static inline ints ints_load_operands(const void *operands, size_t i)
{
    const __m128i *words = (const __m128i *)((const int16_t *)operands + i);
    return (ints){_mm256_cvtepi16_epi32(_mm_loadu_si128(words)), _mm256_cvtepi16_epi32(_mm_loadu_si128(words + 1))};
}
#endif

/* One stage of the Hadamard transform at a distance of 1, 2 or 4 lanes: the partner of each lane, plus the lane itself
 * or minus it. The product by one is exact. */
static inline lanes lanes_butterfly_1(lanes x)
{
    const __m256 sign = _mm256_setr_ps(1, -1, 1, -1, 1, -1, 1, -1);
    return (lanes){_mm256_fmadd_ps(x.low, sign, _mm256_permute_ps(x.low, 0xb1)),
                   _mm256_fmadd_ps(x.high, sign, _mm256_permute_ps(x.high, 0xb1))};
}

static inline lanes lanes_load_butterfly_1(const float *p)
{
    return lanes_butterfly_1(lanes_load(p));
}

static inline lanes lanes_butterfly_2(lanes x)
{
    const __m256 sign = _mm256_setr_ps(1, 1, -1, -1, 1, 1, -1, -1);
    return (lanes){_mm256_fmadd_ps(x.low, sign, _mm256_permute_ps(x.low, 0x4e)),
                   _mm256_fmadd_ps(x.high, sign, _mm256_permute_ps(x.high, 0x4e))};
}

static inline lanes lanes_butterfly_4(lanes x)
{
    const __m256 sign = _mm256_setr_ps(1, 1, 1, 1, -1, -1, -1, -1);
    return (lanes){_mm256_fmadd_ps(x.low, sign, _mm256_permute2f128_ps(x.low, x.low, 1)),
                   _mm256_fmadd_ps(x.high, sign, _mm256_permute2f128_ps(x.high, x.high, 1))};
}

static inline lanes lanes_butterfly_8(lanes x)
{
    return (lanes){_mm256_add_ps(x.low, x.high), _mm256_sub_ps(x.low, x.high)};
}

#endif
