/* The instructions of AMX: eight tiles, named by number, each of up to 16 rows of up to 64 bytes.
 *
 * In assembler, because the intrinsics of gcc 12 do not tell the compiler which memory they read.
 */
#ifndef BERTD_ACCEL_CPU_TILES_AMX_H
#define BERTD_ACCEL_CPU_TILES_AMX_H

#include <stddef.h>

/** Give every tile its shape, from the 64 bytes that ldtilecfg reads; all become 0. */
static inline void tiles_configure(const void *config)
{
    __asm__ volatile("ldtilecfg %0" : : "m"(*(const char(*)[64])config));
}

/** Back to where no tile has a shape: the system saves them no longer. */
static inline void tiles_release(void)
{
    __asm__ volatile("tilerelease");
}

#define TILE_ZERO(tile) __asm__ volatile("tilezero %tmm" #tile)
/** Rows `stride` bytes apart. */
#define TILE_LOAD(tile, from, stride)                                                                                  \
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #tile : : "r"(from), "r"((size_t)(stride)) : "memory")
#define TILE_STORE(tile, to, stride)                                                                                   \
    __asm__ volatile("tilestored %%tmm" #tile ", (%0,%1,1)" : : "r"(to), "r"((size_t)(stride)) : "memory")
/** acc[r][o] += sum over 64 inputs of rows[r][i] * weights[o][i], signed bytes; weights are in groups of 4 inputs. */
#define TILE_MULTIPLY(acc, rows, weights) __asm__ volatile("tdpbssd %tmm" #weights ", %tmm" #rows ", %tmm" #acc)

#endif
