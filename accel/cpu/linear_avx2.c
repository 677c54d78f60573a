/* Linear layers in AVX2 without VNNI, over clipped weights: vpmaddubsw, two of its results added in 16 bits, then
 * vpmaddwd by one. That is 3 multiplications for 64 products where 16-bit operands need 4, and exact, because the
 * weights are clipped so that no sum leaves 16 bits (accel/cpu/clipped.h). What they were clipped by, a few percent of
 * the inputs of an output, is where accumulators begin: for 32 rows at a time, in 16 bits too, from the rows transposed
 * into columns.
 */
#include <immintrin.h>
#include <string.h>

#include "accel/cpu/kernels.h"
#include "accel/cpu/residual_avx2.h"
#include "accel/cpu/tiles.h"

enum {
    TILE_ROWS = 4,
    BLOCK_BYTES = 64 * 1024, /* of weights: some rows are multiplied by them before the next rows are */
    BLOCK_PANELS = 8,        /* are enough of a block, however few bytes they have */
    TILE_OUTPUTS = 8,        /* of a vector of accumulators */
    GROUP_BYTES = IMAGE_PANEL * IMAGE_GROUP,
    LEAST_ROWS = 7,      /* below, residuals cost more than clipped weights save, or memory sets the pace */
    LEAST_INPUTS = 3072, /* of all rows together; likewise: of fewer inputs residuals are a larger part */
};

static inline __m256i load(const void *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}

static inline __m256i broadcast(const uint8_t *group)
{
    int32_t bits;
    memcpy(&bits, group, sizeof bits);
    return _mm256_set1_epi32(bits);
}

/* Where accumulators begin: operands are q + 128. */
static inline __m256i start(const int32_t *row_sums)
{
    return _mm256_sub_epi32(_mm256_setzero_si256(), _mm256_slli_epi32(load(row_sums), 7));
}

struct cursor {
    const uint8_t *rows;
    size_t stride;
    const int8_t *weights;
    const uint16_t *order;
    size_t groups;
    const int32_t *row_sums;
    int32_t *acc;
    size_t acc_stride;
    const char *ahead; /* what to prefetch: this tile's share of the next panel */
    size_t step;       /* bytes of it for each pair of groups */
};

/* The accumulators are variables, which the empty asm keeps in registers: else gcc peels the first round and spills. */
#define HOLD(r)     __asm__("" : "+x"(a##r), "+x"(b##r));
#define EACH_ROW(X) X(0) X(1) X(2) X(3)
#define DECLARE(r)                                                                                                     \
    const uint8_t *row##r = at->rows + r * at->stride;                                                                 \
    __m256i a##r = a, b##r = b;                                                                                        \
    if (R > r) {                                                                                                       \
        a##r = _mm256_add_epi32(a, load(at->acc + r * at->acc_stride));                                                \
        b##r = _mm256_add_epi32(b, load(at->acc + r * at->acc_stride + TILE_OUTPUTS));                                 \
    }                                                                                                                  \
    HOLD(r)
