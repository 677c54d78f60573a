/* The boards of the pool: in service or out of it, and how busy they are. All with the lock. */
#ifndef BERTD_BATCH_SLOTS_H
#define BERTD_BATCH_SLOTS_H

#include "server/batch/sched.h"

/** Its flight, its health or its probing is another: note whether it serves and whether it is free. */
void sched_slot_changed(struct batch *batch, uint32_t board);
/** Note why a board is not in service. */
void sched_note_error(struct sched_slot *slot, uint64_t now_ns, const struct error *why);
/** A board is out of service until its health worker has tested it. What it computes just now will not be trusted. */
void sched_quarantine(struct batch *batch, uint32_t board, uint64_t now_ns, const struct error *why);
/** Note how busy the boards are, from time to time. */
void sched_sample_boards(struct batch *batch, uint64_t now_ns);
/** The share of the time since an older sample that a board was busy, 0 to 1; `busy_ns` is how long it was in all. */
double sched_busy_share(const struct sched_slot *slot, uint64_t busy_ns, uint64_t now_ns);

#endif
