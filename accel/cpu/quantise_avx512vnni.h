/* Quantising where vpdpbusd multiplies checks too: 64 elements at a time, packed into one register of bytes. All is
 * static; quantise_init fills the table.
 */
#ifndef BERTD_ACCEL_CPU_QUANTISE_AVX512VNNI_H
#define BERTD_ACCEL_CPU_QUANTISE_AVX512VNNI_H

#include "accel/cpu/lanes_avx512vnni.h"
#include "accel/cpu/planes.h"
#include "accel/cpu/rows_body.h"

/* Numbers, as signed bytes, where each 16 have a factor. Packing saturates; what the instruction makes of a number too
 * large for it is clamped, too: to -127. */
CPU_TEMPLATE __m512i quantised_64(const float *x, const lanes factors[4])
{
    __m512i q[4];
    EACH_ROW(4) q[r] = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x + r * LANES), factors[r]));
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
    const lanes whole = lanes_set(factor), factors[4] = {whole, whole, whole, whole};
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

/* Heads of 32 or 64 elements, up to 16 of them, which fill whole registers of bytes. */
CPU_TEMPLATE uint32_t heads_packed(const size_t dim, const int flip, int8_t *to, float *scales, const float *x,
                                   size_t heads)
{
    int32_t bits[LANES] = {0};
    float factors[LANES];
    for (size_t h = 0; h < heads; h += 4) {
        ints largest[4];
        EACH_ROW(4)
        {
            const float *head = x + (h + (size_t)r < heads ? h + (size_t)r : h) * dim;
            largest[r] = ints_magnitude(lanes_load(head));
            for (size_t i = LANES; i < dim; i += LANES)
                largest[r] = ints_max(largest[r], ints_magnitude(lanes_load(head + i)));
        }
        ints_largest_4(bits + h, largest);
    }
    const uint32_t amax = scales_of(scales, factors, bits, heads);
    for (size_t i = 0; i < heads * dim; i += 4 * LANES) {
        lanes of[4];
        EACH_ROW(4) of[r] = lanes_set(factors[(i + (size_t)r * LANES) / dim]);
        _mm512_storeu_si512(to + i, _mm512_xor_si512(quantised_64(x + i, of), _mm512_set1_epi8((char)flip)));
    }
    return amax;
}

CPU_TEMPLATE bool packs(size_t heads, size_t dim)
{
    return heads <= LANES && (dim == 64 || (dim == 32 && heads % 2 == 0));
}

static uint32_t quantise_packed_heads(void *operands, float *scales, const float *x, size_t heads, size_t dim)
{
    if (!packs(heads, dim))
        return quantise_heads(operands, scales, x, heads, dim);
    return dim == 64 ? heads_packed(64, OPERAND_FLIP, operands, scales, x, heads)
                     : heads_packed(32, OPERAND_FLIP, operands, scales, x, heads);
}

static uint32_t quantise_packed_head_bytes(int8_t *q, float *scales, const float *x, size_t heads, size_t dim)
{
    if (!packs(heads, dim))
        return quantise_head_bytes(q, scales, x, heads, dim);
    return dim == 64 ? heads_packed(64, 0, q, scales, x, heads) : heads_packed(32, 0, q, scales, x, heads);
}

static void quantise_init(struct cpu_kernels *kernels)
{
    static const struct image_sections sections = {1, {&cpu_planes_section}};
    kernels->quantise = quantise_by_planes;
    kernels->quantise_heads = quantise_packed_heads;
    kernels->quantise_head_bytes = quantise_packed_head_bytes;
    kernels->sections = &sections;
}

#endif
