/* Attention kernels that read operands, which for tiles are signed bytes; the others are the same as in AVX-512. */
#define CPU_SIGNED_OPERANDS
#include "accel/cpu/lanes_avx512vnni.h"

#include "accel/cpu/attention_body.h"

void cpu_attention_init_amx(struct cpu_kernels *kernels)
{
    attention_init(kernels);
}
