/* AMX: tiles of 16 rows by 16 outputs, 64 inputs at a time. Both sides are signed bytes, so accumulators start at 0,
 * and the groups of a panel are tiles of weights as they lie.
 *
 * All tiles have one shape for the whole of a task, since to change it takes as long as twenty products. So rows are
 * padded (see struct cpu_gemm); and where weights end within a tile, or lie in blocks smaller than one, a copy of them
 * is filled up with zeros, which also makes harmless what rows hold past their inputs.
 *
 * A product takes 16 cycles but its sum is there only after 52, so four accumulators take turns: of 2 tiles of rows by
 * 2 panels, or of 1 by 4.
 */
#include <immintrin.h>

#include "accel/cpu/kernels.h"
#include "accel/cpu/tiles.h"
#include "accel/cpu/tiles_amx.h"
#include "base/round_up.h"

enum {
    GROUP_BYTES = IMAGE_PANEL * IMAGE_GROUP,
    TILE_BYTES = CPU_TILE_ROWS * CPU_TILE_INPUTS, /* of weights too: 16 groups */
    LINE = 64,
    BLOCK_PANELS = 4,
    /* A product takes the same time whatever the rows of its tiles. With fewer rows than this vpdpbusd was the faster,
     * on a Xeon of 2023: then weights come from memory, and not products but loads set the pace. */
    LEAST_ROWS = 13,
};

/* A panel as tiles: those that lie as they should, and the filled-up copy of the last one. */
struct panel {
    const int8_t *whole;
    size_t n_whole;
    const int8_t *last; /* NULL: there is none */
};

struct copies {
    int8_t bytes[BLOCK_PANELS][IMAGE_MAX_SEQUENCE * IMAGE_PANEL];
} __attribute__((aligned(LINE)));

/* What is multiplied with some panels, and where that goes. */
struct cursor {
    const int8_t *rows;
    int32_t *acc;
    const struct panel *panels;
    const char *ahead; /* what to prefetch: this tile's share of the next panels */
    size_t lines;      /* of it, a step */
};

static int8_t *copy_groups(int8_t *to, const int8_t *from, size_t n)
{
    for (size_t i = 0; i < n; i++, to += GROUP_BYTES)
        _mm512_storeu_si512(to, _mm512_loadu_si512(from + i * GROUP_BYTES));
    return to;
}

static void fill_up(int8_t *from, const int8_t *begin)
{
    for (; (from - begin) % TILE_BYTES != 0; from += GROUP_BYTES)
        _mm512_storeu_si512(from, _mm512_setzero_si512());
}

static struct panel panel_of(const struct cpu_gemm *g, size_t index, int8_t *copy)
{
    const int8_t *weights = g->weights + index * g->panel_stride;
    int8_t *end = copy;
    if (g->n_blocks == 1) {
        const size_t tile = TILE_BYTES / GROUP_BYTES, n_whole = g->block_groups / tile;
        fill_up(copy_groups(copy, weights + n_whole * TILE_BYTES, g->block_groups % tile), copy);
        return (struct panel){weights, n_whole, g->block_groups % tile ? copy : NULL};
    }
    for (size_t b = 0; b < g->n_blocks; b++)
        end = copy_groups(end, weights + b * g->block_stride, g->block_groups);
    fill_up(end, copy);
    return (struct panel){copy, round_up((size_t)(end - copy), TILE_BYTES) / TILE_BYTES, NULL};
}

static inline void fetch(struct cursor *at)
{
    for (size_t i = 0; i < at->lines; i++, at->ahead += LINE)
        _mm_prefetch(at->ahead, _MM_HINT_T1);
}

/* Tiles 0 to 3 are accumulators, 4 and 5 rows, 6 and 7 weights. */
CPU_TEMPLATE void square_step(const int R, const int P, const int8_t *rows, size_t stride, const int8_t *w0,
                              const int8_t *w1)
{
    TILE_LOAD(4, rows, stride);
    TILE_LOAD(6, w0, GROUP_BYTES);
    TILE_MULTIPLY(0, 4, 6);
    if (P > 1) {
        TILE_LOAD(7, w1, GROUP_BYTES);
        TILE_MULTIPLY(1, 4, 7);
    }
    if (R > 1) {
        TILE_LOAD(5, rows + CPU_TILE_ROWS * stride, stride);
        TILE_MULTIPLY(2, 5, 6);
        if (P > 1)
            TILE_MULTIPLY(3, 5, 7);
    }
}

