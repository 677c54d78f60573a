/* 512-bit vpdpbusd: 16 outputs by 4 inputs a register. Activations are unsigned (q + 128), so accumulators start at
 * -128 * row_sums.
 *
 * A tile is at most 12 rows by 2 panels or 6 rows by 4 panels: 24 accumulators, which covers the instruction's latency
 * and leaves loads at little more than one an instruction pair. Accumulators are named variables, not an array,
 * because gcc keeps an array of them in memory.
 */
#include <immintrin.h>

#include "accel/cpu/kernels.h"
#include "accel/cpu/tiles.h"

enum { TILE_ROWS = 12, WIDE_ROWS = 6 };

struct cursor {
    const uint8_t *rows;
    const int8_t *weights;
    const int32_t *row_sums;
    int32_t *acc;
    const char *ahead; /* what to prefetch: this tile's share of the next panels */
    size_t step;       /* bytes of it a group */
};

static inline __m512i start(const int32_t *row_sums, int panel)
{
    if (!row_sums)
        return _mm512_setzero_si512();
    __m512i sums = _mm512_loadu_si512(row_sums + panel * IMAGE_PANEL);
    return _mm512_sub_epi32(_mm512_setzero_si512(), _mm512_slli_epi32(sums, 7));
}

static inline __m512i broadcast(const uint8_t *group)
{
    int32_t bits;
    __builtin_memcpy(&bits, group, sizeof bits);
    return _mm512_set1_epi32(bits);
}

/* X(row, base, step): row `row` is `step` strides after pointer `base`, so that addresses need no multiplication. */
#define EACH_ROW(X)                                                                                                    \
    X(0, p0, 0)                                                                                                        \
    X(1, p0, 1)                                                                                                        \
    X(2, p0, 2)                                                                                                        \
    X(3, p1, 0)                                                                                                        \
    X(4, p1, 1)                                                                                                        \
    X(5, p1, 2)                                                                                                        \
    X(6, p2, 0)                                                                                                        \
    X(7, p2, 1)                                                                                                        \
    X(8, p2, 2)                                                                                                        \
    X(9, p3, 0)                                                                                                        \
    X(10, p3, 1)                                                                                                       \
    X(11, p3, 2)

#define DECLARE(r, base, step) __m512i c##r##_0 = s0, c##r##_1 = s1, c##r##_2 = s2, c##r##_3 = s3;
#define MULTIPLY(r, base, step)                                                                                        \
    if (R > r) {                                                                                                       \
        __m512i x = broadcast(base + step * stride);                                                                   \
        c##r##_0 = _mm512_dpbusd_epi32(c##r##_0, x, w0);                                                               \
        if (P > 1)                                                                                                     \
            c##r##_1 = _mm512_dpbusd_epi32(c##r##_1, x, w1);                                                           \
        if (P > 2) {                                                                                                   \
            c##r##_2 = _mm512_dpbusd_epi32(c##r##_2, x, w2);                                                           \
            c##r##_3 = _mm512_dpbusd_epi32(c##r##_3, x, w3);                                                           \
        }                                                                                                              \
    }
#define STORE(r, base, step)                                                                                           \
    if (R > r) {                                                                                                       \
        int32_t *acc = at->acc + r * g->acc_stride;                                                                    \
        _mm512_storeu_si512(acc, c##r##_0);                                                                            \
        if (P > 1)                                                                                                     \
            _mm512_storeu_si512(acc + IMAGE_PANEL, c##r##_1);                                                          \
        if (P > 2) {                                                                                                   \
            _mm512_storeu_si512(acc + 2 * IMAGE_PANEL, c##r##_2);                                                      \
            _mm512_storeu_si512(acc + 3 * IMAGE_PANEL, c##r##_3);                                                      \
        }                                                                                                              \
    }

/* R rows by P panels (1, 2 or 4). */
CPU_TEMPLATE void tile(const int R, const int P, const struct cpu_gemm *g, const struct cursor *at)
{
    const size_t stride = g->row_stride, panel = g->panel_stride;
    const uint8_t *p0 = at->rows, *p1 = p0 + 3 * stride, *p2 = p1 + 3 * stride, *p3 = p2 + 3 * stride;
    const __m512i s0 = start(at->row_sums, 0);
    const __m512i s1 = P > 1 ? start(at->row_sums, 1) : s0;
    const __m512i s2 = P > 2 ? start(at->row_sums, 2) : s0, s3 = P > 2 ? start(at->row_sums, 3) : s0;
    const char *ahead = at->ahead;
    EACH_ROW(DECLARE)
    const int8_t *w = at->weights;
    for (size_t i = 0; i < g->groups; i++, w += 64, p0 += 4, p1 += 4, p2 += 4, p3 += 4) {
        const int8_t *v = w + 2 * panel;
        __m512i w0 = _mm512_loadu_si512(w);
        __m512i w1 = P > 1 ? _mm512_loadu_si512(w + panel) : w0;
        __m512i w2 = P > 2 ? _mm512_loadu_si512(v) : w0, w3 = P > 2 ? _mm512_loadu_si512(v + panel) : w0;
        _mm_prefetch(ahead, _MM_HINT_T1);
        if (P > 1)
            _mm_prefetch(ahead + panel, _MM_HINT_T1);
        if (P > 2) {
            _mm_prefetch(ahead + 2 * panel, _MM_HINT_T1);
            _mm_prefetch(ahead + 3 * panel, _MM_HINT_T1);
        }
        ahead += at->step;
        EACH_ROW(MULTIPLY)
    }
    EACH_ROW(STORE)
}

#define CASE(rows, panels)                                                                                             \
    case rows:                                                                                                         \
        tile(rows, panels, g, at);                                                                                     \
        break;
#define SHORT_CASES(panels)                                                                                            \
    CASE(1, panels) CASE(2, panels) CASE(3, panels) CASE(4, panels) CASE(5, panels) CASE(6, panels)
#define TALL_CASES(panels)                                                                                             \
    CASE(7, panels) CASE(8, panels) CASE(9, panels) CASE(10, panels) CASE(11, panels) CASE(12, panels)

static void tile_1(size_t rows, const struct cpu_gemm *g, const struct cursor *at)
{
    switch (rows) {
        SHORT_CASES(1)
        TALL_CASES(1)
    }
}

static void tile_2(size_t rows, const struct cpu_gemm *g, const struct cursor *at)
{
    switch (rows) {
        SHORT_CASES(2)
        TALL_CASES(2)
    }
}

static void tile_4(size_t rows, const struct cpu_gemm *g, const struct cursor *at)
{
    switch (rows) {
        SHORT_CASES(4)
    }
}

static void gemm(const struct cpu_gemm *g)
{
    const size_t widest = g->n_rows <= WIDE_ROWS ? 4 : 2;
    const size_t step = cpu_prefetch_step((g->n_rows + TILE_ROWS - 1) / TILE_ROWS);
    for (size_t panel = 0, width; panel < g->n_panels; panel += width) {
        width = widest;
        while (width > g->n_panels - panel)
            width /= 2;
        const char *ahead = (const char *)g->weights + (panel + width) * g->panel_stride;
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
            (width == 4 ? tile_4 : width == 2 ? tile_2 : tile_1)(rows, g, &at);
            ahead += step * g->groups;
        }
    }
}

void cpu_gemm_init_avx512vnni(struct cpu_kernels *kernels)
{
    kernels->isa = "avx512vnni";
    kernels->n_digits = 2;
    cpu_gemm_set(kernels, gemm, (struct cpu_operand){.size = 1, .offset = 128});
}
