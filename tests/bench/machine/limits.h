/* What a machine can do at most: what boards are held against. */
#ifndef TESTS_BENCH_MACHINE_LIMITS_H
#define TESTS_BENCH_MACHINE_LIMITS_H

#include <stdint.h>

/** 8-bit products of one thread in 1e9 a second, by the best multiply instruction of the set in registers; 0 where none
 * is known. flags  of cpu_flags.h */
double limits_products(unsigned flags);
/** Memory read by so many threads, each its own part of `bytes`, in GB/s. */
double limits_read(uint32_t threads, uint64_t bytes);

#endif
