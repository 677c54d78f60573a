/* Row kernels in AVX-512; operands are bytes. */
#include "accel/cpu/lanes_avx512vnni.h"

#include "accel/cpu/quantise_avx512vnni.h"
#include "accel/cpu/rows_body.h"

void cpu_rows_init_avx512vnni(struct cpu_kernels *kernels)
{
    rows_init(kernels);
    quantise_init(kernels);
}
