#include "accel/functions.h"

#include <criterion/criterion.h>
#include <float.h>

/* Every float in a range is some 10^9 values; a prime stride through their bits takes > 10^7 of them, and always both
 * ends. The whole range was measured once: exp 1.60e-7, gelu 1.27e-6, gelu_new 1.41e-6. */
enum { STRIDE = 97, TAIL_STRIDE = 13 };

static long double true_gelu(float x)
{
    return 0.5L * x * erfcl(-x * 0.707106781186547524400844362104849039L);
}

static long double true_gelu_new(float x)
{
    long double v = x, slope = 0.797884560802865355879892119868763737L;
    return 0.5L * v * (1 + tanhl(slope * (v + 0.044715L * v * v * v)));
}

/* Largest absolute error over +-[from, to]. */
static double absolute_error(float (*function)(float), long double (*truth)(float), float from, float to)
{
    long double worst = 0;
    for (int sign = 0; sign < 2; sign++)
        for (uint32_t bits = function_bits(from); bits <= function_bits(to); bits += TAIL_STRIDE) {
            float x = function_from_bits(bits | (uint32_t)sign << 31);
            long double error = fabsl(function(x) - truth(x));
            worst = error > worst ? error : worst;
        }
    return (double)worst;
}

static double exp_error(float from, float to, uint32_t stride)
{
    long double worst = 0;
    for (uint32_t bits = function_bits(from); bits <= function_bits(to); bits += stride) {
        float x = function_from_bits(bits);
        long double truth = expl(x), error = fabsl(function_exp(x) - truth) / truth;
        worst = error > worst ? error : worst;
    }
    return (double)worst;
}

Test(functions, exp_is_within_its_bound)
{
    cr_assert_leq(exp_error(-0x1p-126f, -87.0f, STRIDE), 1.8e-7);
    cr_assert_leq(exp_error(-86.9f, -87.0f, 1), 1.8e-7);
}

Test(functions, exp_at_its_ends)
{
    cr_assert_eq(function_exp(0.0f), 1.0f);
    cr_assert_eq(function_exp(-0.0f), 1.0f);
    cr_assert_eq(function_exp(-FLT_MIN), 1.0f);
    cr_assert_geq(function_exp(-87.0f), FLT_MIN);
    cr_assert_eq(function_exp(nextafterf(-87.0f, -88.0f)), 0.0f);
    cr_assert_eq(function_exp(-FLT_MAX), 0.0f);
    cr_assert_eq(function_exp(-INFINITY), 0.0f);
}

Test(functions, gelu_is_within_its_bound)
{
    cr_assert_leq(absolute_error(function_gelu, true_gelu, 0x1p-8f, 8.0f), 1.5e-6);
}

Test(functions, gelu_new_is_within_its_bound)
{
    cr_assert_leq(absolute_error(function_gelu_new, true_gelu_new, 0x1p-8f, 8.0f), 1.5e-6);
}

static void check_ends(float (*function)(float))
{
    cr_assert_eq(function_bits(function(0.0f)), 0);
    cr_assert_eq(function_bits(function(-0.0f)), 0);
    for (float x = 5.09f; x < 1e30f; x *= 1.37f) {
        cr_assert_eq(function(x), x, "%a", (double)x);
        cr_assert_eq(function_bits(function(-x)), 0, "%a", (double)x);
    }
    /* Near 0 it is x / 2. */
    for (float x = FLT_MIN; x < 0x1p-8f; x *= 1.5f) {
        cr_assert_float_eq(function(x) / x, 0.5f, 0.01f);
        cr_assert_float_eq(function(-x) / -x, 0.5f, 0.01f);
    }
}

Test(functions, activations_at_their_ends)
{
    check_ends(function_gelu);
    check_ends(function_gelu_new);
    cr_assert_eq(function_bits(function_relu(-0.0f)), 0);
    cr_assert_eq(function_relu(-3.0f), 0.0f);
    cr_assert_eq(function_relu(3.0f), 3.0f);
}

Test(functions, activation_chooses)
{
    cr_assert_eq(function_activation(IMAGE_GELU, 1.3f), function_gelu(1.3f));
    cr_assert_eq(function_activation(IMAGE_GELU_NEW, 1.3f), function_gelu_new(1.3f));
    cr_assert_eq(function_activation(IMAGE_RELU, 1.3f), 1.3f);
    cr_assert_neq(function_gelu(1.3f), function_gelu_new(1.3f));
}
