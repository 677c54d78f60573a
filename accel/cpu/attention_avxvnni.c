/* Attention kernels that write operands, which for vpdpbusd are bytes; the others are the same as in AVX2. */
#define CPU_BYTE_OPERANDS
#include "accel/cpu/lanes_avx2.h"

#include "accel/cpu/attention_body.h"

void cpu_attention_init_avxvnni(struct cpu_kernels *kernels)
{
    attention_init(kernels);
}
