/* The element functions of accel/functions.h, operation by operation, in lanes. */
#ifndef BERTD_ACCEL_CPU_ELEMENTS_H
#define BERTD_ACCEL_CPU_ELEMENTS_H

#ifndef BERTD_ACCEL_CPU_LANES_H
#include "accel/cpu/lanes_c.h"
#endif
#include "accel/cpu/tiles.h"
#include "accel_constants.h"

CPU_TEMPLATE lanes lanes_exp(lanes x)
{
    const lanes rounder = lanes_set(ACCEL_ROUNDER);
    lanes shifted = lanes_fma(x, lanes_set(ACCEL_EXP_LOG2E), rounder);
    lanes n = lanes_sub(shifted, rounder);
    lanes r = lanes_fma(n, lanes_set(-ACCEL_EXP_LN2_HIGH), x);
    r = lanes_fma(n, lanes_set(-ACCEL_EXP_LN2_LOW), r);
    lanes p = lanes_fma(lanes_set(ACCEL_EXP_POLYNOMIAL[5]), r, lanes_set(ACCEL_EXP_POLYNOMIAL[4]));
    p = lanes_fma(p, r, lanes_set(ACCEL_EXP_POLYNOMIAL[3]));
    p = lanes_fma(p, r, lanes_set(ACCEL_EXP_POLYNOMIAL[2]));
    p = lanes_fma(p, r, lanes_set(ACCEL_EXP_POLYNOMIAL[1]));
    p = lanes_fma(p, r, lanes_set(ACCEL_EXP_POLYNOMIAL[0]));
    return lanes_zero_where_less(x, lanes_set(ACCEL_EXP_LOWEST), lanes_scaled(p, n, shifted));
}

CPU_TEMPLATE lanes lanes_tailed(lanes x, const float coefficients[6][8])
{
    lanes u = lanes_least_magnitude(x, lanes_set(ACCEL_TAIL_LIMIT));
    ints segment = ints_bits(lanes_fma(u, lanes_set(ACCEL_TAIL_PER_WIDTH), lanes_set(ACCEL_ROUNDER)));
    lanes q = lanes_lookup(coefficients[5], segment);
    q = lanes_fma(q, u, lanes_lookup(coefficients[4], segment));
    q = lanes_fma(q, u, lanes_lookup(coefficients[3], segment));
    q = lanes_fma(q, u, lanes_lookup(coefficients[2], segment));
    q = lanes_fma(q, u, lanes_lookup(coefficients[1], segment));
    q = lanes_fma(q, u, lanes_lookup(coefficients[0], segment));
    return lanes_fma_minus(u, q, lanes_max(x, lanes_set(0)));
}

CPU_TEMPLATE lanes lanes_gelu(lanes x)
{
    return lanes_tailed(x, ACCEL_TAIL_GELU);
}

CPU_TEMPLATE lanes lanes_gelu_new(lanes x)
{
    return lanes_tailed(x, ACCEL_TAIL_GELU_NEW);
}

CPU_TEMPLATE lanes lanes_relu(lanes x)
{
    return lanes_max(x, lanes_set(0));
}

#endif
