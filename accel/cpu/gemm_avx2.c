/* AVX2 without VNNI: exact through 16 bits. Activations are int16, weights are widened, vpmaddwd adds two products into
 * 32 bits. (vpmaddubsw would saturate; with signs moved over it is exact but no faster.)
 *
 * For many rows a panel is widened once, in an order in which tiles of 6 rows by a whole panel need 12 accumulators of
 * 8 outputs. For few rows, or more inputs than the cache has room for, tiles of 6 rows by half a panel widen weights as
 * they load them: 12 accumulators, each 4 outputs by 2 partial sums. Accumulators are named variables, not an array,
 * because gcc keeps an array of them in memory.
 */
#include <immintrin.h>

#include "accel/cpu/kernels.h"
#include "accel/cpu/tiles.h"

enum {
    TILE_ROWS = 6,
    HALF = IMAGE_PANEL / 2,
    GROUP_BYTES = IMAGE_PANEL * IMAGE_GROUP,
    MANY_ROWS = 2 * TILE_ROWS + 1,
    WIDE_GROUPS = IMAGE_MAX_SEQUENCE / IMAGE_GROUP,
};

struct cursor {
    const int16_t *rows;
    const void *weights; /* bytes, or widened */
    int32_t *acc;
    const char *ahead; /* what to prefetch: this tile's share of the next panel */
    size_t step;       /* bytes of it a group */
};

static inline __m256i widen(const int8_t *weights)
{
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)weights));
}

/* X(row, base, step): row `row` is `step` strides after pointer `base`. */
#define EACH_ROW(X)            X(0, p0, 0) X(1, p0, 1) X(2, p0, 2) X(3, p1, 0) X(4, p1, 1) X(5, p1, 2)
#define DECLARE(r, base, step) __m256i c##r##_0 = _mm256_setzero_si256(), c##r##_1 = c##r##_0;

static inline __m256i broadcast(const int16_t *group)
{
    int64_t bits;
    __builtin_memcpy(&bits, group, sizeof bits);
    return _mm256_set1_epi64x(bits);
}

/* Add the partial sums of outputs 0..3 and 4..7. */
static inline void store(int32_t *acc, __m256i low, __m256i high)
{
    __m256i sums = _mm256_permute4x64_epi64(_mm256_hadd_epi32(low, high), 0xd8);
    _mm256_storeu_si256((__m256i *)acc, sums);
}

#define ADD(r, x, w0, w1)                                                                                              \
    c##r##_0 = _mm256_add_epi32(c##r##_0, _mm256_madd_epi16(x, w0));                                                   \
    c##r##_1 = _mm256_add_epi32(c##r##_1, _mm256_madd_epi16(x, w1));
#define MULTIPLY(r, base, step)                                                                                        \
    if (R > r) {                                                                                                       \
        __m256i x = broadcast(base + step * stride);                                                                   \
        ADD(r, x, w0, w1)                                                                                              \
    }
