/* The works of one class that wait, fair between keys. No lock of its own: the scheduler's lock guards it.
 *
 * Each key has a flow, first in first out; flows are served by deficit round robin over tokens, so a key that asks for
 * much waits for itself and not the others for it. Keys share QUEUE_FLOWS flows by hash.
 *
 * A large work comes in as one but takes space only as if it came piece by piece: what lies beyond `share` items of it
 * does not count in `space`, so that it neither needs a queue as large as itself nor keeps others out.
 *
 * Invariants: every work in the queue has at least one item that nobody has taken; the loads count exactly the
 * untaken ones, `space` those of each work up to `share`; between any two items of a flow with waiting work, every
 * other such flow is offered at least QUEUE_QUANTUM_TOKENS.
 */
#ifndef BERTD_BATCH_QUEUE_H
#define BERTD_BATCH_QUEUE_H

#include "server/batch/batch.h"

enum { QUEUE_FLOWS = 64, QUEUE_QUANTUM_TOKENS = 256 };

/** Which flow is served and what each may still take. A copy of it lets one look ahead. */
struct queue_cursor {
    uint32_t flow;
    uint64_t waiting; /* bit f: flow f has untaken items */
    int64_t credit[QUEUE_FLOWS];
    struct batch_work *work[QUEUE_FLOWS]; /* first with untaken items */
    uint32_t item[QUEUE_FLOWS];           /* its next */
};

/** Some items. */
struct queue_load {
    uint64_t items;
    uint64_t tokens;
    uint64_t pairs; /* the sum of the squares of their tokens */
};

static inline struct queue_load queue_load_add(struct queue_load load, uint32_t tokens)
{
    return (struct queue_load){load.items + 1, load.tokens + tokens, load.pairs + (uint64_t)tokens * tokens};
}

struct queue {
    struct queue_cursor cursor;
    struct batch_work *last[QUEUE_FLOWS];
    struct queue_load flows[QUEUE_FLOWS]; /* what waits of each */
    struct queue_load load;               /* what waits of all */
    uint32_t space;
    uint32_t share;
};

/** One sequence with the work it belongs to. */
struct queue_entry {
    struct batch_work *work;
    struct batch_item *item;
};

void queue_init(struct queue *queue, uint32_t share);
/** The space that this many items of one work take. */
uint32_t queue_space(const struct queue *queue, uint32_t items);
void queue_push(struct queue *queue, struct batch_work *work);
/** The lengths of the next items in the order queue_take would give them: at most `max`, and no more than so many
 * batches of so many tokens (or one item) could take and one besides. Returns how many. */
uint32_t queue_peek(const struct queue *queue, uint32_t *lengths, uint32_t max, uint32_t batches, uint32_t tokens);
/** Take the next `n` items, or as many as there are. Returns how many. */
uint32_t queue_take(struct queue *queue, struct queue_entry *entries, uint32_t n);
/** Take a work's untaken items out. Returns how many there were; 0 when the work does not wait here (its memory is
 *  then not looked at). */
uint32_t queue_remove(struct queue *queue, struct batch_work *work);
/** What would be taken before the last of so many tokens that came now with this key: all of its own flow, and of each
 *  other as much as that gets meanwhile. */
struct queue_load queue_ahead(const struct queue *queue, uint64_t key, uint64_t tokens);
/** Any work in the queue, NULL when empty; and the one behind `work` in no particular order, NULL at the end. */
struct batch_work *queue_first(const struct queue *queue);
struct batch_work *queue_after(const struct queue *queue, const struct batch_work *work);

#endif
