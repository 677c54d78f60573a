/* How gemm kernels cut rows into tiles, and the accumulator names of a tile. */
#ifndef BERTD_ACCEL_CPU_TILES_H
#define BERTD_ACCEL_CPU_TILES_H

#include <stddef.h>

/* Kernels that must be compiled anew for each constant argument. */
#define CPU_TEMPLATE static inline __attribute__((always_inline))

/** Rows that take the steps of a reduction together: what one waits for at its end overlaps with the next row. */
enum { CPU_TOGETHER = 4 };

/** Rows of the next tile when `left` remain and a tile holds at most `most`: all tiles of a block about the same. */
static inline size_t cpu_tile_rows(size_t left, size_t most)
{
    size_t tiles = (left + most - 1) / most;
    return (left + tiles - 1) / tiles;
}

/** While a panel is multiplied, the next one is fetched into the second-level cache, a part by each of `tiles` tiles,
 *  so that memory is asked evenly: bytes that a tile moves on for each of its groups. */
static inline size_t cpu_prefetch_step(size_t tiles)
{
    const size_t group = 64;
    return (group + tiles - 1) / tiles;
}

#endif
