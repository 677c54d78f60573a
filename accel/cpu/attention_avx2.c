/* Attention kernels in AVX2. */
#include "accel/cpu/lanes_avx2.h"

#include "accel/cpu/attention_body.h"

void cpu_attention_init_avx2(struct cpu_kernels *kernels)
{
    attention_init(kernels);
}
