/* Portable gemm: 16-byte vectors as gcc and clang lower them to any machine. Activations are int16; two products of
 * signed bytes within +-127 fit an int16 lane, so pairs are added there and then widened. For the same reason P comes
 * in its two digits.
 */
#include <string.h>

#include "accel/cpu/kernels.h"
#include "accel/cpu/tiles.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "bytes are taken from lanes by shifts");

typedef int16_t vector16 __attribute__((vector_size(16)));
typedef uint16_t bits16 __attribute__((vector_size(16)));
typedef int32_t vector32 __attribute__((vector_size(16)));
typedef uint32_t bits32 __attribute__((vector_size(16)));

enum { TILE_ROWS = 2, GROUP_BYTES = IMAGE_PANEL * IMAGE_GROUP, QUARTER_BYTES = GROUP_BYTES / 4 };

struct operand {
    vector16 even, odd; /* inputs 0 and 2, and 1 and 3, over and over */
};

/* Accumulators of a panel: its four quarters of 4 outputs. */
struct panel {
    vector32 a, b, c, d;
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

/* The sums of each pair of int16 lanes, of which one is the low half of an int32 lane and one the high half. */
static inline vector32 add_pairs(vector32 pairs)
{
    return ((vector32)((bits32)pairs << 16) >> 16) + (pairs >> 16);
}

/* What the products of 4 inputs with 4 outputs of weights add to the accumulators of one or two rows. */
CPU_TEMPLATE void multiply(const int rows, vector32 *acc0, vector32 *acc1, const int8_t *weights, struct operand x0,
                           struct operand x1)
{
    vector16 both;
    memcpy(&both, weights, sizeof both);
    vector16 even = (vector16)((bits16)both << 8) >> 8, odd = both >> 8;
    *acc0 += add_pairs((vector32)(even * x0.even + odd * x0.odd));
    if (rows > 1)
        *acc1 += add_pairs((vector32)(even * x1.even + odd * x1.odd));
}

/* 1 or 2 rows by a panel. */
CPU_TEMPLATE void tile(const int rows, const struct cpu_gemm *g, const int16_t *x0, const int8_t *weights, int32_t *acc)
{
    const int16_t *x1 = rows > 1 ? x0 + g->row_stride / sizeof(int16_t) : x0;
    struct panel p = {0}, q = {0};
    for (size_t i = 0; i < g->groups; i++, weights += GROUP_BYTES, x0 += IMAGE_GROUP, x1 += IMAGE_GROUP) {
        struct operand first = load_operand(x0), second = load_operand(x1);
        multiply(rows, &p.a, &q.a, weights, first, second);
        multiply(rows, &p.b, &q.b, weights + QUARTER_BYTES, first, second);
        multiply(rows, &p.c, &q.c, weights + 2 * QUARTER_BYTES, first, second);
        multiply(rows, &p.d, &q.d, weights + 3 * QUARTER_BYTES, first, second);
    }
    memcpy(acc, &p, sizeof p);
    if (rows > 1)
        memcpy(acc + g->acc_stride, &q, sizeof q);
}

static void gemm(const struct cpu_gemm *g)
{
    for (size_t panel = 0; panel < g->n_panels; panel++) {
        const int8_t *weights = g->weights + panel * g->panel_stride;
        for (size_t row = 0, rows; row < g->n_rows; row += rows) {
            rows = cpu_tile_rows(g->n_rows - row, TILE_ROWS);
            const int16_t *x = (const int16_t *)((const char *)g->rows + row * g->row_stride);
            int32_t *acc = g->acc + row * g->acc_stride + panel * IMAGE_PANEL;
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
    kernels->n_digits = 2;
    cpu_gemm_set(kernels, gemm, (struct cpu_operand){.size = sizeof(int16_t)});
}
