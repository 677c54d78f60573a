/* What weights were clipped by, times the rows: where the accumulators of linear_avx2.c begin. Rows are transposed
 * into columns, CPU_RESIDUAL_MANY at a time or, where there are no more, CPU_RESIDUAL_FEW.
 */
#include "accel/cpu/residual_avx2.h"

#include <immintrin.h>
#include <string.h>

#include "accel/cpu/tiles.h"

enum {
    MANY_SCALE = CPU_RESIDUAL_MANY / CPU_RESIDUAL_PLACE, /* from places to bytes: what an address can be scaled by */
    FEW_SCALE = CPU_RESIDUAL_FEW / CPU_RESIDUAL_PLACE,
};

static inline __m256i load(const void *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}

static inline int32_t pair_at(const struct cpu_residual *at, size_t pair)
{
    int32_t both;
    memcpy(&both, at->residuals[pair], sizeof both);
    return both;
}

static inline const uint8_t *row_at(const struct cpu_gemm *g, size_t row)
{
    return (const uint8_t *)g->rows + (row < g->n_rows ? row : g->n_rows - 1) * g->row_stride;
}

static inline const struct cpu_residual *residuals_of(const struct cpu_gemm *g, size_t panel)
{
    return g->clipped.residuals + panel * cpu_residual_room((uint32_t)cpu_linear_inputs(g));
}

/* Many rows ------------------------------------------------------------------------------------------------------- */

/* One step of transposing 16 vectors of 16 bytes into columns, of four: rows i and i + 8 interleaved. */
static inline void interleave(__m256i to[16], const __m256i from[16])
{
#pragma GCC unroll 8
    for (size_t i = 0; i < 8; i++) {
        to[2 * i] = _mm256_unpacklo_epi8(from[i], from[i + 8]);
        to[2 * i + 1] = _mm256_unpackhi_epi8(from[i], from[i + 8]);
    }
}

/* 16 inputs of CPU_RESIDUAL_MANY rows. */
static inline void transpose_inputs(uint8_t *columns, const uint8_t *const rows[CPU_RESIDUAL_MANY], size_t input)
{
    __m256i a[16], b[16];
#pragma GCC unroll 16
    for (size_t r = 0; r < 16; r++)
        b[r] = _mm256_set_m128i(_mm_loadu_si128((const __m128i *)(rows[r + 16] + input)),
                                _mm_loadu_si128((const __m128i *)(rows[r] + input)));
    interleave(a, b);
    interleave(b, a);
    interleave(a, b);
    interleave(b, a);
#pragma GCC unroll 16
    for (size_t i = 0; i < 16; i++)
        _mm256_storeu_si256((__m256i *)(columns + (input + i) * CPU_RESIDUAL_MANY), b[i]);
}

static void transpose_many(uint8_t *columns, const struct cpu_gemm *g, size_t row)
{
    const size_t inputs = cpu_linear_inputs(g);
    const uint8_t *rows[CPU_RESIDUAL_MANY];
    for (size_t r = 0; r < CPU_RESIDUAL_MANY; r++)
        rows[r] = row_at(g, row + r);
    size_t input = 0;
    for (; input + 16 <= inputs; input += 16)
        transpose_inputs(columns, rows, input);
    for (; input < inputs; input++)
        for (size_t r = 0; r < CPU_RESIDUAL_MANY; r++)
            columns[input * CPU_RESIDUAL_MANY + r] = rows[r][input];
}

/* What the residuals of a panel gives CPU_RESIDUAL_MANY rows: for each output rows 0-3 and 16-19, 4-7 and 20-23, and so
 * on.
 */
struct sums {
    __m256i rows[IMAGE_PANEL][4];
};

/* Two weights: to the 16 bits of rows 0-7 and 16-23, and 8-15 and 24-31. */
static inline void add_pair(__m256i *low, __m256i *high, const struct cpu_residual *at, size_t pair,
                            const uint8_t *columns)
{
    const __m256i residuals = _mm256_set1_epi32(pair_at(at, pair));
    const __m256i x = load(columns + at->places[pair][0] * (size_t)MANY_SCALE);
    const __m256i y = load(columns + at->places[pair][1] * (size_t)MANY_SCALE);
    *low = _mm256_add_epi16(*low, _mm256_maddubs_epi16(_mm256_unpacklo_epi8(x, y), residuals));
    *high = _mm256_add_epi16(*high, _mm256_maddubs_epi16(_mm256_unpackhi_epi8(x, y), residuals));
    __asm__("" : "+x"(*low), "+x"(*high));
}

