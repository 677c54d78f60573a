/* Memory cut into aligned pieces. */
#ifndef BERTD_ACCEL_CPU_SLAB_H
#define BERTD_ACCEL_CPU_SLAB_H

#include <stddef.h>

#include "accel/cpu/cpu_engine.h"
#include "base/round_up.h"

/** Zeroed it only counts, and hands out NULL. */
struct cpu_slab {
    char *base;
    size_t used;
};

static inline void *cpu_slab_take(struct cpu_slab *slab, size_t size)
{
    void *piece = slab->base ? slab->base + slab->used : NULL;
    slab->used += round_up(size, CPU_ALIGN);
    return piece;
}

#endif
