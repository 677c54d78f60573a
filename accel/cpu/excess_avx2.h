/* What narrow weights were clipped by (struct image_excess), for linear_avx2.c alone. */
#ifndef BERTD_ACCEL_CPU_EXCESS_AVX2_H
#define BERTD_ACCEL_CPU_EXCESS_AVX2_H

#include "accel/cpu/kernels.h"

enum {
    CPU_EXCESS_MANY = 32, /* rows that are computed together ... */
    CPU_EXCESS_FEW = 8,   /* ... and where there are so few */
};

/** Bytes of work that cpu_excess_prepare writes. */
static inline size_t cpu_excess_work(size_t n_rows, size_t inputs)
{
    return (n_rows + CPU_EXCESS_MANY - 1) / CPU_EXCESS_MANY * CPU_EXCESS_MANY * inputs;
}

/** Turn the rows into columns, in work. */
void cpu_excess_prepare(const struct cpu_gemm *g);
/** acc = rows times the excess of a panel: of CPU_EXCESS_MANY rows from `row`, a multiple of that, on. Meanwhile that
 * of the panel `ahead` panels later is fetched. */
void cpu_excess_begin(const struct cpu_gemm *g, size_t panel, size_t row, size_t ahead);

#endif