static inline void sum_residuals(__m256i to[4], const struct cpu_residual *at, const uint8_t *columns)
{
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i low[2], high[2];
    for (size_t s = 0; s < 2; s++) {
        low[s] = high[s] = _mm256_setzero_si256();
#pragma GCC unroll 4
        for (size_t pair = 0; pair < CPU_RESIDUAL_PAIRS; pair++)
            add_pair(&low[s], &high[s], at, s * CPU_RESIDUAL_PAIRS + pair, columns);
    }
    to[0] = _mm256_madd_epi16(_mm256_unpacklo_epi16(low[0], low[1]), ones);
    to[1] = _mm256_madd_epi16(_mm256_unpackhi_epi16(low[0], low[1]), ones);
    to[2] = _mm256_madd_epi16(_mm256_unpacklo_epi16(high[0], high[1]), ones);
    to[3] = _mm256_madd_epi16(_mm256_unpackhi_epi16(high[0], high[1]), ones);
}

/* Where accumulators begin, of 4 outputs: four rows from `row` on, and four from 16 rows further on. */
CPU_TEMPLATE void store_transposed(const bool whole, const struct cpu_gemm *g, int32_t *acc, size_t row,
                                   const struct sums *sums, size_t output, size_t quad)
{
    const __m256i a = sums->rows[output][quad], b = sums->rows[output + 1][quad];
    const __m256i c = sums->rows[output + 2][quad], d = sums->rows[output + 3][quad];
    const __m256i ab = _mm256_unpacklo_epi32(a, b), AB = _mm256_unpackhi_epi32(a, b);
    const __m256i cd = _mm256_unpacklo_epi32(c, d), CD = _mm256_unpackhi_epi32(c, d);
    const __m256i transposed[4] = {_mm256_unpacklo_epi64(ab, cd), _mm256_unpackhi_epi64(ab, cd),
                                   _mm256_unpacklo_epi64(AB, CD), _mm256_unpackhi_epi64(AB, CD)};
    for (size_t r = 0; r < 4; r++) {
        if (whole || row + r < g->n_rows)
            _mm_storeu_si128((__m128i *)(acc + (row + r) * g->acc_stride), _mm256_castsi256_si128(transposed[r]));
        if (whole || row + r + 16 < g->n_rows)
            _mm_storeu_si128((__m128i *)(acc + (row + r + 16) * g->acc_stride),
                             _mm256_extracti128_si256(transposed[r], 1));
    }
}

CPU_TEMPLATE void store_sums(const bool whole, const struct cpu_gemm *g, int32_t *acc, size_t row,
                             const struct sums *sums)
{
#pragma GCC unroll 4
    for (size_t quad = 0; quad < 4; quad++)
#pragma GCC unroll 4
        for (size_t output = 0; output < IMAGE_PANEL; output += 4)
            store_transposed(whole, g, acc + output, row + 4 * quad, sums, output, quad);
}

static void begin_many(const struct cpu_gemm *g, size_t panel, size_t row, size_t ahead, const uint8_t *columns)
{
    const struct cpu_residual *residuals = residuals_of(g, panel), *later = residuals_of(g, panel + ahead);
    struct sums sums;
    for (size_t o = 0; o < IMAGE_PANEL; o++) {
        _mm_prefetch((const char *)&later[o], _MM_HINT_T1);
        sum_residuals(sums.rows[o], &residuals[o], columns);
    }
    for (size_t i = IMAGE_PANEL; i < g->clipped.counts[panel]; i++) {
        _mm_prefetch((const char *)&later[i], _MM_HINT_T1);
        __m256i more[4], *to = sums.rows[residuals[i].output];
        sum_residuals(more, &residuals[i], columns);
        for (size_t quad = 0; quad < 4; quad++)
            to[quad] = _mm256_add_epi32(to[quad], more[quad]);
    }
    int32_t *acc = g->acc + panel * IMAGE_PANEL;
    if (row + CPU_RESIDUAL_MANY <= g->n_rows)
        store_sums(true, g, acc, row, &sums);
    else
        store_sums(false, g, acc, row, &sums);
}

/* Few rows -------------------------------------------------------------------------------------------------------- */

static inline void interleave_few(__m128i to[8], const __m128i from[8])
{
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; i++) {
        to[2 * i] = _mm_unpacklo_epi8(from[i], from[i + 4]);
        to[2 * i + 1] = _mm_unpackhi_epi8(from[i], from[i + 4]);
    }
}

static void transpose_few(uint8_t *columns, const struct cpu_gemm *g)
{
    const size_t inputs = cpu_linear_inputs(g);
    size_t input = 0;
    for (; input + 16 <= inputs; input += 16) {
        __m128i a[8], b[8];
#pragma GCC unroll 8
        for (size_t r = 0; r < CPU_RESIDUAL_FEW; r++)
            a[r] = _mm_loadu_si128((const __m128i *)(row_at(g, r) + input));
        interleave_few(b, a);
        interleave_few(a, b);
        interleave_few(b, a);
#pragma GCC unroll 8
        for (size_t i = 0; i < 8; i++)
            _mm_storeu_si128((__m128i *)(columns + (input + 2 * i) * CPU_RESIDUAL_FEW), b[i]);
    }
    for (; input < inputs; input++)
        for (size_t r = 0; r < CPU_RESIDUAL_FEW; r++)
            columns[input * CPU_RESIDUAL_FEW + r] = row_at(g, r)[input];
}

