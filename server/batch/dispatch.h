/* The planner's actions carried out: batches begun and flights resumed on free boards. */
#ifndef BERTD_BATCH_DISPATCH_H
#define BERTD_BATCH_DISPATCH_H

#include "server/batch/completion.h"

/** Start what the planner says. Whoever changed anything calls it before the lock is released; with the lock. */
void sched_dispatch(struct batch *batch, struct sched_completions *completions);

#endif
