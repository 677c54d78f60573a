/* How works end: exactly once each, their on_done called without the lock. */
#ifndef BERTD_BATCH_COMPLETION_H
#define BERTD_BATCH_COMPLETION_H

#include "server/batch/sched.h"

/* Works whose last item ended under the lock, and whose on_done is still to be called. Zeroed: none. */
struct sched_completions {
    struct batch_work *first;
};

/** Count `n` of a work's items as ended; with the lock. After its last one the work is not to be looked at. */
void sched_complete_items(struct sched_completions *completions, struct batch_work *work, uint32_t n);
/** Call their on_done; without the lock. */
void sched_run_completions(struct sched_completions *completions);
/** The work's first failure is its result. What of it waits leaves the queue; its entries leave their flights with the
 *  next sched_sweep. With the lock. */
void sched_fail_work(struct batch *batch, struct sched_completions *completions, struct batch_work *work,
                     enum status status, const struct error *err);
/** Fail a work whose deadline has passed, with TIMEOUT; `where` ends "while the request ...". With the lock. */
void sched_expire_work(struct batch *batch, struct sched_completions *completions, struct batch_work *work,
                       uint64_t now_ns, const char *where);

#endif
