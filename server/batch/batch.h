/* From token ids to embeddings: a queue, a planner that forms ragged batches, a pool of boards, pooling.
 *
 * A work is what one request wants done: some items (one sequence each). Items of many works share batches; a work is
 * done when its last item is.
 */
#ifndef BERTD_BATCH_BATCH_H
#define BERTD_BATCH_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "accel/board.h"
#include "server/base/status.h"

struct batch;

enum batch_pooling { BATCH_POOL_CLS, BATCH_POOL_MEAN, BATCH_POOL_MAX, BATCH_POOL_NONE };

/** One sequence. Borrowed until its work is done. */
struct batch_item {
    const uint32_t *ids;     /* [n_tokens], 1 <= n_tokens <= the limit given to batch_create */
    const uint8_t *type_ids; /* [n_tokens] or NULL: all 0 */
    uint32_t n_tokens;
    enum batch_pooling pooling;
    float *out; /* [hidden]; with BATCH_POOL_NONE [n_tokens][hidden]. Written before on_done. Not normalised. */
    /* Filled in by the room: */
    uint64_t queue_ns;     /* from submission to dispatch */
    uint64_t inference_ns; /* from dispatch to result */
};

/** What a request submits. Zero it, fill in the upper part. */
struct batch_work {
    struct batch_item *items;
    uint32_t n_items;
    uint64_t deadline_ns; /* on clock_now_ns; 0: none */
    /** Called exactly once, from a board's or the room's thread, when no item is in use any more: OK, CANCELLED,
     * TIMEOUT, BACKEND or UNHEALTHY with `err` filled. Must be quick. The work may be freed in it. */
    void (*on_done)(struct batch_work *work, enum status status, const struct error *err);
    void *cookie;
    /* The room's own: */
    struct batch_work *next;
    uint64_t submitted_ns;
    uint32_t items_left;  /* not yet finished */
    uint32_t items_taken; /* handed to batches so far */
    enum status status;
    struct error err;
};

struct batch_options {
    struct image *image;   /* retained */
    struct board **boards; /* [n_boards], opened and loaded; the room closes them in batch_destroy */
    uint32_t n_boards;
    uint32_t max_tokens;       /* rows in one batch (--max-batch-tokens) */
    uint32_t max_sequences;    /* sequences in one batch; 0: no limit (--max-batch-requests) */
    uint32_t max_queued_items; /* beyond: OVERLOADED */
};

/** What the room is doing, for metrics and health. */
struct batch_stats {
    uint32_t queued_items;
    uint64_t queued_tokens;
    uint32_t running_items;
    uint32_t boards_ready; /* boards not failed */
    uint32_t boards;
};

/** Called after each dispatch, from the planner's thread; for metrics. */
typedef void batch_on_dispatch(void *cookie, uint32_t sequences, uint32_t tokens);

/** Start the room. `ret`: new; end with batch_destroy. Errors: NO_MEMORY, INTERNAL (threads). */
enum status batch_create(struct batch **ret, const struct batch_options *options, struct error *err);
/** Finish what is queued (or, with `drain` false, cancel it), close the boards, free. Sets the pointer to NULL. */
void batch_destroy(struct batch **batch, bool drain);
/** Queue a work; never blocks. Errors: OVERLOADED, UNHEALTHY (no board), both before anything was taken: then on_done
 *  is not called. Thread: any. */
enum status batch_submit(struct batch *batch, struct batch_work *work, struct error *err);
/** Its client has gone: drop what is queued, stop what runs at the next layer (unless others share the batch). on_done
 *  still comes, once (possibly with OK, possibly before this returns). Does nothing for a work that is done, whose
 * memory it does not look at. Thread: any, but not from on_done. */
void batch_cancel(struct batch *batch, struct batch_work *work);
void batch_get_stats(struct batch *batch, struct batch_stats *ret);
void batch_set_on_dispatch(struct batch *batch, batch_on_dispatch *hook, void *cookie);

#endif
