/* One batch on one board: the job, its memory and who waits for it. */
#ifndef BERTD_BATCH_DISPATCH_H
#define BERTD_BATCH_DISPATCH_H

#include "server/batch/queue.h"

struct dispatch {
    struct board_job job;
    struct board_task task;
    uint32_t board; /* index in the pool */
    uint64_t started_ns;
    uint32_t n_entries;
    struct queue_entry *entries; /* [n_entries], in this allocation like all the job's arrays */
};

/** Lay the sequences of `entries` out as one ragged job. New; free with dispatch_destroy. NULL when out of memory. */
struct dispatch *dispatch_create(const struct image *image, const struct queue_entry *entries, uint32_t n);
/** Free and set to NULL; NULL is fine. */
void dispatch_destroy(struct dispatch **dispatch);
/** Pool every sequence's rows into its item's `out` and note the times. `now_ns` is when the board finished. */
void dispatch_deliver(struct dispatch *dispatch, uint64_t now_ns);

#endif
