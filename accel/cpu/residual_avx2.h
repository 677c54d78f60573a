/* What weights were clipped by (struct cpu_residual), for linear_avx2.c alone. */
#ifndef BERTD_ACCEL_CPU_RESIDUAL_AVX2_H
#define BERTD_ACCEL_CPU_RESIDUAL_AVX2_H

#include "accel/cpu/kernels.h"
#include "base/round_up.h"

enum {
    CPU_RESIDUAL_MANY = 32, /* rows that are computed together */
    CPU_RESIDUAL_FEW = 8,   /* rows that are computed together where there are no more */
};

/** Bytes of work that cpu_residual_prepare writes. */
static inline size_t cpu_residual_work(size_t n_rows, size_t inputs)
{
    return round_up(n_rows, CPU_RESIDUAL_MANY) * inputs;
}

/** Transpose the rows into columns, in work. */
void cpu_residual_prepare(const struct cpu_gemm *g);
/** acc = rows times the residuals of a panel: of CPU_RESIDUAL_MANY rows from `row`, a multiple of that, on. Meanwhile
 * that of the panel `ahead` panels later is fetched. */
void cpu_residual_begin(const struct cpu_gemm *g, size_t panel, size_t row, size_t ahead);

#endif
