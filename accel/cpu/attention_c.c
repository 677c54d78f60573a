/* Attention kernels in plain C. */
#include "accel/cpu/lanes_c.h"

#include "accel/cpu/attention_body.h"

void cpu_attention_init_c(struct cpu_kernels *kernels)
{
    attention_init(kernels);
}
