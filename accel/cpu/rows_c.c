/* Row kernels in plain C. */
#include "accel/cpu/lanes_c.h"

#include "accel/cpu/rows_body.h"

void cpu_rows_init_c(struct cpu_kernels *kernels)
{
    rows_init(kernels);
}