#define MULTIPLY(r)                                                                                                    \
    if (R > r) {                                                                                                       \
        __m256i low = _mm256_maddubs_epi16(broadcast(row##r + first), w0),                                             \
                high = _mm256_maddubs_epi16(broadcast(row##r + first), w1);                                            \
        if (both) {                                                                                                    \
            low = _mm256_add_epi16(low, _mm256_maddubs_epi16(broadcast(row##r + second), w2));                         \
            high = _mm256_add_epi16(high, _mm256_maddubs_epi16(broadcast(row##r + second), w3));                       \
        }                                                                                                              \
        a##r = _mm256_add_epi32(a##r, _mm256_madd_epi16(low, ones));                                                   \
        b##r = _mm256_add_epi32(b##r, _mm256_madd_epi16(high, ones));                                                  \
        HOLD(r)                                                                                                        \
    }
#define STORE(r)                                                                                                       \
    if (R > r) {                                                                                                       \
        _mm256_storeu_si256((__m256i *)(at->acc + r * at->acc_stride), a##r);                                          \
        _mm256_storeu_si256((__m256i *)(at->acc + r * at->acc_stride + TILE_OUTPUTS), b##r);                           \
    }

/* R rows by a panel. */
CPU_TEMPLATE void tile(const int R, const struct cursor *at)
{
    const __m256i ones = _mm256_set1_epi16(1);
    const uint16_t *order = at->order;
    const int8_t *w = at->weights;
    const char *ahead = at->ahead;
    const __m256i a = start(at->row_sums), b = start(at->row_sums + TILE_OUTPUTS);
    EACH_ROW(DECLARE)
    for (size_t i = at->groups / 2; i > 0; i--, w += 2 * GROUP_BYTES, order += 2) {
        const bool both = true;
        const size_t first = order[0], second = order[1];
        const __m256i w0 = load(w), w1 = load(w + 32), w2 = load(w + 64), w3 = load(w + 96);
        _mm_prefetch(ahead, _MM_HINT_T1);
        ahead += at->step;
        EACH_ROW(MULTIPLY)
    }
    if (at->groups % 2 != 0) {
        const bool both = false;
        const size_t first = order[0], second = first;
        const __m256i w0 = load(w), w1 = load(w + 32), w2 = w0, w3 = w1;
        EACH_ROW(MULTIPLY)
    }
    EACH_ROW(STORE)
}

static __attribute__((noinline)) void tile_n(size_t rows, const struct cursor *at)
{
    switch (rows) {
    case 1:
        tile(1, at);
        break;
    case 2:
        tile(2, at);
        break;
    case 3:
        tile(3, at);
        break;
    case 4:
        tile(4, at);
        break;
    }
}

/* The rows from `begin` to `end` of a panel; the panel `later` panels on is fetched. */
static void multiply_panel(const struct cpu_gemm *g, size_t panel, size_t later, size_t begin, size_t end)
{
    const int8_t *weights = g->clipped.weights + panel * g->panel_stride;
    const size_t step = 2 * cpu_prefetch_step((g->n_rows + TILE_ROWS - 1) / TILE_ROWS);
    const char *ahead = (const char *)weights + later * g->panel_stride + begin / TILE_ROWS * step * (g->groups / 2);
    for (size_t row = begin, rows; row < end; row += rows) {
        rows = cpu_tile_rows(end - row, TILE_ROWS);
        const struct cursor at = {
            .rows = (const uint8_t *)g->rows + row * g->row_stride,
            .stride = g->row_stride,
            .weights = weights,
            .order = g->clipped.orders + panel * g->groups,
            .groups = g->groups,
            .row_sums = g->row_sums + panel * IMAGE_PANEL,
            .acc = g->acc + row * g->acc_stride + panel * IMAGE_PANEL,
            .acc_stride = g->acc_stride,
            .ahead = ahead,
            .step = step,
        };
        tile_n(rows, &at);
        ahead += step * (g->groups / 2);
    }
}

/* Operands of 16 bits. */
static void widen(int16_t *to, const struct cpu_gemm *g)
{
    const size_t inputs = cpu_linear_inputs(g);
    for (size_t r = 0; r < g->n_rows; r++)
        for (size_t i = 0; i < inputs; i++)
            to[r * inputs + i] = (int16_t)(((const uint8_t *)g->rows)[r * g->row_stride + i] - 128);
}

/* Panels with their weights as they are, by the kernel of such operands. */
static void multiply_wide(const struct cpu_gemm *g, const int16_t *rows, size_t panel, size_t n_panels)
{
    struct cpu_gemm wide = *g;
    wide.rows = rows;
    wide.row_stride = cpu_linear_inputs(g) * sizeof *rows;
    wide.weights += panel * g->panel_stride;
    wide.acc += panel * IMAGE_PANEL;
    wide.n_panels = n_panels;
    cpu_gemm_avx2(&wide);
}

/* The residuals had no room. */
static void multiply_wide_panel(const struct cpu_gemm *g, size_t panel)
{
    int16_t *rows = (int16_t *)((uint8_t *)g->work + cpu_residual_work(g->n_rows, cpu_linear_inputs(g)));
    widen(rows, g);
    multiply_wide(g, rows, panel, 1);
}

static bool is_clipped(const struct cpu_gemm *g, size_t panel)
{
    return g->clipped.counts[panel] != CPU_NOT_CLIPPED;
}

static void multiply_clipped(const struct cpu_gemm *g)
{
    const size_t fit = BLOCK_BYTES / g->panel_stride, block = fit < 1 ? 1 : fit < BLOCK_PANELS ? fit : BLOCK_PANELS;
    for (size_t first = 0, last; first < g->n_panels; first = last) {
        last = first + block < g->n_panels ? first + block : g->n_panels;
        for (size_t row = 0; row < g->n_rows; row += CPU_RESIDUAL_MANY) {
            const size_t end = row + CPU_RESIDUAL_MANY < g->n_rows ? row + CPU_RESIDUAL_MANY : g->n_rows;
            for (size_t panel = first; panel < last; panel++)
                if (is_clipped(g, panel))
                    cpu_residual_begin(g, panel, row, block);
            for (size_t panel = first; panel < last; panel++)
                if (is_clipped(g, panel))
                    multiply_panel(g, panel, block, row, end);
                else if (row == 0)
                    multiply_wide_panel(g, panel);
        }
    }
}

static bool reads_clipped(const struct cpu_gemm *g)
{
    return g->clipped.weights && g->n_rows >= LEAST_ROWS && g->n_rows * cpu_linear_inputs(g) >= LEAST_INPUTS;
}

static void prepare(const struct cpu_gemm *g)
{
    if (!reads_clipped(g))
        widen(g->work, g);
    else
        cpu_residual_prepare(g);
}

static void linear(const struct cpu_gemm *g)
{
    if (reads_clipped(g))
        multiply_clipped(g);
    else
        multiply_wide(g, g->work, 0, g->n_panels);
}

/* Rows as columns, and as operands of 16 bits. */
static size_t work(size_t n_rows, size_t inputs)
{
    return (3 * n_rows + 31) * inputs;
}

void cpu_gemm_init_avx2(struct cpu_kernels *kernels)
{
    static const struct image_sections sections = {1, {&cpu_clipped_section}};
    kernels->isa = "avx2";
    kernels->n_digits = 1;
    cpu_gemm_set(kernels, cpu_gemm_avx2, (struct cpu_operand){.size = sizeof(int16_t)});
    kernels->work = work;
    kernels->prepare = prepare;
    kernels->linear = linear;
    kernels->sections = &sections;
    kernels->linear_operand = (struct cpu_operand){.size = 1, .offset = 128};
}
