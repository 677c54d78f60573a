/* From token ids to embeddings: the scheduler over a pool of boards.
 *
 * A work is what one request wants done: some items (one sequence each). Items of many works share batches; a work is
 * done when its last item is. Inside: queue.h (what waits, fair between keys), planner.h (what to start, where), cost.h
 * and bandit.h (how long it will take, whole or split), flight.h (a batch in flight), watchdog.h (when it has hung),
 * health.h (which boards may serve), pooling.h. sched.h ties them together and names the layers.
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
    BATCH_TENSOR,    /* the outputs of each of its layers over all idle boards of a kind that can, see BOARD_TENSOR */
    BATCH_PLACEMENTS
};

enum batch_pooling { BATCH_POOL_CLS, BATCH_POOL_MEAN, BATCH_POOL_MAX, BATCH_POOL_NONE };

/** One sequence. Borrowed, with all it points to, until its work is done. */
struct batch_item {
    const uint32_t *ids;        /* [n_tokens], each < the model's vocabulary */
    const uint8_t *type_ids;    /* [n_tokens], each < the model's types; NULL: all 0 */
    uint32_t n_tokens;          /* >= 1; at most the model's positions */
    enum batch_pooling pooling; /* of the rows below */
    uint32_t first_row;         /* of the rows to pool or, with BATCH_POOL_NONE, to deliver */
    uint32_t n_rows;            /* how many of them; first_row + n_rows <= n_tokens; 0: all, first_row being 0 */
    uint32_t input;             /* the place in its request of the input it belongs to, for the messages of errors */
    float *out;                 /* [hidden]; with BATCH_POOL_NONE [rows][hidden]. Not normalised. Written before an
                                   on_done with OK; after any on_done never */
    uint64_t queue_ns;          /* filled in with OK: from submission to dispatch */
    uint64_t inference_ns;      /* filled in with OK: from dispatch to result */
};

/** What a request submits. Zero it and fill in what stands above `next`. Borrowed from batch_submit to on_done. */
struct batch_work {
    struct batch_item *items; /* [n_items] */
    uint32_t n_items;         /* >= 1 */
    uint64_t deadline_ns;     /* on clock_now_ns; 0: none */
    enum batch_class class;
    uint64_t key; /* whose request: a hash of the API key or address; fairness is between keys */
    /** Called exactly once, when no item is in use any more: OK, CANCELLED, TIMEOUT (the deadline passed, whether it
     *  waited, ran or was suspended), BACKEND, NO_MEMORY or UNHEALTHY, with `err` (borrowed for the call) filled unless
     *  OK. Must be quick, and must not call batch_cancel or batch_destroy. The work may be freed in it. Thread: a
     *  board's, one of the scheduler's, or one that is in batch_submit, batch_cancel or batch_destroy. */
    void (*on_done)(struct batch_work *work, enum status status, const struct error *err);
    void *cookie;
    struct batch_work *next; /* the scheduler's own, like all that follows */
    uint64_t submitted_ns;   /* on clock_now_ns */
    uint32_t items_left;     /* not yet ended */
    uint32_t items_taken;    /* handed to batches so far */
    enum status status;      /* OK until its first failure */
    struct error err;        /* of that failure */
};

/** Something that whoever runs the server wants to read about. */
enum batch_event_kind {
    BATCH_BOARD_OUT,      /* a board was taken out of service */
    BATCH_TEST_FAILED,    /* it did not come back from its reset and self-test; tried again later. The same failure is
                             reported once a minute */
    BATCH_BOARD_BACK,     /* it passed and serves again */
    BATCH_IMAGE_DAMAGED,  /* the model image in memory is not what was loaded: all boards are out of service */
    BATCH_IMAGE_REPAIRED, /* it was built again */
    BATCH_IMAGE_LOST,     /* it could not be; tried again later */
    BATCH_FAULT,          /* a fault was injected on purpose */
};
struct batch_event {
    enum batch_event_kind kind;
    const char *board; /* its name, borrowed for the call; NULL: none in particular */
    const char *words; /* the reason; borrowed for the call */
};

/** What to create. Copied, but for what the pointers name. */
struct batch_options {
    struct image *image;            /* retained until batch_destroy */
    struct board **boards;          /* [n_boards], opened; taken over with success and closed in batch_destroy */
    uint32_t n_boards;              /* 1 to 1024; a pipeline: to 64 */
    uint32_t max_tokens;            /* rows in one batch of more than one sequence (--max-batch-tokens) */
    uint32_t max_sequences;         /* sequences in one batch; 0: no limit (--max-batch-requests) */
    uint32_t max_queued_items;      /* beyond: OVERLOADED */
    enum batch_placement placement; /* an fp32 image: not BATCH_SPLIT, and BATCH_AUTO means BATCH_REPLICATE;
                                       BATCH_TENSOR: some board of the pool can */
    uint64_t scrub_interval_ns;     /* the image's checksum is verified so often; 0: only when a board loads it */
    double timeout_scale;           /* >= 1; 0: 1. Long launches may take so many times as long before their board
                                       counts as hung: for machines on which a launch may be stopped for seconds */
    uint64_t probe_interval_ns;     /* a board to which nothing was given for so long is tested; 0: never */
    /** May be NULL. Comes without the lock. Thread: the scheduler's own, or the one that is in batch_inject. */
    void (*on_event)(void *cookie, const struct batch_event *event);
    /** May be NULL. Build the image once more, from where it came from. `ret`: a new reference. Any error means that
     *  it cannot be. Thread: the scheduler's own; it blocks no request but those that wait for a board. */
    enum status (*rebuild)(void *cookie, struct image **ret, struct error *err);
    void *cookie; /* of on_event and rebuild */
};

