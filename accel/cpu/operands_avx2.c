/* Operands of linear layers in AVX2: bytes, while those of attention are 16 bits wide. */
#define CPU_BYTE_OPERANDS
#include "accel/cpu/lanes_avx2.h"

#include "accel/cpu/rows_body.h"

void cpu_operands_init_avx2(struct cpu_kernels *kernels)
{
    struct cpu_kernels bytes;
    rows_init(&bytes);
    kernels->quantise = bytes.quantise;
}
