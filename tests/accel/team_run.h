/* TENSOR tasks by engines, each in a thread. */
#ifndef TESTS_ACCEL_TEAM_RUN_H
#define TESTS_ACCEL_TEAM_RUN_H

#include "accel/engine.h"

/** How a member's task ended. */
struct team_end {
    enum status status;
    struct error err;
};

/** Every layer of a job by `n` engines of cpu_engine. `ret` [n]. */
void team_run(struct engine *const *engines, uint32_t n, const struct board_job *job, struct team_end *ret);

#endif
