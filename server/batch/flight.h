/* A batch in flight: the job, its memory, and the shards of it that boards work on.
 *
 * Between layers a flight is suspended: on no board, its state in `job.hidden` and `layer`. Launched, it runs on one
 * board (a RUN task) or on several (rows split; PROJECT, then per layer FINISH and the next PROJECT, a barrier
 * between), until the layers asked for are done, a shard fails or it is cancelled. Then `on_returned` is called, once.
 *
 * Invariants: `pending` shards have not reported in this round; the last one to report starts the next round or
 * suspends the flight, so nobody else touches a launched flight, but for `job.cancelled`; hidden rows hold the input of
 * `layer` whenever the flight is suspended with OK.
 */
#ifndef BERTD_BATCH_FLIGHT_H
#define BERTD_BATCH_FLIGHT_H

#include <stdatomic.h>

#include "server/batch/cost.h"
#include "server/batch/planner.h"
#include "server/batch/queue.h"

struct flight;

struct flight_shard {
    struct board_task project, finish; /* RUN uses `finish` */
    struct flight *flight;
    uint32_t board; /* index in the pool */
    atomic_bool busy;
};

struct flight {
    struct board_job job;
    enum batch_class class;
    struct cost_load load;
    double pair_weight; /* what a pair of tokens costs, where a row costs 1 */
    uint32_t layer;     /* the next to compute */
    uint32_t attempts;  /* times it failed on a board */
    uint64_t avoid;     /* boards that failed it */
    uint32_t last_board;
    uint64_t begun_ns;        /* first launched */
    uint64_t launched_ns;     /* last launched */
    double predicted_ns;      /* of the last launch, */
    double timeout_scale;     /* the watchdog's at that time */
    uint32_t launched_layers; /* which was so many layers, */
    struct bandit_choice choice;
    /* One launch: */
    struct board *const *pool;
    void (*on_returned)(struct flight *flight, void *cookie);
    void *cookie;
    uint32_t until; /* return before this layer */
    bool projected; /* of a split: keys and values of `layer` are there */
    uint32_t n_shards;
    struct flight_shard shards[PLANNER_MAX_BOARDS];
    atomic_uint pending;
    atomic_bool failing; /* a shard of this round has failed; the first one fills in the next three */
    enum status status;
    struct error err;
    uint32_t failed_board;
    /* The scheduler's: */
    bool abandoned; /* given up by the watchdog: its last shard frees it */
    struct flight *next;
    void *kv_memory;
    uint32_t n_entries;
    struct queue_entry *entries; /* [n_entries], in this allocation like all the job's arrays */
};

/** Lay the sequences of `entries` out as one ragged job. New; free with flight_destroy. NULL when out of memory. */
struct flight *flight_create(const struct image *image, const struct queue_entry *entries, uint32_t n);
/** Free and set to NULL; NULL is fine. Never while launched. */
void flight_destroy(struct flight **flight);

/** Run layers [flight->layer, until) on the boards `boards` [n] of `pool`; `on_returned` comes from a board's thread.
 *  Errors: NO_MEMORY (nothing was launched). */
enum status flight_launch(struct flight *flight, struct board *const *pool, const uint32_t *boards, uint32_t n,
                          uint32_t until, void (*on_returned)(struct flight *flight, void *cookie), void *cookie);
/** Pool every sequence's rows into its item's `out` and note the times. `now_ns` is when the boards finished. */
void flight_deliver(struct flight *flight, uint64_t now_ns);

#endif
