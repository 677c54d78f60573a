/* The works that wait, first in first out. No lock of its own: the batch room's lock guards it.
 *
 * Invariants: every work in the queue has at least one item that no batch has taken; `items` and `tokens` count
 * exactly the untaken ones.
 */
#ifndef BERTD_BATCH_QUEUE_H
#define BERTD_BATCH_QUEUE_H

#include "server/batch/batch.h"

struct queue {
    struct batch_work *first;
    struct batch_work **end; /* where the next work is linked */
    uint32_t items;
    uint64_t tokens;
};

/** One sequence with the work it belongs to. */
struct queue_entry {
    struct batch_work *work;
    struct batch_item *item;
};

void queue_init(struct queue *queue);
void queue_push(struct queue *queue, struct batch_work *work);
/** Take the next items in order: at least one, then as long as `max_tokens` and `max_entries` allow.
 *  entries  [max_entries], filled
 *  Returns how many; 0 only when the queue is empty. */
uint32_t queue_take(struct queue *queue, uint64_t max_tokens, struct queue_entry *entries, uint32_t max_entries);
/** Take a work's untaken items out. Returns how many there were; 0 when the work does not wait here (its memory is
 *  then not looked at). */
uint32_t queue_remove(struct queue *queue, struct batch_work *work);

#endif
