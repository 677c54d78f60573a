/* The model image in memory, which boards of this process share, built again from where it came from.
 *
 * Invariants: the image changes only while no board computes and no health worker is at work (`repair` is held for
 * writing). A board computes on whatever its memory holds, so all that was computed since the last scrub is in doubt:
 * what is not yet delivered is computed again.
 */
#ifndef BERTD_BATCH_REPAIR_H
#define BERTD_BATCH_REPAIR_H

#include "server/batch/sched.h"

/** The image in memory seems damaged: unless someone else was first, take all boards out of service and build it again.
 *  Without the lock. Errors: BACKEND, saying what to do. */
enum status sched_repair_image(struct batch *batch, struct error *err);

#endif
