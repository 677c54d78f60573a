/* For a machine without AMX: its eight tiles as a model in C (tiles_in_c.c), which sanitizers see into. Included before
 * the sources of accel/cpu that use them, where it takes the place of accel/cpu/tiles_amx.h.
 *
 * It does what Intel's manual says of these instructions in palette 1, and ends the program where the processor would
 * fault: a bad configuration, a tile without one, shapes that do not fit each other.
 */
#ifndef BERTD_ACCEL_CPU_TILES_AMX_H
#define BERTD_ACCEL_CPU_TILES_AMX_H

#include <stddef.h>

void tiles_configure(const void *config);
void tiles_release(void);
void model_zero(int tile);
void model_load(int tile, const void *from, size_t stride);
void model_store(int tile, void *to, size_t stride);
void model_multiply(int acc, int rows, int weights);

#define TILE_ZERO(tile)                   model_zero(tile)
#define TILE_LOAD(tile, from, stride)     model_load(tile, from, stride)
#define TILE_STORE(tile, to, stride)      model_store(tile, to, stride)
#define TILE_MULTIPLY(acc, rows, weights) model_multiply(acc, rows, weights)

#endif
