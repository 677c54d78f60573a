#include "accel/cpu/kernels.h"

#include "accel/cpu/cpu_flags.h"
#include "accel/engine.h"

void cpu_kernels_init(struct cpu_kernels *ret, unsigned flags)
{
    cpu_gemm_init_c(ret);
    cpu_rows_init_c(ret);
    cpu_attention_init_c(ret);
#if defined(__x86_64__)
    if (flags & CPU_AVX2) {
        cpu_gemm_init_avx2(ret);
        cpu_rows_init_avx2(ret);
        cpu_attention_init_avx2(ret);
        cpu_linear_init_avx2(ret);
        cpu_operands_init_avx2(ret);
    }
    if (flags & CPU_AVXVNNI) {
        cpu_gemm_init_avxvnni(ret);
        cpu_rows_init_avxvnni(ret);
        cpu_attention_init_avxvnni(ret);
    }
    if (flags & CPU_AVX512VNNI) {
        cpu_gemm_init_avx512vnni(ret);
        cpu_rows_init_avx512vnni(ret);
        cpu_attention_init_avx512vnni(ret);
    }
#else
    (void)flags;
#endif
}

const struct image_sections *cpu_engine_sections(void)
{
    static const struct image_sections clipped = {1, {&cpu_clipped_section}};
    struct cpu_kernels kernels;
    cpu_kernels_init(&kernels, cpu_flags());
    return kernels.prepare ? &clipped : NULL;
}

const char *cpu_engine_instruction_set(void)
{
    struct cpu_kernels kernels;
    cpu_kernels_init(&kernels, cpu_flags());
    return kernels.isa;
}
