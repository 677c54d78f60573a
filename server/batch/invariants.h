/* What sched.h promises, looked at. For tests. */
#ifndef BERTD_BATCH_INVARIANTS_H
#define BERTD_BATCH_INVARIANTS_H

#include "server/batch/sched.h"

/** The first invariant that does not hold, in words (static), or NULL. With the lock, where nothing is under way. */
const char *sched_broken_invariant(const struct batch *batch);

#endif
