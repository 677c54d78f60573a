/* 256-bit vpdpbusd in its VEX encoding: 8 outputs by 4 inputs a register. Activations are unsigned (q + 128), so
 * accumulators start at -128 * row_sums. A tile is 6 rows by a panel: 12 accumulators in named variables (gcc keeps an
 * array of them in memory).
 */
#include <immintrin.h>

#include "accel/cpu/kernels.h"
#include "accel/cpu/tiles.h"

enum { TILE_ROWS = 6, HALF = IMAGE_PANEL / 2, GROUP_BYTES = IMAGE_PANEL * IMAGE_GROUP };

struct cursor {
    const uint8_t *rows;
    const int8_t *weights;
    const int32_t *row_sums;
    int32_t *acc;
    const char *ahead; /* what to prefetch: this tile's share of the next panel */
    size_t step;       /* bytes of it a group */
};

static inline __m256i start(const int32_t *row_sums, int offset)
{
    if (!row_sums)
        return _mm256_setzero_si256();
    __m256i sums = _mm256_loadu_si256((const __m256i *)(row_sums + offset));
    return _mm256_sub_epi32(_mm256_setzero_si256(), _mm256_slli_epi32(sums, 7));
}

static inline __m256i broadcast(const uint8_t *group)
{
    int32_t bits;
    __builtin_memcpy(&bits, group, sizeof bits);
    return _mm256_set1_epi32(bits);
}

/* X(row, base, step): row `row` is `step` strides after pointer `base`. */
#define EACH_ROW(X) X(0, p0, 0) X(1, p0, 1) X(2, p0, 2) X(3, p1, 0) X(4, p1, 1) X(5, p1, 2)

#define DECLARE(r, base, step) __m256i c##r##_0 = s0, c##r##_1 = s1;
#define MULTIPLY(r, base, step)                                                                                        \
    if (R > r) {                                                                                                       \
        __m256i x = broadcast(base + step * stride);                                                                   \
        c##r##_0 = _mm256_dpbusd_avx_epi32(c##r##_0, x, w0);                                                           \
        c##r##_1 = _mm256_dpbusd_avx_epi32(c##r##_1, x, w1);                                                           \
    }
#define STORE(r, base, step)                                                                                           \
    if (R > r) {                                                                                                       \
        _mm256_storeu_si256((__m256i *)(at->acc + r * g->acc_stride), c##r##_0);                                       \
        _mm256_storeu_si256((__m256i *)(at->acc + r * g->acc_stride + HALF), c##r##_1);                                \
    }

/* R rows by a panel. */
CPU_TEMPLATE void tile(const int R, const struct cpu_gemm *g, const struct cursor *at)
{
    const size_t stride = g->row_stride;
    const uint8_t *p0 = at->rows, *p1 = p0 + 3 * stride;
    const __m256i s0 = start(at->row_sums, 0), s1 = start(at->row_sums, HALF);
    const char *ahead = at->ahead;
    EACH_ROW(DECLARE)
    const int8_t *w = at->weights;
    for (size_t i = 0; i < g->groups; i++, w += GROUP_BYTES, p0 += IMAGE_GROUP, p1 += IMAGE_GROUP) {
        __m256i w0 = _mm256_loadu_si256((const __m256i *)w);
        __m256i w1 = _mm256_loadu_si256((const __m256i *)(w + GROUP_BYTES / 2));
        _mm_prefetch(ahead, _MM_HINT_T1);
        ahead += at->step;
        EACH_ROW(MULTIPLY)
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

static void gemm(const struct cpu_gemm *g)
{
    const size_t step = cpu_prefetch_step((g->n_rows + TILE_ROWS - 1) / TILE_ROWS);
    for (size_t panel = 0; panel < g->n_panels; panel++) {
        const char *ahead = (const char *)g->weights + (panel + 1) * g->panel_stride;
        for (size_t row = 0, rows; row < g->n_rows; row += rows) {
            rows = cpu_tile_rows(g->n_rows - row, TILE_ROWS);
            const struct cursor at = {
                .rows = (const uint8_t *)g->rows + row * g->row_stride,
                .weights = g->weights + panel * g->panel_stride,
                .row_sums = g->row_sums ? g->row_sums + panel * IMAGE_PANEL : NULL,
                .acc = g->acc + row * g->acc_stride + panel * IMAGE_PANEL,
                .ahead = ahead,
                .step = step,
            };
            tile_n(rows, g, &at);
            ahead += step * g->groups;
        }
    }
}

void cpu_gemm_init_avxvnni(struct cpu_kernels *kernels)
{
    kernels->isa = "avxvnni";
    kernels->n_digits = 2;
    cpu_gemm_set(kernels, gemm, (struct cpu_operand){.size = 1, .offset = 128});
}