/* R tiles of rows by P panels: 1 or 2 each. */
CPU_TEMPLATE void square(const int R, const int P, const struct cpu_gemm *g, struct cursor *at)
{
    const struct panel *first = at->panels, *second = P > 1 ? first + 1 : first;
    const size_t acc_stride = g->acc_stride * sizeof *g->acc;
    const int8_t *rows = at->rows;
    int32_t *low = at->acc + CPU_TILE_ROWS * g->acc_stride;
    TILE_ZERO(0);
    TILE_ZERO(1);
    TILE_ZERO(2);
    TILE_ZERO(3);
    for (size_t i = 0; i < first->n_whole; i++, rows += CPU_TILE_INPUTS) {
        square_step(R, P, rows, g->row_stride, first->whole + i * TILE_BYTES, second->whole + i * TILE_BYTES);
        fetch(at);
    }
    if (first->last)
        square_step(R, P, rows, g->row_stride, first->last, second->last);
    TILE_STORE(0, at->acc, acc_stride);
    if (P > 1)
        TILE_STORE(1, at->acc + IMAGE_PANEL, acc_stride);
    if (R > 1)
        TILE_STORE(2, low, acc_stride);
    if (R > 1 && P > 1)
        TILE_STORE(3, low + IMAGE_PANEL, acc_stride);
}

/* Tiles 0 to 3 are accumulators, 4 is rows, 5 to 7 are weights. */
static inline void wide_step(const int8_t *rows, size_t stride, const int8_t *const weights[BLOCK_PANELS])
{
    TILE_LOAD(4, rows, stride);
    TILE_LOAD(5, weights[0], GROUP_BYTES);
    TILE_MULTIPLY(0, 4, 5);
    TILE_LOAD(6, weights[1], GROUP_BYTES);
    TILE_MULTIPLY(1, 4, 6);
    TILE_LOAD(7, weights[2], GROUP_BYTES);
    TILE_MULTIPLY(2, 4, 7);
    TILE_LOAD(5, weights[3], GROUP_BYTES);
    TILE_MULTIPLY(3, 4, 5);
}

/* A tile of rows by 4 panels. */
static void wide(const struct cpu_gemm *g, struct cursor *at)
{
    const struct panel *p = at->panels;
    const size_t acc_stride = g->acc_stride * sizeof *g->acc;
    const int8_t *weights[BLOCK_PANELS] = {p[0].whole, p[1].whole, p[2].whole, p[3].whole};
    const int8_t *rows = at->rows;
    TILE_ZERO(0);
    TILE_ZERO(1);
    TILE_ZERO(2);
    TILE_ZERO(3);
    for (size_t i = 0; i < p->n_whole; i++, rows += CPU_TILE_INPUTS) {
        wide_step(rows, g->row_stride, weights);
        for (int j = 0; j < BLOCK_PANELS; j++)
            weights[j] += TILE_BYTES;
        fetch(at);
    }
    if (p->last)
        wide_step(rows, g->row_stride, (const int8_t *const[]){p[0].last, p[1].last, p[2].last, p[3].last});
    TILE_STORE(0, at->acc, acc_stride);
    TILE_STORE(1, at->acc + IMAGE_PANEL, acc_stride);
    TILE_STORE(2, at->acc + 2 * IMAGE_PANEL, acc_stride);
    TILE_STORE(3, at->acc + 3 * IMAGE_PANEL, acc_stride);
}

/* One or two tiles of rows from `row` on, by some panels of a block. */
static void multiply_rows(const struct cpu_gemm *g, size_t row, size_t tiles, size_t panel, size_t n_panels,
                          struct cursor *at)
{
    at->rows = (const int8_t *)g->rows + row * g->row_stride;
    at->acc = g->acc + row * g->acc_stride + panel * IMAGE_PANEL;
    if (n_panels == BLOCK_PANELS)
        wide(g, at);
    else if (tiles == 2 && n_panels == 2)
        square(2, 2, g, at);
    else if (tiles == 2)
        square(2, 1, g, at);
    else if (n_panels == 2)
        square(1, 2, g, at);
    else
        square(1, 1, g, at);
}

