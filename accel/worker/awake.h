/* How long a board with nothing to do waits awake for its next task before it sleeps.
 *
 * A hand-over between boards takes a few microseconds; longer than this a board sleeps. In the middle of a split the
 * next task comes as soon as the slowest board is done with its rows: waking up would cost more than waiting. To wake a
 * core that sleeps takes 40 microseconds on a virtual machine. So where the last task came SOON after the one before,
 * as those of a client that asks for one text after another do, a board waits for the next up to twice as long; but,
 * over time, not for more than half of the time that it computes.
 */
#ifndef BERTD_ACCEL_WORKER_AWAKE_H
#define BERTD_ACCEL_WORKER_AWAKE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    AWAKE_NS = 5000,
    AWAKE_SPLIT_NS = 2000000,
    AWAKE_SOON_NS = 250000,
    AWAKE_MOST_CREDIT_NS = 1000000 /* so a board that is idle now does not live on what it computed long ago */
};

/** A board's own; zeroed at first. */
struct worker_awake {
    uint64_t gap_ns;    /* it last waited so long for a task */
    uint64_t credit_ns; /* it may still wait awake so long */
};

/** For how many nanoseconds to stay awake now. */
uint64_t worker_awake_limit(const struct worker_awake *awake, bool in_split);
/** It stayed awake so long. */
void worker_awake_waited(struct worker_awake *awake, uint64_t ns, bool in_split);
/** It computed so long. */
void worker_awake_computed(struct worker_awake *awake, uint64_t ns);

#endif
