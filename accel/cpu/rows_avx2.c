/* Row kernels in AVX2. */
#include "accel/cpu/lanes_avx2.h"

#include "accel/cpu/rows_body.h"

void cpu_rows_init_avx2(struct cpu_kernels *kernels)
{
    rows_init(kernels);
    cpu_operands_init_avx2(kernels);
}
