/* Portable gemm: 16-byte vectors as gcc and clang lower them to any machine. Activations are int16; two products of
 * signed bytes within +-127 fit an int16 lane, so pairs are added there and then widened. For the same reason P comes
 * in its two digits.
 */
#include <string.h>

#include "accel/cpu/kernels.h"
#include "accel/cpu/tiles.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "bytes are taken from lanes by shifts");

typedef int16_t vector16 __attribute__((vector_size(16)));
typedef int32_t vector32 __attribute__((vector_size(16)));

enum { TILE_ROWS = 2, GROUP_BYTES = IMAGE_PANEL * IMAGE_GROUP, QUARTER = IMAGE_PANEL / 4 };

struct operand {
    vector16 even, odd; /* inputs 0 and 2, and 1 and 3, over and over */
};

static inline struct operand load_operand(const int16_t *group)
{
    uint64_t bits;
    memcpy(&bits, group, sizeof bits);
    int32_t even = (int32_t)((bits & 0xffff) | (bits >> 16 & 0xffff0000));
    int32_t odd = (int32_t)((bits >> 16 & 0xffff) | (bits >> 32 & 0xffff0000));
    vector32 evens = {even, even, even, even}, odds = {odd, odd, odd, odd};
    return (struct operand){(vector16)evens, (vector16)odds};
}

static inline vector32 multiply(vector16 even, vector16 odd, struct operand x)
{
    vector32 pairs = (vector32)(even * x.even + odd * x.odd);
    return (pairs << 16 >> 16) + (pairs >> 16);
}

/* 1 or 2 rows by a quarter panel of 4 outputs. */
CPU_TEMPLATE void tile(const int rows, const struct cpu_gemm *g, const int16_t *x0, const int8_t *weights, int32_t *acc)
{
    const int16_t *x1 = rows > 1 ? x0 + g->row_stride / sizeof(int16_t) : x0;
    vector32 c0 = {0}, c1 = {0};
    for (size_t b = 0; b < g->n_blocks; b++) {
        const int8_t *w = weights + b * g->block_stride;
        for (size_t i = 0; i < g->block_groups; i++, w += GROUP_BYTES, x0 += IMAGE_GROUP, x1 += IMAGE_GROUP) {
            vector16 both;
            memcpy(&both, w, sizeof both);
            vector16 even = both << 8 >> 8, odd = both >> 8;
            c0 += multiply(even, odd, load_operand(x0));
            if (rows > 1)
                c1 += multiply(even, odd, load_operand(x1));
        }
    }
    memcpy(acc, &c0, sizeof c0);
    if (rows > 1)
        memcpy(acc + g->acc_stride, &c1, sizeof c1);
}

static void gemm(const struct cpu_gemm *g)
{
    for (size_t quarter = 0; quarter < g->n_panels * 4; quarter++) {
        const int8_t *weights = g->weights + quarter / 4 * g->panel_stride + quarter % 4 * (GROUP_BYTES / 4);
        for (size_t row = 0, rows; row < g->n_rows; row += rows) {
            rows = cpu_tile_rows(g->n_rows - row, TILE_ROWS);
            const int16_t *x = (const int16_t *)((const char *)g->rows + row * g->row_stride);
            int32_t *acc = g->acc + row * g->acc_stride + quarter * QUARTER;
            if (rows == TILE_ROWS)
                tile(TILE_ROWS, g, x, weights, acc);
            else
                tile(1, g, x, weights, acc);
        }
    }
}

void cpu_gemm_init_c(struct cpu_kernels *kernels)
{
    kernels->isa = "c";
    kernels->operand_size = sizeof(int16_t);
    kernels->n_digits = 2;
    kernels->gemm = gemm;
}