/* Of one output: rows 0-3 and 4-7. */
struct few {
    __m128i rows[2];
};

static inline struct few sum_few(const struct cpu_residual *at, const uint8_t *columns)
{
    const __m128i ones = _mm_set1_epi16(1);
    __m128i sums[2];
#pragma GCC unroll 2
    for (size_t s = 0; s < 2; s++) {
        sums[s] = _mm_setzero_si128();
#pragma GCC unroll 4
        for (size_t pair = s * CPU_RESIDUAL_PAIRS; pair < (s + 1) * CPU_RESIDUAL_PAIRS; pair++) {
            const uint8_t *x = columns + at->places[pair][0] * (size_t)FEW_SCALE;
            const uint8_t *y = columns + at->places[pair][1] * (size_t)FEW_SCALE;
            const __m128i both =
                _mm_unpacklo_epi8(_mm_loadl_epi64((const __m128i *)x), _mm_loadl_epi64((const __m128i *)y));
            sums[s] = _mm_add_epi16(sums[s], _mm_maddubs_epi16(both, _mm_set1_epi32(pair_at(at, pair))));
            __asm__("" : "+x"(sums[s]));
        }
    }
    return (struct few){{_mm_madd_epi16(_mm_unpacklo_epi16(sums[0], sums[1]), ones),
                         _mm_madd_epi16(_mm_unpackhi_epi16(sums[0], sums[1]), ones)}};
}

/* Four rows from `row` on, of 4 outputs. */
static inline void store_few(const struct cpu_gemm *g, int32_t *acc, size_t row, const struct few of[4])
{
    const size_t quad = row / 4;
    const __m128i ab = _mm_unpacklo_epi32(of[0].rows[quad], of[1].rows[quad]);
    const __m128i AB = _mm_unpackhi_epi32(of[0].rows[quad], of[1].rows[quad]);
    const __m128i cd = _mm_unpacklo_epi32(of[2].rows[quad], of[3].rows[quad]);
    const __m128i CD = _mm_unpackhi_epi32(of[2].rows[quad], of[3].rows[quad]);
    const __m128i transposed[4] = {_mm_unpacklo_epi64(ab, cd), _mm_unpackhi_epi64(ab, cd), _mm_unpacklo_epi64(AB, CD),
                                   _mm_unpackhi_epi64(AB, CD)};
    for (size_t r = 0; r < 4 && row + r < g->n_rows; r++)
        _mm_storeu_si128((__m128i *)(acc + (row + r) * g->acc_stride), transposed[r]);
}

static void begin_few(const struct cpu_gemm *g, size_t panel, size_t ahead, const uint8_t *columns)
{
    const struct cpu_residual *residuals = residuals_of(g, panel), *later = residuals_of(g, panel + ahead);
    struct few sums[IMAGE_PANEL];
    for (size_t o = 0; o < IMAGE_PANEL; o++) {
        _mm_prefetch((const char *)&later[o], _MM_HINT_T1);
        sums[o] = sum_few(&residuals[o], columns);
    }
    for (size_t i = IMAGE_PANEL; i < g->clipped.counts[panel]; i++) {
        _mm_prefetch((const char *)&later[i], _MM_HINT_T1);
        struct few more = sum_few(&residuals[i], columns), *to = &sums[residuals[i].output];
        for (size_t quad = 0; quad < 2; quad++)
            to->rows[quad] = _mm_add_epi32(to->rows[quad], more.rows[quad]);
    }
    for (size_t output = 0; output < IMAGE_PANEL; output += 4)
        for (size_t row = 0; row < g->n_rows; row += 4)
            store_few(g, g->acc + panel * IMAGE_PANEL + output, row, &sums[output]);
}

/* ----------------------------------------------------------------------------------------------------------------- */

static uint8_t *columns_at(const struct cpu_gemm *g, size_t row)
{
    return (uint8_t *)g->work + row * cpu_linear_inputs(g);
}

void cpu_residual_prepare(const struct cpu_gemm *g)
{
    if (g->n_rows <= CPU_RESIDUAL_FEW)
        transpose_few(g->work, g);
    else
        for (size_t row = 0; row < g->n_rows; row += CPU_RESIDUAL_MANY)
            transpose_many(columns_at(g, row), g, row);
}

void cpu_residual_begin(const struct cpu_gemm *g, size_t panel, size_t row, size_t ahead)
{
    if (g->n_rows <= CPU_RESIDUAL_FEW)
        begin_few(g, panel, ahead, g->work);
    else
        begin_many(g, panel, row, ahead, columns_at(g, row));
}
