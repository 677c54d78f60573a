/* For a machine with AVX-512 VNNI but without AVX-VNNI: the kernels of the latter, compiled for the former's 256-bit
 * form of the same instruction. Included before accel/cpu/gemm_avxvnni.c and accel/cpu/cpu_flags.c alone.
 */
#ifndef TESTS_ISA_VEX_AS_EVEX_H
#define TESTS_ISA_VEX_AS_EVEX_H

#include <cpuid.h>
#include <immintrin.h>

#define _mm256_dpbusd_avx_epi32 _mm256_dpbusd_epi32

/* Leaf 7.1 says AVX-VNNI. */
static inline int isa_get_cpuid_count(unsigned leaf, unsigned subleaf, unsigned *a, unsigned *b, unsigned *c,
                                      unsigned *d)
{
    int known = __get_cpuid_count(leaf, subleaf, a, b, c, d);
    if (leaf == 7)
        *a = subleaf == 0 ? 1 : 1 << 4;
    return known;
}

#define __get_cpuid_count isa_get_cpuid_count

#endif
