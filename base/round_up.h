/* Sizes rounded up to a multiple. */
#ifndef BERTD_BASE_ROUND_UP_H
#define BERTD_BASE_ROUND_UP_H

#include <stddef.h>

/** The least multiple of `multiple` (> 0) that is at least `n`; n + multiple must not overflow. Thread: any. */
static inline size_t round_up(size_t n, size_t multiple)
{
    return (n + multiple - 1) / multiple * multiple;
}

#endif
