/* Steps of a reduction for up to four rows: LANES_TOGETHER of them take each step of a loop together, where there are
 * registers for it, and what is left of each in lanes is reduced together too.
 */
#ifndef BERTD_ACCEL_CPU_LANES_FOURS_H
#define BERTD_ACCEL_CPU_LANES_FOURS_H

#ifndef BERTD_ACCEL_CPU_LANES_H
#include "accel/cpu/lanes_c.h"
#endif
#include "accel/cpu/tiles.h"

#define EACH_ROW(rows) _Pragma("GCC unroll 4") for (int r = 0; r < (rows); r++)

_Static_assert(LANES_TOGETHER <= 4, "EACH_FEW is to leave out no rows");

/* The statements for all rows: `together` of them, a constant, from `row` on. */
#define EACH_FEW(n_rows, ...)                                                                                          \
    {                                                                                                                  \
        size_t row = 0;                                                                                                \
        for (; row + LANES_TOGETHER <= (n_rows); row += LANES_TOGETHER)                                                \
            FEW(LANES_TOGETHER, __VA_ARGS__)                                                                           \
        switch ((n_rows)-row) {                                                                                        \
        case 3:                                                                                                        \
            FEW(3, __VA_ARGS__)                                                                                        \
            break;                                                                                                     \
        case 2:                                                                                                        \
            FEW(2, __VA_ARGS__)                                                                                        \
            break;                                                                                                     \
        case 1:                                                                                                        \
            FEW(1, __VA_ARGS__)                                                                                        \
        }                                                                                                              \
    }
#define FEW(n, ...)                                                                                                    \
    {                                                                                                                  \
        enum { together = (n) < LANES_TOGETHER ? (n) : LANES_TOGETHER };                                               \
        __VA_ARGS__                                                                                                    \
    }

CPU_TEMPLATE void lanes_sums(const int rows, float *to, const lanes *x)
{
#ifdef LANES_REDUCE_4
    if (rows == 4) {
        lanes_sum_4(to, x);
        return;
    }
#endif
    EACH_ROW(rows) to[r] = lanes_sum(x[r]);
}

CPU_TEMPLATE void lanes_largests(const int rows, float *to, const lanes *x)
{
#ifdef LANES_REDUCE_4
    if (rows == 4) {
        lanes_largest_4(to, x);
        return;
    }
#endif
    EACH_ROW(rows) to[r] = lanes_largest(x[r]);
}

CPU_TEMPLATE void ints_sums(const int rows, uint32_t *to, const ints *x)
{
#ifdef LANES_REDUCE_4
    if (rows == 4) {
        ints_sum_4(to, x);
        return;
    }
#endif
    EACH_ROW(rows) to[r] = ints_sum(x[r]);
}

#endif
