/* From token ids to embeddings: the scheduler over a pool of boards.
 *
 * A work is what one request wants done: some items (one sequence each). Items of many works share batches; a work is
 * done when its last item is. Inside: queue.h (what waits, fair between keys), planner.h (what to start, where), cost.h
 * and bandit.h (how long it will take, whole or split), flight.h (a batch in flight), watchdog.h (when it has hung),
 * health.h (which boards may serve), pooling.h; sched.h ties them together.
 */
#ifndef BERTD_BATCH_BATCH_H
#define BERTD_BATCH_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "accel/board.h"
#include "base/status.h"

struct batch;

/* Interactive work goes first; bulk work yields to it at layer boundaries, and is never starved. */
enum batch_class { BATCH_INTERACTIVE, BATCH_BULK, BATCH_CLASSES };

enum batch_placement {
    BATCH_AUTO,      /* whichever of the others is predicted to finish first */
    BATCH_REPLICATE, /* a batch a board */
    BATCH_PIPELINE,  /* each board holds some layers; a batch goes from board to board */
    BATCH_SPLIT,     /* the rows of one batch over all idle boards */
    BATCH_PLACEMENTS
};

enum batch_pooling { BATCH_POOL_CLS, BATCH_POOL_MEAN, BATCH_POOL_MAX, BATCH_POOL_NONE };

/** One sequence. Borrowed until its work is done. */
struct batch_item {
    const uint32_t *ids;     /* [n_tokens], 1 <= n_tokens <= the limit given to batch_create */
    const uint8_t *type_ids; /* [n_tokens] or NULL: all 0 */
    uint32_t n_tokens;
    enum batch_pooling pooling;
    uint32_t first_row, n_rows; /* pool (or with BATCH_POOL_NONE deliver) these rows only; n_rows 0: all */
    uint32_t input;             /* of the request's inputs, the one it belongs to: for the words of errors */
    float *out; /* [hidden]; with BATCH_POOL_NONE [rows][hidden]. Written before on_done. Not normalised. */
    /* Filled in by the scheduler: */
    uint64_t queue_ns;     /* from submission to dispatch */
    uint64_t inference_ns; /* from dispatch to result */
};

/** What a request submits. Zero it, fill in the upper part. */
struct batch_work {
    struct batch_item *items;
    uint32_t n_items;
    uint64_t deadline_ns; /* on clock_now_ns; 0: none */
    enum batch_class class;
    uint64_t key; /* whose request: a hash of the API key or address; fairness is between keys */
    /** Called exactly once, from a board's or the scheduler's thread, when no item is in use any more: OK, CANCELLED,
     * TIMEOUT, BACKEND or UNHEALTHY with `err` filled. Must be quick. The work may be freed in it. */
    void (*on_done)(struct batch_work *work, enum status status, const struct error *err);
    void *cookie;
    /* The scheduler's own: */
    struct batch_work *next;
    uint64_t submitted_ns;
    uint32_t items_left;  /* not yet finished */
    uint32_t items_taken; /* handed to batches so far */
    enum status status;
    struct error err;
};

/** Something that whoever runs the server wants to read about. */
enum batch_event_kind {
    BATCH_BOARD_OUT,      /* a board was taken out of service */
    BATCH_TEST_FAILED,    /* it did not come back from its reset and self-test; tried again later. The same failure is
                             told once a minute */
    BATCH_BOARD_BACK,     /* it passed and serves again */
    BATCH_IMAGE_DAMAGED,  /* the model image in memory is not what was loaded: all boards are out of service */
    BATCH_IMAGE_REPAIRED, /* it was built again */
    BATCH_IMAGE_LOST,     /* it could not be; tried again later */
    BATCH_FAULT,          /* a fault was injected on purpose, */
    BATCH_FAULT_REFUSED,  /* or could not be */
};
struct batch_event {
    enum batch_event_kind kind;
    const char *board; /* NULL: none in particular */
    const char *words; /* why; both borrowed for the call */
};

