/* Attention kernels in AVX-512; operands are bytes. */
#include "accel/cpu/lanes_avx512vnni.h"

#include "accel/cpu/attention_body.h"

void cpu_attention_init_avx512vnni(struct cpu_kernels *kernels)
{
    attention_init(kernels);
}
