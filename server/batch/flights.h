/* The flights of the scheduler, and their states: begun, run, suspended between layers, computed again after a failure,
 * ended. All with the lock.
 *
 *   SUSPENDED    from sched_begin_flight on; sched_run_flight makes it RUNNING
 *   RUNNING      sched_end_launch makes it SUSPENDED or DELIVERING, or ends it; sched_abandon makes it ABANDONED
 *   DELIVERING   until sched_end_flight
 *   ABANDONED    until sched_end_launch
 *
 * Invariants: whatever becomes of a flight, its entries end exactly once: in it, or in the flights that run them again.
 * Only results of boards that were in service all the while are delivered.
 */
#ifndef BERTD_BATCH_FLIGHTS_H
#define BERTD_BATCH_FLIGHTS_H

#include "server/batch/completion.h"

/** A new flight of these entries; NULL after failing their works when there is no memory. */
struct flight *sched_begin_flight(struct batch *batch, struct sched_completions *completions,
                                  const struct queue_entry *entries, uint32_t n);
/** It is about to be launched on these free boards. */
void sched_run_flight(struct batch *batch, struct flight *flight, const uint32_t *boards, uint32_t n);
/** The boards are done with it. True: its results are there and it is DELIVERING. The caller lets the lock go, calls
 *  flight_deliver and then sched_end_flight. False: `flight` is not to be looked at any more. */
bool sched_end_launch(struct batch *batch, struct sched_completions *completions, struct flight *flight,
                      uint64_t now_ns);
/** Complete all its entries and free it. */
void sched_end_flight(struct batch *batch, struct sched_completions *completions, struct flight *flight);
/** Give up a running flight whose board does not answer: the board is quarantined, the entries run again elsewhere. */
void sched_abandon(struct batch *batch, struct sched_completions *completions, struct flight *flight, uint64_t now_ns);
/** Free the slots that it no longer needs: of an abandoned one those whose shard has come back late. */
void sched_release_slots(struct batch *batch, const struct flight *flight);
/** Compute all suspended flights again from the first layer, without counting that as a failure. */
void sched_restart_suspended(struct batch *batch);

/** Fail the works of all its entries. */
void sched_fail_entries(struct batch *batch, struct sched_completions *completions, const struct flight *flight,
                        enum status status, const struct error *err);
/** Fail the works of its entries whose deadline has passed. */
void sched_expire_entries(struct batch *batch, struct sched_completions *completions, const struct flight *flight,
                          uint64_t now_ns);
/** Fail all works that wait or are suspended. */
void sched_fail_waiting(struct batch *batch, struct sched_completions *completions, enum status status,
                        const struct error *err);
/** End the entries of failed works in all flights but those that are being delivered. A flight without entries ends:
 *  where it runs, at the next layer. */
void sched_sweep(struct batch *batch, struct sched_completions *completions);

#endif
