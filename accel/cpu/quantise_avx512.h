/* Quantising where vpdpbusd multiplies checks too: 64 elements at a time, packed into one register of bytes. The file
 * that includes this one includes rows_body.h first.
 */
#ifndef BERTD_ACCEL_CPU_QUANTISE_AVX512_H
#define BERTD_ACCEL_CPU_QUANTISE_AVX512_H

#include "accel/cpu/planes.h"
#include "accel/cpu/rows_body.h"

/* Numbers, as signed bytes. Packing saturates; what the instruction makes of a number too large for it is clamped, too:
 * to -127. */
CPU_TEMPLATE __m512i quantised_64(const float *x, lanes factor)
{
    __m512i q[4];
    EACH_ROW(4) q[r] = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x + r * LANES), factor));
    __m512i bytes = _mm512_packs_epi16(_mm512_packs_epi32(q[0], q[1]), _mm512_packs_epi32(q[2], q[3]));
    return _mm512_max_epi8(ints_gathered(bytes), _mm512_set1_epi8(-127));
}

struct plane_sums {
    ints of[CPU_PLANES];
};

CPU_TEMPLATE void add_planes(struct plane_sums *sums, __m512i operands, const int8_t *planes)
{
    EACH_ROW(CPU_PLANES)
    sums->of[r] = _mm512_dpbusd_epi32(sums->of[r], operands, _mm512_loadu_si512(planes + r * CPU_PLANE_INPUTS));
}

CPU_TEMPLATE uint32_t product_of_planes(const struct plane_sums *sums)
{
    uint32_t of[CPU_PLANES];
    ints_sums(CPU_PLANES, of, sums->of);
    return of[0] + (of[1] << 8) + (of[2] << 16) + (of[3] << 24);
}

#define EACH_PROJECTION _Pragma("GCC unroll 3") for (int p = 0; p < projections; p++)

CPU_TEMPLATE void quantise_planes(const int projections, uint8_t *to, const float *x, float factor, size_t n,
                                  const struct cpu_check *check)
{
    const lanes factors = lanes_set(factor);
    const __m512i offset = _mm512_set1_epi8(-128), flip = _mm512_set1_epi8(OPERAND_FLIP);
    const int8_t *planes = check->planes.bytes;
    struct plane_sums sums[3];
    EACH_PROJECTION
    sums[p] = (struct plane_sums){{ints_set(0), ints_set(0), ints_set(0), ints_set(0)}};
    for (size_t i = 0; i < n; i += CPU_PLANE_INPUTS) {
        __m512i q = quantised_64(x + i, factors);
        _mm512_storeu_si512(to + i, _mm512_xor_si512(q, flip));
        q = _mm512_xor_si512(q, offset);
        EACH_PROJECTION
        add_planes(&sums[p], q, planes + ((size_t)p * n + i) * CPU_PLANES);
    }
    EACH_PROJECTION
    check->products[p] = product_of_planes(&sums[p]) - check->planes.offsets[p];
}

static void quantise_by_planes(void *operands, const float *x, float factor, size_t n, const struct cpu_check *check)
{
    if (!check || !check->planes.bytes)
        quantise(operands, x, factor, n, check);
    else if (check->n_projections > 1)
        quantise_planes(3, operands, x, factor, n, check);
    else
        quantise_planes(1, operands, x, factor, n, check);
}

static void quantise_init(struct cpu_kernels *kernels)
{
    static const struct image_sections sections = {1, {&cpu_planes_section}};
    kernels->quantise = quantise_by_planes;
    kernels->sections = &sections;
}

#endif