/* All rows by up to 4 panels: by two panels at a time, which so stay in the first-level cache, two tiles of rows after
 * the other; at the end the odd tile. */
static void multiply_block(const struct cpu_gemm *g, const struct panel *panels, size_t first, size_t n_panels,
                           bool contiguous)
{
    const size_t tiles = (g->n_rows + CPU_TILE_ROWS - 1) / CPU_TILE_ROWS, paired = tiles / 2 * 2 * CPU_TILE_ROWS;
    struct cursor at = {.ahead = (const char *)g->weights + (first + n_panels) * g->panel_stride};
    if (contiguous) /* of 4 panels' lines in a step of each tile, a step's share */
        at.lines = (BLOCK_PANELS * TILE_BYTES / LINE + tiles - 1) / tiles;
    for (size_t p = 0; p < n_panels; p += 2)
        for (size_t row = 0; row < paired; row += 2 * CPU_TILE_ROWS) {
            at.panels = panels + p;
            multiply_rows(g, row, 2, first + p, n_panels - p > 1 ? 2 : 1, &at);
        }
    if (tiles % 2 == 0)
        return;
    for (size_t p = 0, width; p < n_panels; p += width) {
        width = n_panels == BLOCK_PANELS ? BLOCK_PANELS : n_panels - p > 1 ? 2 : 1;
        at.panels = panels + p;
        multiply_rows(g, paired, 1, first + p, width, &at);
    }
}

static void multiply(const struct cpu_gemm *g, bool contiguous)
{
    struct copies copies;
    for (size_t first = 0, n; first < g->n_panels; first += n) {
        struct panel panels[BLOCK_PANELS];
        n = g->n_panels - first < BLOCK_PANELS ? g->n_panels - first : BLOCK_PANELS;
        for (size_t p = 0; p < n; p++)
            panels[p] = panel_of(g, first + p, copies.bytes[p]);
        multiply_block(g, panels, first, n, contiguous);
    }
}

static void gemm(const struct cpu_gemm *g)
{
    multiply(g, false);
}

static size_t work(size_t n_rows, size_t inputs)
{
    return (n_rows < LEAST_ROWS ? n_rows : LEAST_ROWS - 1) * inputs;
}

/* For few rows, operands as vpdpbusd takes them: q + 128. */
static void prepare(const struct cpu_gemm *g)
{
    const size_t inputs = cpu_linear_inputs(g);
    for (size_t r = 0; g->n_rows < LEAST_ROWS && r < g->n_rows; r++)
        for (size_t i = 0; i < inputs; i++)
            ((uint8_t *)g->work)[r * inputs + i] = ((const uint8_t *)g->rows)[r * g->row_stride + i] ^ 0x80;
}

static void linear(const struct cpu_gemm *g)
{
    if (g->n_rows >= LEAST_ROWS) {
        multiply(g, true);
        return;
    }
    struct cpu_gemm few = *g;
    few.rows = g->work;
    few.row_stride = cpu_linear_inputs(g);
    cpu_gemm_avx512vnni(&few);
}

static void begin(void)
{
    static const struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } __attribute__((aligned(LINE)))
    config = {.palette = 1, .row_bytes = {64, 64, 64, 64, 64, 64, 64, 64}, .rows = {16, 16, 16, 16, 16, 16, 16, 16}};
    _Static_assert(sizeof config == 64, "what ldtilecfg reads");
    tiles_configure(&config);
}

static void end(void)
{
    tiles_release();
}

void cpu_gemm_init_amx(struct cpu_kernels *kernels)
{
    kernels->isa = "amx";
    kernels->n_digits = 2;
    cpu_gemm_set(kernels, gemm, (struct cpu_operand){.size = 1});
    kernels->work = work;
    kernels->prepare = prepare;
    kernels->linear = linear;
    kernels->begin = begin;
    kernels->end = end;
}
