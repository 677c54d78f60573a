/* What the kinds of the engine's bench share. */
#ifndef BERTD_TESTS_RTL_ENGINE_BENCH_H
#define BERTD_TESTS_RTL_ENGINE_BENCH_H

#include "tests/rtl/engine/case.h"

/** Count and print a failure of the kind that runs, with a number that helps. */
void bench_check(bool good, const char *what, long value);
/** Clock until the engine is done; not within the cycles that are enough is a failure, and false. */
bool bench_run(struct sim_model *model);
/** A memory and a host that stall at random. */
struct sim_model_options bench_stalls(struct rtl_random *random);
/** A case of a small random shape: one sequence, or several. */
void bench_init(struct rtl_case *test, struct rtl_random *random);
/** The rows in memory are these, or it is a failure. */
void bench_expect_equal(const struct rtl_case *test, struct sim_model *model, const float *expected);

/** Start so many commands of the list and wait; the status, which register and record agree on. */
uint32_t bench_work(struct sim_model *model, const struct rtl_case *test, uint32_t commands);
/** The status of the last list; register and record agree, or it is a failure. */
uint32_t bench_status(const struct rtl_case *test, struct sim_model *model);

/** The record of lists that end well, and by each answer of the memory that is an error. */
void bench_record(struct rtl_random *random);
/** The registers as a host has them that asks instead of being interrupted, and one that takes both interrupts. */
void bench_registers(struct rtl_random *random);

#endif
