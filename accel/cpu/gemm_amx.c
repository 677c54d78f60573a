/* AMX: tiles of 16 rows by 16 outputs, 64 inputs at a time. Both sides are signed bytes, so accumulators start at 0,
 * and the groups of a panel are tiles of weights as they lie.
 *
 * All tiles have one shape for the whole of a task, since to change it takes as long as twenty products. So rows are
 * padded (see struct cpu_gemm); and where weights end within a tile, a copy of them is filled up with zeros, which also
 * makes harmless what rows hold past their inputs. P comes filled up. Where the inputs are no more than a tile's,
 * as those of attention's scores, the rows are copied and filled up instead, and stay in their tiles while all panels
 * go by.
 *
 * A product takes 16 cycles but its sum is there only after 52, so accumulators take turns: of 2 tiles of rows by 2
 * panels.
 *
 * What waits for memory and what waits for the second-level cache share the few buffers of the first, so to fetch the
 * weights of the next panels hardly overlaps with the products. More rows a pass is what helps.
 */
#include "accel/cpu/tiles_step_amx.h"

/* A panel as tiles: those that lie as they should, and the filled-up copy of the last one. */
struct panel {
    const int8_t *whole;
    size_t n_whole;
    const int8_t *last; /* NULL: there is none */
};

struct copies {
    int8_t bytes[PAIR][TILE_BYTES];
} __attribute__((aligned(GROUP_BYTES)));

/* What is multiplied with a pair of panels, and where that goes. */
struct cursor {
    const int8_t *rows;
    int32_t *acc;
    const struct panel *panels;
    struct ahead ahead;
};

static struct panel panel_of(const struct cpu_gemm *g, size_t index, int8_t *copy)
{
    const int8_t *weights = g->weights + index * g->panel_stride;
    const size_t n_whole = g->groups / TILE_LINES, left = g->groups % TILE_LINES;
    if (left == 0 || g->filled_up)
        return (struct panel){weights, n_whole + (left != 0), NULL};
    for (size_t i = 0; i < TILE_LINES; i++) {
        const int8_t *from = weights + n_whole * TILE_BYTES + i * GROUP_BYTES;
        _mm512_storeu_si512(copy + i * GROUP_BYTES, i < left ? _mm512_loadu_si512(from) : _mm512_setzero_si512());
    }
    return (struct panel){weights, n_whole, copy};
}

/* R tiles of rows by P panels: 1 or 2 each. */
CPU_TEMPLATE void multiply_tiles(const int R, const int P, const struct cpu_gemm *g, struct cursor *at)
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
        multiply_step(R, P, rows, g->row_stride, first->whole + i * TILE_BYTES, second->whole + i * TILE_BYTES);
        fetch_share(&at->ahead);
    }
    if (first->last)
        multiply_step(R, P, rows, g->row_stride, first->last, second->last);
    TILE_STORE(0, at->acc, acc_stride);
    if (P > 1)
        TILE_STORE(1, at->acc + IMAGE_PANEL, acc_stride);
    if (R > 1)
        TILE_STORE(2, low, acc_stride);
    if (R > 1 && P > 1)
        TILE_STORE(3, low + IMAGE_PANEL, acc_stride);
}

/* All rows by one or two panels, which so stay in the first-level cache. */
static void multiply_pair(const struct cpu_gemm *g, size_t n_panels, struct cursor *at)
{
    const size_t pair = PAIR * CPU_TILE_ROWS;
    for (size_t row = 0; row < g->n_rows; row += pair) {
        const bool two = g->n_rows - row > CPU_TILE_ROWS;
        if (two && n_panels == PAIR)
            multiply_tiles(2, 2, g, at);
        else if (two)
            multiply_tiles(2, 1, g, at);
        else if (n_panels == PAIR)
            multiply_tiles(1, 2, g, at);
        else
            multiply_tiles(1, 1, g, at);
        at->rows += pair * g->row_stride;
        at->acc += pair * g->acc_stride;
    }
}

static void multiply(const struct cpu_gemm *g, bool contiguous)
{
    struct copies copies;
    for (size_t first = 0; first < g->n_panels; first += PAIR) {
        const size_t n = g->n_panels - first < PAIR ? 1 : PAIR;
        struct panel panels[PAIR];
        for (size_t p = 0; p < n; p++)
            panels[p] = panel_of(g, first + p, copies.bytes[p]);
        struct cursor at = {
            .rows = g->rows,
            .acc = g->acc + first * IMAGE_PANEL,
            .panels = panels,
        };
        if (contiguous)
            at.ahead = ahead_of(g, first);
        multiply_pair(g, n, &at);
    }
}

