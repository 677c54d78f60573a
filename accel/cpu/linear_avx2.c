/* Linear layers in AVX2 without VNNI, over narrow weights: vpmaddubsw, two of its results added in 16 bits, then
 * vpmaddwd by one. That is 3 multiplications for 64 products where 16-bit operands need 4, and exact, because the
 * weights are clipped so that no sum leaves 16 bits (struct image_narrow). What they were clipped by is added after:
 * a few percent of the inputs of an output, for 16 rows at a time, from the rows turned into columns.
 */
#include <immintrin.h>
#include <string.h>

#include "accel/cpu/kernels.h"
#include "accel/cpu/tiles.h"

enum {
    TILE_ROWS = 4,
    TILE_OUTPUTS = 8, /* of a vector of accumulators */
    GROUP_BYTES = IMAGE_PANEL * IMAGE_GROUP,
    COLUMN_ROWS = 16,
    PLACE_BYTES = COLUMN_ROWS * sizeof(int16_t) / IMAGE_PLACE, /* what an address can be scaled by */
    PANELS = 8,          /* between turns from weights to lists, so that each finds its rows in the cache */
    LEAST_ROWS = 12,     /* below, lists of 16 rows cost more than narrow weights save, ... */
    LEAST_INPUTS = 9216, /* ... and narrow linears have longer lists: of all rows together */
};

static size_t inputs_of(const struct cpu_gemm *g)
{
    return g->block_groups * IMAGE_GROUP;
}

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
    size_t groups;
    const int32_t *row_sums;
    int32_t *acc;
    size_t acc_stride;
    const char *ahead; /* what to prefetch: this tile's share of the next panel */
    size_t step;       /* bytes of it for each pair of groups */
};

/* The accumulators are variables, which the empty asm keeps in registers: else gcc peels the first turn and spills. */
#define HOLD(r)     __asm__("" : "+x"(a##r), "+x"(b##r));
#define EACH_ROW(X) X(0) X(1) X(2) X(3)
#define DECLARE(r)                                                                                                     \
    __m256i a##r = start(at->row_sums), b##r = start(at->row_sums + TILE_OUTPUTS);                                     \
    HOLD(r)
