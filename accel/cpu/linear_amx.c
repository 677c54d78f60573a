/* AMX: linear layers whose outputs are added to rows.
 *
 * While the tiles of one block are multiplied, the accumulators of the block before become values. Products leave one
 * of the processor's two pipes for vectors free, so that costs hardly any time; and accumulators never leave the
 * first-level cache. A block is two tiles of rows by two panels.
 */
#include "accel/cpu/lanes_avx512vnni.h"

#include <string.h>

#include "accel/cpu/tiles_step_amx.h"

enum { BLOCK = PAIR * CPU_TILE_ROWS };

/* Accumulators that wait to be added. */
struct block {
    int32_t acc[BLOCK][BLOCK];
    size_t row, output; /* its first */
    size_t rows, added; /* how many it has, and of how many that is done */
} __attribute__((aligned(GROUP_BYTES)));

/* Of a row, in lanes. */
struct sums {
    int32_t acc[LANES], before[LANES];
};

static void add_rows(struct block *block, const struct cpu_addition *to, struct sums *sums, size_t most)
{
    const size_t o = block->output, end = block->rows - block->added < most ? block->rows : block->added + most;
    const lanes scale_0 = lanes_load(to->scales + o), scale_1 = lanes_load(to->scales + o + LANES);
    const lanes bias_0 = lanes_load(to->bias + o), bias_1 = lanes_load(to->bias + o + LANES);
    for (; block->added < end; block->added++) {
        const size_t row = block->row + block->added;
        const lanes scale = lanes_set(to->row_scales[row * to->row_scale_stride]);
        const ints acc_0 = ints_load(block->acc[block->added]), acc_1 = ints_load(block->acc[block->added] + LANES);
        float *x = to->x + row * to->x_stride + o;
        const lanes x_0 = lanes_load(x), x_1 = lanes_load(x + LANES);
        struct sums *sum = &sums[row];
        _mm512_storeu_si512(sum->acc, ints_add(ints_load(sum->acc), ints_add(acc_0, acc_1)));
        _mm512_storeu_si512(sum->before, ints_add(ints_load(sum->before), ints_add(ints_bits(x_0), ints_bits(x_1))));
        lanes_store(x, lanes_add(lanes_fma(lanes_mul(lanes_from_ints(acc_0), scale_0), scale, bias_0), x_0));
        lanes_store(x + LANES, lanes_add(lanes_fma(lanes_mul(lanes_from_ints(acc_1), scale_1), scale, bias_1), x_1));
    }
}

/* R tiles of rows by two panels, into tiles 0 to 3; meanwhile the block before is added. */
CPU_TEMPLATE void multiply_block(const int R, const struct cpu_gemm *g, const int8_t *rows, const int8_t *weights,
                                 struct ahead *ahead, struct block *before, const struct cpu_addition *to)
{
    const size_t steps = g->groups / TILE_LINES, share = (before->rows + steps - 1) / steps;
    TILE_ZERO(0);
    TILE_ZERO(1);
    TILE_ZERO(2);
    TILE_ZERO(3);
    for (size_t i = 0; i < steps; i++, rows += CPU_TILE_INPUTS, weights += TILE_BYTES) {
        multiply_step(R, PAIR, rows, g->row_stride, weights, weights + g->panel_stride);
        fetch_share(ahead);
        add_rows(before, to, g->work, share);
    }
}

static void store_block(struct block *block, size_t row, size_t output, size_t rows)
{
    TILE_STORE(0, block->acc[0], sizeof block->acc[0]);
    TILE_STORE(1, block->acc[0] + IMAGE_PANEL, sizeof block->acc[0]);
    if (rows > CPU_TILE_ROWS) {
        TILE_STORE(2, block->acc[CPU_TILE_ROWS], sizeof block->acc[0]);
        TILE_STORE(3, block->acc[CPU_TILE_ROWS] + IMAGE_PANEL, sizeof block->acc[0]);
    }
    block->row = row;
    block->output = output;
    block->rows = rows;
    block->added = 0;
}

static void put_sums(const struct cpu_addition *to, const struct sums *sums, size_t n_rows)
{
    const ints factors = ints_load(image_check_factors);
    for (size_t row = 0; row < n_rows; row++) {
        to->sums[row] = ints_sum(ints_multiply(ints_load(sums[row].acc), factors));
        to->before[row] = ints_sum(ints_load(sums[row].before));
    }
}

/* Whole tiles and whole pairs of panels alone. */
static bool linear_add(const struct cpu_gemm *g, const struct cpu_addition *to)
{
    if (g->groups % TILE_LINES != 0 || to->n % BLOCK != 0)
        return false;
    struct block block;
    block.rows = block.added = block.output = 0;
    memset(g->work, 0, g->n_rows * sizeof(struct sums));
    for (size_t panel = 0; panel < g->n_panels; panel += PAIR) {
        const int8_t *weights = g->weights + panel * g->panel_stride, *rows = g->rows;
        struct ahead ahead = ahead_of(g, panel);
        for (size_t row = 0, n; row < g->n_rows; row += n, rows += BLOCK * g->row_stride) {
            n = g->n_rows - row < BLOCK ? g->n_rows - row : BLOCK;
            if (n > CPU_TILE_ROWS)
                multiply_block(2, g, rows, weights, &ahead, &block, to);
            else
                multiply_block(1, g, rows, weights, &ahead, &block, to);
            store_block(&block, row, panel * IMAGE_PANEL, n);
        }
    }
    add_rows(&block, to, g->work, BLOCK);
    put_sums(to, g->work, g->n_rows);
    return true;
}

static size_t work(size_t n_rows, size_t inputs)
{
    (void)inputs;
    return n_rows * sizeof(struct sums);
}

void cpu_linear_init_amx(struct cpu_kernels *kernels)
{
    kernels->linear_add = linear_add;
    kernels->work = work;
}