/** What the scheduler is doing, for metrics and health. */
struct batch_stats {
    uint32_t queued_items;                             /* wait for their first layer */
    uint64_t queued_tokens;                            /* of these */
    uint32_t running_items;                            /* in batches that have begun */
    uint32_t boards_ready;                             /* in service */
    uint32_t boards;                                   /* of the pool */
    uint32_t retry_after_ms;                           /* prediction: until there is space, or a board, again */
    uint32_t queued_items_of[BATCH_CLASSES];           /* of queued_items */
    uint64_t queued_tokens_of[BATCH_CLASSES];          /* of queued_tokens */
    uint64_t flights[BATCH_PLACEMENTS][BATCH_CLASSES]; /* batches begun; none under AUTO, but as what they got */
    uint64_t scrubs;                                   /* rounds of verifying the image's checksum */
    uint64_t scrub_failures;                           /* damaged memory found, of boards or of the image */
};

/** One board as the scheduler sees it. */
struct batch_board_info {
    const char *name;         /* lives as long as the scheduler */
    const char *kind;         /* static */
    const char *state;        /* "idle", "busy", "quarantined", "testing"; static */
    struct board_stats stats; /* the board's own */
    double busy_share;        /* 0 to 1, of the last seconds */
    char last_error[256];     /* why it was last taken out of service, or not let back; "": never */
    uint64_t last_error_ns;   /* on clock_now_ns; 0: never */
    uint64_t faults;          /* injected */
    uint64_t flights;         /* launches it took part in */
    uint64_t splits;          /* of them, split over several boards */
    uint64_t quarantined;     /* times it was taken out of service */
    uint64_t readmitted;      /* times it was let back */
    uint32_t layer_begin;     /* the first layer it has loaded */
    uint32_t layer_end;       /* one past the last */
};

/** Called for each batch that begins, with the lock held: it must not call into the scheduler. `tokens` are its rows.
 *  Thread: any of the scheduler's, of boards and of its callers, one at a time. */
typedef void batch_on_dispatch(void *cookie, uint32_t sequences, uint32_t tokens);

/** Load the boards, measure what they cost, start the scheduler's threads. Blocks meanwhile. `ret`: new; end with
 *  batch_destroy. On failure the boards stay the caller's. Errors: NO_MEMORY, INTERNAL (threads), USAGE (number of
 *  boards, placement), what a board said. Thread: any. */
enum status batch_create(struct batch **ret, const struct batch_options *options, struct error *err);
/** Finish what is queued (or, with `drain` false, cancel it), close the boards, free. Blocks until all that is done.
 *  Sets the pointer to NULL; NULL is fine. Thread: any but the scheduler's and the boards', with no other call under
 *  way or to come. */
void batch_destroy(struct batch **batch, bool drain);
/** Queue a work; never blocks. Errors: OVERLOADED (the queue is full), UNHEALTHY (no board in service for a second, or
 *  it is being destroyed), TIMEOUT (it cannot be done by its deadline), all before anything was taken: then on_done is
 *  not called. Thread: any. */
enum status batch_submit(struct batch *batch, struct batch_work *work, struct error *err);
/** Its client has gone: drop what is queued, stop what runs at the next layer (unless others share the batch). on_done
 *  still comes, once: with CANCELLED before this returns; or with another status, where the work was done or failed
 *  before or its results are just being delivered. Does nothing for a work that is done, whose memory it does not look
 *  at. Thread: any, but not from on_done. */
void batch_cancel(struct batch *batch, struct batch_work *work);
/** Fill `ret` with what is so just now. Thread: any. */
void batch_get_stats(struct batch *batch, struct batch_stats *ret);
/** Whether so much interactive work waits for boards that they stay at work for milliseconds to come: who brings more,
 *  or takes results away, need not hurry. Thread: any. */
bool batch_has_backlog(const struct batch *batch);
/** How often memory was found damaged so far, of boards or of the image: bits that were computed before the last time
 *  may be wrong. Thread: any. */
uint64_t batch_damages(const struct batch *batch);
/** Fill `ret` [n_boards of the options]. Thread: any. */
void batch_get_boards(struct batch *batch, struct batch_board_info *ret);
/** Make something go wrong on a board, see board_inject. Errors: those, and USAGE (no such board). Thread: any. */
enum status batch_inject(struct batch *batch, uint32_t board, const struct board_fault *fault, struct error *err);
/** The class of a request that does not say: bulk from 8 texts or 2048 tokens on. Thread: any. */
enum batch_class batch_class_of(uint32_t n_items, uint64_t tokens);
/** "interactive" or "bulk"; static. Thread: any. */
const char *batch_class_name(enum batch_class class);
/** Have `hook` called for each batch that begins from now on; NULL: none. Thread: any. */
void batch_set_on_dispatch(struct batch *batch, batch_on_dispatch *hook, void *cookie);

#endif
