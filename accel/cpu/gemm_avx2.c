/* AVX2 without VNNI: exact through 16 bits. Activations are int16, weights are widened as they are loaded, vpmaddwd
 * adds two products into 32 bits. (vpmaddubsw would saturate; with signs moved over it is exact but no faster.)
 *
 * A tile is 6 rows by half a panel: 12 accumulators, each 4 outputs by 2 partial sums. They are named variables, not
 * an array, because gcc keeps an array of them in memory.
 */
#include <immintrin.h>

#include "accel/cpu/kernels.h"
#include "accel/cpu/tiles.h"

enum { TILE_ROWS = 6, HALF = IMAGE_PANEL / 2, GROUP_BYTES = IMAGE_PANEL * IMAGE_GROUP };

struct cursor {
    const int16_t *rows;
    const int8_t *weights;
    int32_t *acc;
    const char *ahead; /* what to prefetch: this tile's share of the next panel */
    size_t step;       /* bytes of it a group */
};

static inline __m256i broadcast(const int16_t *group)
{
    int64_t bits;
    __builtin_memcpy(&bits, group, sizeof bits);
    return _mm256_set1_epi64x(bits);
}

static inline __m256i widen(const int8_t *weights)
{
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)weights));
}

/* Add the partial sums of outputs 0..3 and 4..7. */
static inline void store(int32_t *acc, __m256i low, __m256i high)
{
    __m256i sums = _mm256_permute4x64_epi64(_mm256_hadd_epi32(low, high), 0xd8);
    _mm256_storeu_si256((__m256i *)acc, sums);
}

/* X(row, base, step): row `row` is `step` strides after pointer `base`. */
#define EACH_ROW(X) X(0, p0, 0) X(1, p0, 1) X(2, p0, 2) X(3, p1, 0) X(4, p1, 1) X(5, p1, 2)

#define DECLARE(r, base, step) __m256i c##r##_0 = _mm256_setzero_si256(), c##r##_1 = c##r##_0;
#define MULTIPLY(r, base, step)                                                                                        \
    if (R > r) {                                                                                                       \
        __m256i x = broadcast(base + step * stride);                                                                   \
        c##r##_0 = _mm256_add_epi32(c##r##_0, _mm256_madd_epi16(x, w0));                                               \
        c##r##_1 = _mm256_add_epi32(c##r##_1, _mm256_madd_epi16(x, w1));                                               \
    }
#define STORE(r, base, step)                                                                                           \
    if (R > r)                                                                                                         \
        store(at->acc + r * g->acc_stride, c##r##_0, c##r##_1);

/* R rows by 8 outputs. */
CPU_TEMPLATE void tile(const int R, const struct cpu_gemm *g, const struct cursor *at)
{
    const size_t stride = g->row_stride / sizeof(int16_t);
    const int16_t *p0 = at->rows, *p1 = p0 + 3 * stride;
    const char *ahead = at->ahead;
    EACH_ROW(DECLARE)
    for (size_t b = 0; b < g->n_blocks; b++) {
        const int8_t *w = at->weights + b * g->block_stride;
#pragma GCC unroll 2
        for (size_t i = 0; i < g->block_groups; i++, w += GROUP_BYTES, p0 += IMAGE_GROUP, p1 += IMAGE_GROUP) {
            __m256i w0 = widen(w), w1 = widen(w + 16);
            _mm_prefetch(ahead, _MM_HINT_T1);
            ahead += at->step;
            EACH_ROW(MULTIPLY)
        }
    }
    EACH_ROW(STORE)
}

static void tile_n(size_t rows, const struct cpu_gemm *g, const struct cursor *at)
{
    switch (rows) {
    case 1:
        tile(1, g, at);
        break;
    case 2:
        tile(2, g, at);
        break;
    case 3:
        tile(3, g, at);
        break;
    case 4:
        tile(4, g, at);
        break;
    case 5:
        tile(5, g, at);
        break;
    case 6:
        tile(6, g, at);
        break;
    }
}

void cpu_gemm_avx2(const struct cpu_gemm *g)
{
    const size_t step = cpu_prefetch_step((g->n_rows + TILE_ROWS - 1) / TILE_ROWS * 2);
    const size_t share = step * g->block_groups;
    for (size_t panel = 0; panel < g->n_panels; panel++) {
        const char *ahead = (const char *)g->weights + (panel + 1) * g->panel_stride;
        for (size_t row = 0, rows; row < g->n_rows; row += rows) {
            rows = cpu_tile_rows(g->n_rows - row, TILE_ROWS);
            struct cursor at = {
                .rows = (const int16_t *)((const char *)g->rows + row * g->row_stride),
                .weights = g->weights + panel * g->panel_stride,
                .acc = g->acc + row * g->acc_stride + panel * IMAGE_PANEL,
                .ahead = ahead,
                .step = step,
            };
            tile_n(rows, g, &at);
            at.weights += HALF * IMAGE_GROUP;
            at.acc += HALF;
            at.ahead += share;
            tile_n(rows, g, &at);
            ahead += 2 * share;
        }
    }
}

void cpu_gemm_init_avx2(struct cpu_kernels *kernels)
{
    kernels->isa = "avx2";
    kernels->n_digits = 1;
    cpu_gemm_set(kernels, cpu_gemm_avx2, sizeof(int16_t));
}
