/* The scheduler on a virtual clock: what it asks the clock is answered from here, it has no threads, and the processor
 * time that it spends under its lock is counted. The linker puts these functions in place of the scheduler's own
 * (--wrap).
 *
 * With one thread nobody waits for the lock and all is in the cache: what is counted is the least that a real server
 * takes.
 */
#ifndef TESTS_BENCH_FLEET_VIRTUAL_H
#define TESTS_BENCH_FLEET_VIRTUAL_H

#include <stdint.h>

/** Processor time in a call of the scheduler. */
struct virtual_spent {
    double locked_ns;   /* under its lock */
    double planned_ns;  /* of that, in planner_plan, but for what a forecast plans */
    double forecast_ns; /* of that, in eta_predict */
};

extern uint64_t virtual_now_ns;

/** Whether to count: it costs a microsecond or two a call. */
void virtual_count(int on);
/** What was spent since the last call of this. */
struct virtual_spent virtual_take_spent(void);

#endif