#define MULTIPLY(r)                                                                                                    \
    if (R > r) {                                                                                                       \
        const uint8_t *x = p + r * at->stride;                                                                         \
        __m256i low = _mm256_maddubs_epi16(broadcast(x), w0), high = _mm256_maddubs_epi16(broadcast(x), w1);           \
        if (both) {                                                                                                    \
            low = _mm256_add_epi16(low, _mm256_maddubs_epi16(broadcast(x + IMAGE_GROUP), w2));                         \
            high = _mm256_add_epi16(high, _mm256_maddubs_epi16(broadcast(x + IMAGE_GROUP), w3));                       \
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
    const uint8_t *p = at->rows;
    const int8_t *w = at->weights;
    const char *ahead = at->ahead;
    EACH_ROW(DECLARE)
    for (size_t i = at->groups / 2; i > 0; i--, w += 2 * GROUP_BYTES, p += 2 * IMAGE_GROUP) {
        const bool both = true;
        const __m256i w0 = load(w), w1 = load(w + 32), w2 = load(w + 64), w3 = load(w + 96);
        _mm_prefetch(ahead, _MM_HINT_T1);
        ahead += at->step;
        EACH_ROW(MULTIPLY)
    }
    if (at->groups % 2 != 0) {
        const bool both = false;
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

/* 16 rows of 16 bytes, turned: one step of interleaving rows i and i + 8, four times over. */
static inline void interleave(__m128i to[COLUMN_ROWS], const __m128i from[COLUMN_ROWS])
{
    for (size_t i = 0; i < COLUMN_ROWS / 2; i++) {
        to[2 * i] = _mm_unpacklo_epi8(from[i], from[i + COLUMN_ROWS / 2]);
        to[2 * i + 1] = _mm_unpackhi_epi8(from[i], from[i + COLUMN_ROWS / 2]);
    }
}

/* Operands of 16 rows from `row` on -> [inputs][16]; what stands for rows past the last is nobody's. */
static void turn(int16_t *columns, const struct cpu_gemm *g, size_t row)
{
    const size_t last = g->n_rows - 1, inputs = inputs_of(g);
    for (size_t i = 0; i < inputs; i += COLUMN_ROWS) {
        const size_t count = inputs - i < COLUMN_ROWS ? inputs - i : COLUMN_ROWS;
        __m128i a[COLUMN_ROWS], b[COLUMN_ROWS] = {0};
        for (size_t r = 0; r < COLUMN_ROWS; r++)
            memcpy(&b[r], (const uint8_t *)g->rows + (row + r < last ? row + r : last) * g->row_stride + i, count);
        interleave(a, b);
        interleave(b, a);
        interleave(a, b);
        interleave(b, a);
        for (size_t c = 0; c < count; c++)
            _mm256_storeu_si256((__m256i *)(columns + (i + c) * COLUMN_ROWS), _mm256_cvtepu8_epi16(b[c]));
    }
}

/* What the lists of a panel give 16 rows, by output: rows 0-3, 8-11, 4-7, 12-15. */
struct sums {
    __m256i low[IMAGE_PANEL], high[IMAGE_PANEL];
};

#define TURN(o)                                                                                                        \
    {                                                                                                                  \
        int32_t both;                                                                                                  \
        memcpy(&both, pairs[o].excess, sizeof both);                                                                   \
        const __m256i excess = _mm256_set1_epi32(both);                                                                \
        const __m256i x = load(columns + pairs[o].places[0] * (size_t)PLACE_BYTES);                                    \
        const __m256i y = load(columns + pairs[o].places[1] * (size_t)PLACE_BYTES);                                    \
        low##o = _mm256_add_epi32(low##o, _mm256_madd_epi16(_mm256_unpacklo_epi16(x, y), excess));                     \
        high##o = _mm256_add_epi32(high##o, _mm256_madd_epi16(_mm256_unpackhi_epi16(x, y), excess));                   \
        __asm__("" : "+x"(low##o), "+x"(high##o));                                                                     \
    }

/* Into the sums of 4 outputs. */
static inline void sum_lists(struct sums *sums, const uint8_t *outputs, const struct image_excess *pairs, size_t turns,
                             const char *columns)
{
    __m256i low0 = _mm256_setzero_si256(), low1 = low0, low2 = low0, low3 = low0;
    __m256i high0 = low0, high1 = low0, high2 = low0, high3 = low0;
    for (; turns > 0; turns--, pairs += IMAGE_LISTS) {
        TURN(0)
        TURN(1)
        TURN(2)
        TURN(3)
    }
    sums->low[outputs[0]] = low0, sums->high[outputs[0]] = high0;
    sums->low[outputs[1]] = low1, sums->high[outputs[1]] = high1;
    sums->low[outputs[2]] = low2, sums->high[outputs[2]] = high2;
    sums->low[outputs[3]] = low3, sums->high[outputs[3]] = high3;
}

static inline void add_four(int32_t *acc, __m128i sums)
{
    _mm_storeu_si128((__m128i *)acc, _mm_add_epi32(_mm_loadu_si128((const __m128i *)acc), sums));
}

/* Four rows from `row` on, and four from 8 rows further on, of 4 outputs. */
static inline void add_turned(const struct cpu_gemm *g, int32_t *acc, size_t row, const __m256i sums[4])
{
    const __m256i ab = _mm256_unpacklo_epi32(sums[0], sums[1]), AB = _mm256_unpackhi_epi32(sums[0], sums[1]);
    const __m256i cd = _mm256_unpacklo_epi32(sums[2], sums[3]), CD = _mm256_unpackhi_epi32(sums[2], sums[3]);
    const __m256i turned[4] = {_mm256_unpacklo_epi64(ab, cd), _mm256_unpackhi_epi64(ab, cd),
                               _mm256_unpacklo_epi64(AB, CD), _mm256_unpackhi_epi64(AB, CD)};
    for (size_t r = 0; r < 4; r++) {
        if (row + r < g->n_rows)
            add_four(acc + (row + r) * g->acc_stride, _mm256_castsi256_si128(turned[r]));
        if (row + r + 8 < g->n_rows)
            add_four(acc + (row + r + 8) * g->acc_stride, _mm256_extracti128_si256(turned[r], 1));
    }
}

static void add_excess(const struct cpu_gemm *g, size_t panel, size_t row, const int16_t *columns)
{
    const struct image_excess *pairs = g->narrow.excess + panel * image_excess_room((uint32_t)inputs_of(g));
    const struct image_lists *lists = &g->narrow.lists[panel];
    struct sums sums;
    for (size_t four = 0; four < IMAGE_PANEL / IMAGE_LISTS; four++) {
        sum_lists(&sums, lists->outputs + four * IMAGE_LISTS, pairs, lists->turns[four], (const char *)columns);
        pairs += lists->turns[four] * IMAGE_LISTS;
    }
    int32_t *acc = g->acc + panel * IMAGE_PANEL;
    for (size_t output = 0; output < IMAGE_PANEL; output += 4) {
        add_turned(g, acc + output, row, sums.low + output);
        add_turned(g, acc + output, row + 4, sums.high + output);
    }
}

static void multiply_panel(const struct cpu_gemm *g, size_t panel)
{
    const int8_t *weights = g->narrow.weights + panel * g->panel_stride;
    const size_t step = 2 * cpu_prefetch_step((g->n_rows + TILE_ROWS - 1) / TILE_ROWS);
    const char *ahead = (const char *)weights + g->panel_stride;
    for (size_t row = 0, rows; row < g->n_rows; row += rows) {
        rows = cpu_tile_rows(g->n_rows - row, TILE_ROWS);
        const struct cursor at = {
            .rows = (const uint8_t *)g->rows + row * g->row_stride,
            .stride = g->row_stride,
            .weights = weights,
            .groups = g->block_groups,
            .row_sums = g->row_sums + panel * IMAGE_PANEL,
            .acc = g->acc + row * g->acc_stride + panel * IMAGE_PANEL,
            .acc_stride = g->acc_stride,
            .ahead = ahead,
            .step = step,
        };
        tile_n(rows, &at);
        ahead += step * (g->block_groups / 2);
    }
}

/* Operands of 16 bits. */
static void widen(int16_t *to, const struct cpu_gemm *g)
{
    const size_t inputs = inputs_of(g);
    for (size_t r = 0; r < g->n_rows; r++)
        for (size_t i = 0; i < inputs; i++)
            to[r * inputs + i] = (int16_t)(((const uint8_t *)g->rows)[r * g->row_stride + i] - 128);
}

/* Panels with their weights as they are, by the kernel of such operands. */
static void multiply_wide(const struct cpu_gemm *g, const int16_t *rows, size_t panel, size_t n_panels)
{
    struct cpu_gemm wide = *g;
    wide.rows = rows;
    wide.row_stride = inputs_of(g) * sizeof *rows;
    wide.weights += panel * g->panel_stride;
    wide.acc += panel * IMAGE_PANEL;
    wide.n_panels = n_panels;
    cpu_gemm_avx2(&wide);
}

/* Lists had no room. */
static void multiply_wide_panel(const struct cpu_gemm *g, size_t panel)
{
    int16_t *rows = (int16_t *)g->work + (g->n_rows + COLUMN_ROWS - 1) / COLUMN_ROWS * COLUMN_ROWS * inputs_of(g);
    widen(rows, g);
    multiply_wide(g, rows, panel, 1);
}

static bool has_lists(const struct cpu_gemm *g, size_t panel)
{
    return g->narrow.lists[panel].turns[0] != IMAGE_NOT_NARROW;
}

static void multiply_narrow(const struct cpu_gemm *g)
{
    for (size_t begin = 0, end; begin < g->n_panels; begin = end) {
        end = begin + PANELS < g->n_panels ? begin + PANELS : g->n_panels;
        for (size_t panel = begin; panel < end; panel++)
            if (has_lists(g, panel))
                multiply_panel(g, panel);
            else
                multiply_wide_panel(g, panel);
        for (size_t row = 0; row < g->n_rows; row += COLUMN_ROWS)
            for (size_t panel = begin; panel < end; panel++)
                if (has_lists(g, panel))
                    add_excess(g, panel, row, (const int16_t *)g->work + row * inputs_of(g));
    }
}

static bool is_narrow(const struct cpu_gemm *g)
{
    return g->narrow.weights && g->n_rows >= LEAST_ROWS && g->n_rows * inputs_of(g) >= LEAST_INPUTS;
}

static void prepare(const struct cpu_gemm *g)
{
    if (!is_narrow(g))
        widen(g->work, g);
    else
        for (size_t row = 0; row < g->n_rows; row += COLUMN_ROWS)
            turn((int16_t *)g->work + row * inputs_of(g), g, row);
}

static void linear(const struct cpu_gemm *g)
{
    if (is_narrow(g))
        multiply_narrow(g);
    else
        multiply_wide(g, g->work, 0, g->n_panels);
}

void cpu_linear_init_avx2(struct cpu_kernels *kernels)
{
    kernels->prepare = prepare;
    kernels->linear = linear;
    kernels->linear_operand_size = 1;
}
