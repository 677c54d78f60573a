/* A step of a product by tiles: two tiles of rows by two panels, 64 inputs of each. */
#ifndef BERTD_ACCEL_CPU_TILES_STEP_AMX_H
#define BERTD_ACCEL_CPU_TILES_STEP_AMX_H

#include <immintrin.h>

#include "accel/cpu/kernels.h"
#include "accel/cpu/tiles.h"
#include "accel/cpu/tiles_amx.h"

enum {
    GROUP_BYTES = IMAGE_PANEL * IMAGE_GROUP,
    TILE_BYTES = CPU_TILE_ROWS * CPU_TILE_INPUTS, /* of weights too: 16 groups */
    TILE_LINES = TILE_BYTES / GROUP_BYTES,
    PAIR = 2, /* tiles of rows, and panels, that are multiplied together */
};

/* What to prefetch. */
struct ahead {
    const char *from;
    size_t lines; /* a step */
};

/* The pair of panels behind the pair from `panel` on: each pass over the rows fetches its share. */
static inline struct ahead ahead_of(const struct cpu_gemm *g, size_t panel)
{
    const size_t passes = (g->n_rows + PAIR * CPU_TILE_ROWS - 1) / (PAIR * CPU_TILE_ROWS);
    return (struct ahead){(const char *)g->weights + (panel + PAIR) * g->panel_stride,
                          (PAIR * TILE_LINES + passes - 1) / passes};
}

static inline void fetch_share(struct ahead *ahead)
{
    for (size_t i = 0; i < ahead->lines; i++, ahead->from += GROUP_BYTES)
        _mm_prefetch(ahead->from, _MM_HINT_T1);
}

/* Tiles 0 to 3 are accumulators, 4 and 5 rows, 6 and 7 weights. */
CPU_TEMPLATE void multiply_step(const int R, const int P, const int8_t *rows, size_t stride, const int8_t *w0,
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

#endif
