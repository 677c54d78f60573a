/* TENSOR tasks by engines, each in a thread: the first in the caller's. */
#ifndef TESTS_ACCEL_TEAM_RUN_H
#define TESTS_ACCEL_TEAM_RUN_H

#include "accel/engine.h"
#include "accel/team.h"

#ifndef TEAM_RUN_MOST
#define TEAM_RUN_MOST BOARD_TEAM_MAX /* where there are no threads, 1 */
#endif

/** How a member's task ended. */
struct team_end {
    enum status status;
    struct error err;
};

/** Every layer of a job by `n` engines of cpu_engine, TEAM_RUN_MOST at most. `ret` [n]. */
void team_run(struct engine *const *engines, uint32_t n, const struct board_job *job, struct team_end *ret);

#endif
