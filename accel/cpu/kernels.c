#include "accel/cpu/kernels.h"

#include "accel/engine.h"

void cpu_kernels_init(struct cpu_kernels *ret, unsigned flags)
{
    cpu_gemm_init_c(ret);
    cpu_rows_init_c(ret);
    cpu_attention_init_c(ret);
#if defined(__x86_64__)
#define OVERWRITE(name, flag, bit, options)                                                                            \
    if (flags & flag) {                                                                                                \
        cpu_gemm_init_##name(ret);                                                                                     \
        cpu_rows_init_##name(ret);                                                                                     \
        cpu_attention_init_##name(ret);                                                                                \
    }
    CPU_EACH_SET(OVERWRITE)
#else
    (void)flags;
#endif
}

const struct image_sections *cpu_engine_sections(void)
{
    struct cpu_kernels kernels;
    cpu_kernels_init(&kernels, cpu_flags());
    return kernels.sections;
}

const char *cpu_engine_instruction_set(void)
{
    struct cpu_kernels kernels;
    cpu_kernels_init(&kernels, cpu_flags());
    return kernels.isa;
}
