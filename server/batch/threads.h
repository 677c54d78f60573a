/* The scheduler's own threads: the timer, the scrubber, a health worker for each slot. */
#ifndef BERTD_BATCH_THREADS_H
#define BERTD_BATCH_THREADS_H

#include "server/batch/sched.h"

/** Start them all, or none. Errors: INTERNAL. */
enum status sched_start_threads(struct batch *batch, struct error *err);
/** End those that were started; without the lock. */
void sched_stop_threads(struct batch *batch);

#endif
