/* Row kernels that write operands, which for tiles are signed bytes; the others are the same as in AVX-512. */
#define CPU_SIGNED_OPERANDS
#include "accel/cpu/lanes_avx512vnni.h"

#include "accel/cpu/quantise_avx512vnni.h"
#include "accel/cpu/rows_body.h"

void cpu_rows_init_amx(struct cpu_kernels *kernels)
{
    rows_init(kernels);
    quantise_init(kernels);
}