struct batch_options {
    struct image *image;   /* retained */
    struct board **boards; /* [n_boards], opened and loaded; the scheduler closes them in batch_destroy */
    uint32_t n_boards;
    uint32_t max_tokens;       /* rows in one batch (--max-batch-tokens) */
    uint32_t max_sequences;    /* sequences in one batch; 0: no limit (--max-batch-requests) */
    uint32_t max_queued_items; /* beyond: OVERLOADED */
    enum batch_placement placement;
    uint64_t scrub_interval_ns; /* the image's checksum is verified so often; 0: only when a board loads it */
    double timeout_scale;       /* >= 1: long launches may take so many times as long before their board counts as hung;
                                   0: 1. For machines on which a launch may be stopped for seconds */
    uint64_t probe_interval_ns; /* a board to which nothing was given for so long is tested; 0: never */
    /* These may be NULL and come without the lock, from threads of the scheduler (on_event: also from batch_inject's):
     */
    void (*on_event)(void *cookie, const struct batch_event *event);
    /** Build the image once more, from where it came from; new reference. */
    enum status (*rebuild)(void *cookie, struct image **ret, struct error *err);
    void *cookie; /* of both */
};

/** What the scheduler is doing, for metrics and health. */
struct batch_stats {
    uint32_t queued_items;
    uint64_t queued_tokens;
    uint32_t running_items;
    uint32_t boards_ready; /* in service */
    uint32_t boards;
    uint32_t retry_after_ms; /* until there is space, or a board, again, as far as one can tell */
    uint32_t queued_items_of[BATCH_CLASSES];
    uint64_t queued_tokens_of[BATCH_CLASSES];
    uint64_t flights[BATCH_PLACEMENTS]
                    [BATCH_CLASSES]; /* batches begun; under AUTO: none, they count as what they got */
    uint64_t scrubs;                 /* rounds of verifying checksums, */
    uint64_t scrub_failures;         /* and what they found: damaged images */
};

/** One board as the scheduler sees it. */
struct batch_board_info {
    const char *name;  /* lives as long as the scheduler */
    const char *kind;  /* static */
    const char *state; /* "idle", "busy", "quarantined", "testing"; static */
    struct board_stats stats;
    double busy_share;      /* 0 to 1, of the last seconds */
    char last_error[256];   /* why it was last taken out of service, or not let back; "": never */
    uint64_t last_error_ns; /* on clock_now_ns */
    uint64_t faults;        /* injected */
    uint64_t flights;       /* launches it took part in */
    uint64_t splits;        /* of them, split over several boards */
    uint64_t quarantined, readmitted;
    uint32_t layer_begin, layer_end;
};

/** Called after each dispatch, from the planner's thread; for metrics. */
typedef void batch_on_dispatch(void *cookie, uint32_t sequences, uint32_t tokens);

/** Load the boards, measure what they cost, start the scheduler. `ret`: new; end with batch_destroy. On failure the
 * boards stay the caller's. Errors: NO_MEMORY, INTERNAL (threads), USAGE (number of boards), what a board's load said.
 */
enum status batch_create(struct batch **ret, const struct batch_options *options, struct error *err);
/** Finish what is queued (or, with `drain` false, cancel it), close the boards, free. Sets the pointer to NULL. */
void batch_destroy(struct batch **batch, bool drain);
/** Queue a work; never blocks. Errors: OVERLOADED (the queue is full), UNHEALTHY (no board in service for a second),
 * TIMEOUT (it cannot be done by its deadline), all before anything was taken: then on_done is not called. Thread: any.
 */
enum status batch_submit(struct batch *batch, struct batch_work *work, struct error *err);
/** Its client has gone: drop what is queued, stop what runs at the next layer (unless others share the batch). on_done
 *  still comes, once (possibly with OK, possibly before this returns). Does nothing for a work that is done, whose
 * memory it does not look at. Thread: any, but not from on_done. */
void batch_cancel(struct batch *batch, struct batch_work *work);
void batch_get_stats(struct batch *batch, struct batch_stats *ret);
/** Fill `ret` [n_boards of the options]. */
void batch_get_boards(struct batch *batch, struct batch_board_info *ret);
/** Make something go wrong on a board, see board_inject. Errors: those, and USAGE (no such board). Thread: any. */
enum status batch_inject(struct batch *batch, uint32_t board, const struct board_fault *fault, struct error *err);
/** The class of a request that does not say: bulk from 8 texts or 2048 tokens on. */
enum batch_class batch_class_of(uint32_t n_items, uint64_t tokens);
void batch_set_on_dispatch(struct batch *batch, batch_on_dispatch *hook, void *cookie);

#endif
