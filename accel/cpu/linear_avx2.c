/* Linear layers in AVX2 without VNNI, over narrow weights: vpmaddubsw, two of its results added in 16 bits, then
 * vpmaddwd by one. That is 3 multiplications for 64 products where 16-bit operands need 4, and exact, because the
 * weights are clipped so that no sum leaves 16 bits (struct image_narrow). What they were clipped by, a few percent of
 * the inputs of an output, is where accumulators begin: for 32 rows at a time, in 16 bits too, from the rows turned
 * into columns.
 */
#include <immintrin.h>
#include <string.h>

#include "accel/cpu/kernels.h"
#include "accel/cpu/tiles.h"

enum {
    TILE_ROWS = 4,
    TILE_OUTPUTS = 8, /* of a vector of accumulators */
    GROUP_BYTES = IMAGE_PANEL * IMAGE_GROUP,
    COLUMN_ROWS = 32,
    PLACE_BYTES = COLUMN_ROWS / IMAGE_PLACE, /* what an address can be scaled by */
    PANELS = 8,          /* by which some rows are multiplied before the next rows are: about a second-level cache's */
    LEAST_ROWS = 12,     /* below, excess of 32 rows costs more than narrow weights save, ... */
    LEAST_INPUTS = 6144, /* ... and it is a larger part of narrow linears: of all rows together */
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
    const uint16_t *order;
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

/* One step of turning 16 vectors of 16 bytes into columns, of four: rows i and i + 8 interleaved. */
static inline void interleave(__m256i to[16], const __m256i from[16])
{
#pragma GCC unroll 8
    for (size_t i = 0; i < 8; i++) {
        to[2 * i] = _mm256_unpacklo_epi8(from[i], from[i + 8]);
        to[2 * i + 1] = _mm256_unpackhi_epi8(from[i], from[i + 8]);
    }
}

/* 16 inputs of COLUMN_ROWS rows. */
static inline void turn_inputs(uint8_t *columns, const uint8_t *const rows[COLUMN_ROWS], size_t input)
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
        _mm256_storeu_si256((__m256i *)(columns + (input + i) * COLUMN_ROWS), b[i]);
}

/* Operands of COLUMN_ROWS rows from `row` on -> [inputs][COLUMN_ROWS]; what stands for rows past the last is nobody's.
 */
static void turn(uint8_t *columns, const struct cpu_gemm *g, size_t row)
{
    const size_t inputs = inputs_of(g);
    const uint8_t *rows[COLUMN_ROWS];
    for (size_t r = 0; r < COLUMN_ROWS; r++)
        rows[r] = (const uint8_t *)g->rows + (row + r < g->n_rows ? row + r : g->n_rows - 1) * g->row_stride;
    size_t input = 0;
    for (; input + 16 <= inputs; input += 16)
        turn_inputs(columns, rows, input);
    for (; input < inputs; input++)
        for (size_t r = 0; r < COLUMN_ROWS; r++)
            columns[input * COLUMN_ROWS + r] = rows[r][input];
}

/* What the excess of a panel gives COLUMN_ROWS rows: for each output rows 0-3 and 16-19, 4-7 and 20-23, and so on. */
struct sums {
    __m256i rows[IMAGE_PANEL][4];
};

/* Two weights: to the 16 bits of rows 0-7 and 16-23, and 8-15 and 24-31. */
static inline void add_turn(__m256i *low, __m256i *high, const struct image_excess *at, size_t turn,
                            const uint8_t *columns)
{
    int32_t both;
    memcpy(&both, at->excess[turn], sizeof both);
    const __m256i excess = _mm256_set1_epi32(both);
    const __m256i x = load(columns + at->places[turn][0] * (size_t)PLACE_BYTES);
    const __m256i y = load(columns + at->places[turn][1] * (size_t)PLACE_BYTES);
    *low = _mm256_add_epi16(*low, _mm256_maddubs_epi16(_mm256_unpacklo_epi8(x, y), excess));
    *high = _mm256_add_epi16(*high, _mm256_maddubs_epi16(_mm256_unpackhi_epi8(x, y), excess));
    __asm__("" : "+x"(*low), "+x"(*high));
}

static inline void sum_excess(__m256i to[4], const struct image_excess *at, const uint8_t *columns)
{
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i low[2], high[2];
    for (size_t s = 0; s < 2; s++) {
        low[s] = high[s] = _mm256_setzero_si256();
#pragma GCC unroll 4
        for (size_t turn = 0; turn < IMAGE_TURNS; turn++)
            add_turn(&low[s], &high[s], at, s * IMAGE_TURNS + turn, columns);
    }
    to[0] = _mm256_madd_epi16(_mm256_unpacklo_epi16(low[0], low[1]), ones);
    to[1] = _mm256_madd_epi16(_mm256_unpackhi_epi16(low[0], low[1]), ones);
    to[2] = _mm256_madd_epi16(_mm256_unpacklo_epi16(high[0], high[1]), ones);
    to[3] = _mm256_madd_epi16(_mm256_unpackhi_epi16(high[0], high[1]), ones);
}

