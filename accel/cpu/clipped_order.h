/* Which groups of inputs of a panel should meet in a span: see struct cpu_clipped. */
#ifndef BERTD_ACCEL_CPU_CLIPPED_ORDER_H
#define BERTD_ACCEL_CPU_CLIPPED_ORDER_H

#include <stddef.h>
#include <stdint.h>

/** The order of a panel's groups, each the number of its first input, in which the neighbours 0 and 1, 2 and 3, ...
 * have little to be clipped. With an odd number of groups the last has no neighbour. */
void cpu_clipped_order(uint16_t *order, const int8_t *panel, size_t groups);

#endif
