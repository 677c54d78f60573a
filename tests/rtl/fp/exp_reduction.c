/* bertd_fp_exp_reduce.sv's fixed point against the operations of function_exp in accel/functions.h, for every x it
 * concerns: all binary32 from -87 to -1/4. (Nearer to 0, n is 0 and r is x.)
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>

#include "accel/functions.h"

static const uint32_t nearest = UINT32_C(0xbe800000), farthest = UINT32_C(0xc2ae0000); /* -1/4, -87 */
static const uint64_t low_42 = (UINT64_C(1) << 42) - 1;

/* As bertd_fp_nearest.sv: the product's bits down to a half, rounded up at a half; none lies exactly there. */
static uint32_t fixed_n(uint64_t mantissa, uint32_t exponent)
{
    uint64_t factor = (function_bits(ACCEL_EXP_LOG2E) & 0x7fffff) | 0x800000;
    uint32_t halves = (uint32_t)((mantissa * factor) >> 39) >> (133 - exponent);
    return (halves >> 1) + (halves & 1);
}

/* n * ln 2 + x in units of 2^-42; what is before the point cancels. */
static float fixed_r(uint64_t mantissa, uint32_t exponent, uint32_t n)
{
    uint64_t high = (function_bits(ACCEL_EXP_LN2_HIGH) & 0x7fffff) | 0x800000;
    uint64_t low = (function_bits(ACCEL_EXP_LN2_LOW) & 0x7fffff) | 0x800000;
    uint64_t ln2 = (high << 18) + (low >> 1); /* 2^-24 and 2^-43 a unit */
    uint64_t difference = (n * ln2 - (mantissa << (exponent - 125 + 17))) & low_42;
    int64_t r = (int64_t)(difference << 22) >> 22;
    return (float)((double)r * 0x1p-42); /* exact, and then the one rounding */
}

int main(void)
{
    uint64_t count = 0, different = 0;
    for (uint32_t bits = nearest; bits <= farthest; bits++, count++) {
        float x = function_from_bits(bits);
        float n = fmaf(x, ACCEL_EXP_LOG2E, ACCEL_ROUNDER) - ACCEL_ROUNDER;
        float r = fmaf(n, -ACCEL_EXP_LN2_LOW, fmaf(n, -ACCEL_EXP_LN2_HIGH, x));
        uint64_t mantissa = (bits & 0x7fffff) | 0x800000;
        uint32_t exponent = bits >> 23 & 255, found = fixed_n(mantissa, exponent);
        if (found == (uint32_t)-n && function_bits(fixed_r(mantissa, exponent, found)) == function_bits(r))
            continue;
        if (different++ < 10)
            printf("exp(%a): n %u r %a, should be %g %a\n", x, found, fixed_r(mantissa, exponent, found), -n, r);
    }
    printf("exp_reduction: %llu points, %llu differ\n", (unsigned long long)count, (unsigned long long)different);
    return different != 0;
}