/* Rows filled up with zeros. */
static void fill_up_rows(int8_t *to, const struct cpu_gemm *g, const int8_t *from, size_t n)
{
    const __mmask64 inputs = _cvtu64_mask64(~0ull >> (CPU_TILE_INPUTS - g->groups * IMAGE_GROUP));
    for (size_t r = 0; r < n; r++, from += g->row_stride)
        _mm512_store_si512(to + r * CPU_TILE_INPUTS, _mm512_maskz_loadu_epi8(inputs, from));
}

/* Rows of one tile each, which stay in tiles 4 and 5: R tiles of them by P panels. */
CPU_TEMPLATE void multiply_short(const int R, const int P, const int8_t *weights, size_t panel_stride, int32_t *acc,
                                 size_t acc_stride)
{
    TILE_ZERO(0);
    TILE_LOAD(6, weights, GROUP_BYTES);
    TILE_MULTIPLY(0, 4, 6);
    if (P > 1) {
        TILE_ZERO(1);
        TILE_LOAD(7, weights + panel_stride, GROUP_BYTES);
        TILE_MULTIPLY(1, 4, 7);
    }
    if (R > 1) {
        TILE_ZERO(2);
        TILE_MULTIPLY(2, 5, 6);
    }
    if (R > 1 && P > 1) {
        TILE_ZERO(3);
        TILE_MULTIPLY(3, 5, 7);
    }
    TILE_STORE(0, acc, acc_stride * sizeof *acc);
    if (P > 1)
        TILE_STORE(1, acc + IMAGE_PANEL, acc_stride * sizeof *acc);
    acc += CPU_TILE_ROWS * acc_stride;
    if (R > 1)
        TILE_STORE(2, acc, acc_stride * sizeof *acc);
    if (R > 1 && P > 1)
        TILE_STORE(3, acc + IMAGE_PANEL, acc_stride * sizeof *acc);
}

CPU_TEMPLATE void multiply_short_rows(const int R, const struct cpu_gemm *g, int32_t *acc)
{
    const int8_t *weights = g->weights;
    size_t panel = 0;
    for (; panel + PAIR <= g->n_panels; panel += PAIR, weights += PAIR * g->panel_stride, acc += PAIR * IMAGE_PANEL)
        multiply_short(R, PAIR, weights, g->panel_stride, acc, g->acc_stride);
    if (panel < g->n_panels)
        multiply_short(R, 1, weights, g->panel_stride, acc, g->acc_stride);
}

static void gemm_short(const struct cpu_gemm *g)
{
    int8_t copy[PAIR * TILE_BYTES] __attribute__((aligned(CPU_TILE_INPUTS)));
    const bool whole = g->filled_up || g->groups == TILE_LINES;
    const size_t stride = whole ? g->row_stride : CPU_TILE_INPUTS;
    for (size_t row = 0, n; row < g->n_rows; row += n) {
        n = g->n_rows - row < PAIR * CPU_TILE_ROWS ? g->n_rows - row : PAIR * CPU_TILE_ROWS;
        const int8_t *rows = (const int8_t *)g->rows + row * g->row_stride;
        if (!whole) {
            fill_up_rows(copy, g, rows, n);
            rows = copy;
        }
        TILE_LOAD(4, rows, stride);
        if (n <= CPU_TILE_ROWS) {
            multiply_short_rows(1, g, g->acc + row * g->acc_stride);
            continue;
        }
        TILE_LOAD(5, rows + CPU_TILE_ROWS * stride, stride);
        multiply_short_rows(PAIR, g, g->acc + row * g->acc_stride);
    }
}

static void gemm(const struct cpu_gemm *g)
{
    if (g->groups <= TILE_LINES)
        gemm_short(g);
    else
        multiply(g, false);
}

static void linear(const struct cpu_gemm *g)
{
    multiply(g, true);
}

static void begin(void)
{
    static const struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } __attribute__((aligned(GROUP_BYTES)))
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
    kernels->linear = linear;
    kernels->tile_inputs = CPU_TILE_INPUTS;
    kernels->begin = begin;
    kernels->end = end;
    cpu_linear_init_amx(kernels);
}
