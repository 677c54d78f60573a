/* How a thread that wakes up comes by a core on which another computes. */
#ifndef BERTD_BASE_PATIENCE_H
#define BERTD_BASE_PATIENCE_H

#include <stdbool.h>

/** Whether this thread waits for its turn, a few milliseconds at most (SCHED_BATCH), or takes the core from the other
 *  at once, as threads do that have done little of late. Nothing changes where the system refuses, nor where the thread
 *  had another policy before its first call. Costs nothing where it is so already. Thread: any, for itself. */
void patience_set(bool patient);

#endif
