/* Boards that are out of service come back here, and those that serve are looked at.
 *
 * Each has a health worker, a thread of its own: it resets and tests the board while it is out of service and lets it
 * serve again; while the board serves it looks whether its memory is intact and, where nothing was asked of it for
 * long, whether it still computes.
 *
 * Invariants: nobody else resets, tests or scrubs a board, but for the repair of the image that boards share, which
 * waits until no health worker is at work (`repair`). A board that is being tested is given nothing.
 */
#ifndef BERTD_BATCH_HEALTH_WORKER_H
#define BERTD_BATCH_HEALTH_WORKER_H

void *sched_health_worker_main(void *slot);

#endif