/* Where accumulators begin, of 4 outputs: four rows from `row` on, and four from 16 rows further on. */
CPU_TEMPLATE void store_turned(const bool whole, const struct cpu_gemm *g, int32_t *acc, size_t row,
                               const struct sums *sums, size_t output, size_t part)
{
    const __m256i a = sums->rows[output][part], b = sums->rows[output + 1][part];
    const __m256i c = sums->rows[output + 2][part], d = sums->rows[output + 3][part];
    const __m256i ab = _mm256_unpacklo_epi32(a, b), AB = _mm256_unpackhi_epi32(a, b);
    const __m256i cd = _mm256_unpacklo_epi32(c, d), CD = _mm256_unpackhi_epi32(c, d);
    const __m256i turned[4] = {_mm256_unpacklo_epi64(ab, cd), _mm256_unpackhi_epi64(ab, cd),
                               _mm256_unpacklo_epi64(AB, CD), _mm256_unpackhi_epi64(AB, CD)};
    for (size_t r = 0; r < 4; r++) {
        if (whole || row + r < g->n_rows)
            _mm_storeu_si128((__m128i *)(acc + (row + r) * g->acc_stride), _mm256_castsi256_si128(turned[r]));
        if (whole || row + r + 16 < g->n_rows)
            _mm_storeu_si128((__m128i *)(acc + (row + r + 16) * g->acc_stride), _mm256_extracti128_si256(turned[r], 1));
    }
}

CPU_TEMPLATE void store_sums(const bool whole, const struct cpu_gemm *g, int32_t *acc, size_t row,
                             const struct sums *sums)
{
#pragma GCC unroll 4
    for (size_t part = 0; part < 4; part++)
#pragma GCC unroll 4
        for (size_t output = 0; output < IMAGE_PANEL; output += 4)
            store_turned(whole, g, acc + output, row + 4 * part, sums, output, part);
}

static void begin_with_excess(const struct cpu_gemm *g, size_t panel, size_t row, const uint8_t *columns)
{
    const size_t room = image_excess_room((uint32_t)inputs_of(g));
    const struct image_excess *excess = g->narrow.excess + panel * room, *ahead = excess + PANELS * room;
    struct sums sums;
    for (size_t o = 0; o < IMAGE_PANEL; o++) {
        _mm_prefetch((const char *)&ahead[o], _MM_HINT_T1);
        sum_excess(sums.rows[o], &excess[o], columns);
    }
    for (size_t i = IMAGE_PANEL; i < g->narrow.counts[panel]; i++) {
        _mm_prefetch((const char *)&ahead[i], _MM_HINT_T1);
        __m256i more[4], *to = sums.rows[excess[i].output];
        sum_excess(more, &excess[i], columns);
        for (size_t part = 0; part < 4; part++)
            to[part] = _mm256_add_epi32(to[part], more[part]);
    }
    int32_t *acc = g->acc + panel * IMAGE_PANEL;
    if (row + COLUMN_ROWS <= g->n_rows)
        store_sums(true, g, acc, row, &sums);
    else
        store_sums(false, g, acc, row, &sums);
}

/* The rows from `begin` to `end` of a panel. */
static void multiply_panel(const struct cpu_gemm *g, size_t panel, size_t begin, size_t end)
{
    const int8_t *weights = g->narrow.weights + panel * g->panel_stride;
    const size_t step = 2 * cpu_prefetch_step((g->n_rows + TILE_ROWS - 1) / TILE_ROWS);
    const char *ahead =
        (const char *)weights + PANELS * g->panel_stride + begin / TILE_ROWS * step * (g->block_groups / 2);
    for (size_t row = begin, rows; row < end; row += rows) {
        rows = cpu_tile_rows(end - row, TILE_ROWS);
        const struct cursor at = {
            .rows = (const uint8_t *)g->rows + row * g->row_stride,
            .stride = g->row_stride,
            .weights = weights,
            .order = g->narrow.orders + panel * g->block_groups,
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

/* The excess had no room. */
static void multiply_wide_panel(const struct cpu_gemm *g, size_t panel)
{
    int16_t *rows =
        (int16_t *)((uint8_t *)g->work + (g->n_rows + COLUMN_ROWS - 1) / COLUMN_ROWS * COLUMN_ROWS * inputs_of(g));
    widen(rows, g);
    multiply_wide(g, rows, panel, 1);
}

static bool is_clipped(const struct cpu_gemm *g, size_t panel)
{
    return g->narrow.counts[panel] != IMAGE_NOT_NARROW;
}

static void multiply_narrow(const struct cpu_gemm *g)
{
    for (size_t first = 0, last; first < g->n_panels; first = last) {
        last = first + PANELS < g->n_panels ? first + PANELS : g->n_panels;
        for (size_t row = 0; row < g->n_rows; row += COLUMN_ROWS) {
            const size_t end = row + COLUMN_ROWS < g->n_rows ? row + COLUMN_ROWS : g->n_rows;
            for (size_t panel = first; panel < last; panel++)
                if (is_clipped(g, panel))
                    begin_with_excess(g, panel, row, (const uint8_t *)g->work + row * inputs_of(g));
            for (size_t panel = first; panel < last; panel++)
                if (is_clipped(g, panel))
                    multiply_panel(g, panel, row, end);
                else if (row == 0)
                    multiply_wide_panel(g, panel);
        }
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
            turn((uint8_t *)g->work + row * inputs_of(g), g, row);
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