#define STORE(r, base, step)                                                                                           \
    if (R > r)                                                                                                         \
        store(at->acc + r * g->acc_stride, c##r##_0, c##r##_1);

/* R rows by 8 outputs. */
CPU_TEMPLATE void half_tile(const int R, const struct cpu_gemm *g, const struct cursor *at)
{
    const size_t stride = g->row_stride / sizeof(int16_t);
    const int16_t *p0 = at->rows, *p1 = p0 + 3 * stride;
    const char *ahead = at->ahead;
    EACH_ROW(DECLARE)
    const int8_t *w = at->weights;
#pragma GCC unroll 2
    for (size_t i = 0; i < g->groups; i++, w += GROUP_BYTES, p0 += IMAGE_GROUP, p1 += IMAGE_GROUP) {
        __m256i w0 = widen(w), w1 = widen(w + 16);
        _mm_prefetch(ahead, _MM_HINT_T1);
        ahead += at->step;
        EACH_ROW(MULTIPLY)
    }
    EACH_ROW(STORE)
}

static inline __m256i broadcast_pair(const int16_t *pair)
{
    int32_t bits;
    __builtin_memcpy(&bits, pair, sizeof bits);
    return _mm256_set1_epi32(bits);
}

/* Weights of a panel, by groups: the first two inputs of each output, then the last two. */
struct wide {
    __m256i pairs[WIDE_GROUPS][2][2];
};

static inline void widen_half(struct wide *wide, size_t group, size_t half, const int8_t *w)
{
    const __m256 low = _mm256_castsi256_ps(widen(w)), high = _mm256_castsi256_ps(widen(w + 16));
    const __m256i first = _mm256_castps_si256(_mm256_shuffle_ps(low, high, 0x88));
    const __m256i last = _mm256_castps_si256(_mm256_shuffle_ps(low, high, 0xdd));
    wide->pairs[group][0][half] = _mm256_permute4x64_epi64(first, 0xd8);
    wide->pairs[group][1][half] = _mm256_permute4x64_epi64(last, 0xd8);
}

static void widen_panel(struct wide *wide, const struct cpu_gemm *g, const int8_t *panel)
{
    for (size_t group = 0; group < g->groups; group++, panel += GROUP_BYTES) {
        widen_half(wide, group, 0, panel);
        widen_half(wide, group, 1, panel + GROUP_BYTES / 2);
    }
}

#define MULTIPLY_PAIR(r, base, step)                                                                                   \
    if (R > r) {                                                                                                       \
        __m256i x = broadcast_pair(base + step * stride + 2 * pair);                                                   \
        ADD(r, x, w0, w1)                                                                                              \
        __asm__("" : "+x"(c##r##_0), "+x"(c##r##_1));                                                                  \
    }
#define STORE_PANEL(r, base, step)                                                                                     \
    if (R > r) {                                                                                                       \
        _mm256_storeu_si256((__m256i *)(at->acc + r * g->acc_stride), c##r##_0);                                       \
        _mm256_storeu_si256((__m256i *)(at->acc + r * g->acc_stride + HALF), c##r##_1);                                \
    }

/* R rows by a widened panel. */
CPU_TEMPLATE void wide_tile(const int R, const struct cpu_gemm *g, const struct cursor *at)
{
    const size_t stride = g->row_stride / sizeof(int16_t);
    const int16_t *p0 = at->rows, *p1 = p0 + 3 * stride;
    const struct wide *wide = at->weights;
    EACH_ROW(DECLARE)
    for (size_t i = 0; i < g->groups; i++, p0 += IMAGE_GROUP, p1 += IMAGE_GROUP) {
#pragma GCC unroll 2
        for (size_t pair = 0; pair < 2; pair++) {
            __m256i w0 = wide->pairs[i][pair][0], w1 = wide->pairs[i][pair][1];
            __asm__("" : "+x"(w0), "+x"(w1));
            EACH_ROW(MULTIPLY_PAIR)
        }
    }
    EACH_ROW(STORE_PANEL)
}

/* clang-format off */
#define SIZE(r, TILE)                                                                                                  \
    case r:                                                                                                            \
        TILE(r, g, at);                                                                                                \
        break;
#define EACH_SIZE(TILE)                                                                                                \
    switch (rows) {                                                                                                    \
        SIZE(1, TILE) SIZE(2, TILE) SIZE(3, TILE) SIZE(4, TILE) SIZE(5, TILE) SIZE(6, TILE)                            \
    }
/* clang-format on */

static void half_tile_n(size_t rows, const struct cpu_gemm *g, const struct cursor *at)
{
    EACH_SIZE(half_tile)
}

static void wide_tile_n(size_t rows, const struct cpu_gemm *g, const struct cursor *at)
{
    EACH_SIZE(wide_tile)
}

/* A tile that begins at this row and panel. */
static struct cursor cursor_at(const struct cpu_gemm *g, size_t row, size_t panel, const void *weights)
{
    return (struct cursor){
        .rows = (const int16_t *)((const char *)g->rows + row * g->row_stride),
        .weights = weights,
        .acc = g->acc + row * g->acc_stride + panel * IMAGE_PANEL,
    };
}

static void multiply_halves(const struct cpu_gemm *g)
{
    const size_t step = cpu_prefetch_step((g->n_rows + TILE_ROWS - 1) / TILE_ROWS * 2);
    const size_t share = step * g->groups;
    for (size_t panel = 0; panel < g->n_panels; panel++) {
        const int8_t *weights = g->weights + panel * g->panel_stride;
        const char *ahead = (const char *)weights + g->panel_stride;
        for (size_t row = 0, rows; row < g->n_rows; row += rows) {
            rows = cpu_tile_rows(g->n_rows - row, TILE_ROWS);
            struct cursor at = cursor_at(g, row, panel, weights);
            at.ahead = ahead;
            at.step = step;
            half_tile_n(rows, g, &at);
            at.weights = weights + HALF * IMAGE_GROUP;
            at.acc += HALF;
            at.ahead += share;
            half_tile_n(rows, g, &at);
            ahead += 2 * share;
        }
    }
}

static void multiply_wide(const struct cpu_gemm *g)
{
    struct wide wide;
    for (size_t panel = 0; panel < g->n_panels; panel++) {
        widen_panel(&wide, g, g->weights + panel * g->panel_stride);
        for (size_t row = 0, rows; row < g->n_rows; row += rows) {
            rows = cpu_tile_rows(g->n_rows - row, TILE_ROWS);
            const struct cursor at = cursor_at(g, row, panel, &wide);
            wide_tile_n(rows, g, &at);
        }
    }
}

void cpu_gemm_avx2(const struct cpu_gemm *g)
{
    if (g->n_rows >= MANY_ROWS && g->groups <= WIDE_GROUPS)
        multiply_wide(g);
    else
        multiply_halves(g);
}
