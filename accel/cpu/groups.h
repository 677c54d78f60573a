/* Walking a row in groups of lanes, the last of which may be ragged. */
#ifndef BERTD_ACCEL_CPU_GROUPS_H
#define BERTD_ACCEL_CPU_GROUPS_H

#ifndef BERTD_ACCEL_CPU_LANES_H
#include "accel/cpu/lanes_c.h"
#endif
#include "accel/cpu/tiles.h"

/* The statements, with `i` where a group begins and `count` its elements: compiled once for whole groups, where count
 * is the constant LANES, and once for the rest of the row. */
#define EACH_GROUP(n, ...)                                                                                             \
    {                                                                                                                  \
        size_t i = 0;                                                                                                  \
        for (; i + LANES <= (n); i += LANES) {                                                                         \
            const size_t count = LANES;                                                                                \
            __VA_ARGS__                                                                                                \
        }                                                                                                              \
        if (i < (n)) {                                                                                                 \
            const size_t count = (n)-i;                                                                                \
            __VA_ARGS__                                                                                                \
        }                                                                                                              \
    }

CPU_TEMPLATE lanes load(const float *p, size_t count)
{
    return count == LANES ? lanes_load(p) : lanes_load_part(p, count);
}

CPU_TEMPLATE void store(float *p, lanes x, size_t count)
{
    if (count == LANES)
        lanes_store(p, x);
    else
        lanes_store_part(p, x, count);
}

CPU_TEMPLATE ints load_ints(const int32_t *p, size_t count)
{
    return count == LANES ? ints_load(p) : ints_load_part(p, count);
}

/* x where there are elements, `other` past them. */
CPU_TEMPLATE lanes keep(lanes x, size_t count, float other)
{
    return count == LANES ? x : lanes_keep(x, count, lanes_set(other));
}

#endif
