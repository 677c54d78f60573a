/* A batch in flight: the job, its memory, and the shards of it that boards work on.
 *
 * Launched, it runs on one board (a RUN task) or on several (rows split; PROJECT, then per layer FINISH and the next
 * PROJECT, a barrier between; or the outputs of each layer: a TENSOR task a board), until the layers asked for are
 * done, a shard fails or it is cancelled. Then `on_returned` is called, once. Between launches it is on no board, its
 * state in `job.hidden` and `layer`.
 *
 * Invariants: `pending` shards have not reported in this round. The last one to report starts the next round or ends
 * the launch, so nobody else touches a launched flight, but for `job.cancelled` and the scheduler's own members.
 * Hidden rows hold the input of `layer` after every launch that ended with OK.
 */
#ifndef BERTD_BATCH_FLIGHT_H
#define BERTD_BATCH_FLIGHT_H

#include <stdatomic.h>

#include "server/batch/cost.h"
#include "server/batch/pace.h"
#include "server/batch/planner.h"
#include "server/batch/queue.h"

struct flight;

/* What becomes of a flight is flights.c's to say. */
enum flight_state {
    FLIGHT_SUSPENDED,  /* begun, on no board: between layers, or waiting for its first */
    FLIGHT_RUNNING,    /* launched */
    FLIGHT_DELIVERING, /* computed; its results are being copied, without the lock */
    FLIGHT_ABANDONED,  /* its board did not answer: the entries run elsewhere, its last shard to come back frees it */
};

/* The scheduler's lists of flights. */
enum flight_list { FLIGHTS_ALL, FLIGHTS_SUSPENDED, FLIGHT_LISTS };

struct flight_shard {
    struct board_task project;
    struct board_task finish; /* the RUN task too */
    struct flight *flight;
    uint32_t board;    /* index in the pool */
    atomic_bool busy;  /* has not reported in this round */
    double work;       /* of a split: what a layer costs its board, where a row costs 1 */
    double pace;       /* of its board, see pace.h */
    uint64_t ended_ns; /* when it reported last */
};

struct flight {
    struct board_job job;
    enum batch_class class;
    struct cost_load load;
    double pair_weight;  /* what a pair of tokens costs, where a row costs 1 */
    double layer_weight; /* what a layer costs each board besides */
    struct pace *paces;  /* of the boards of the pool, looked at when it is launched; NULL: they are alike */
    uint32_t layer;      /* the next to compute */
    uint32_t attempts;   /* times it failed on a board */
    uint32_t last_board;
    struct board_set avoid; /* boards that failed it */
    uint64_t begun_ns;
    uint64_t launched_ns;     /* last launched */
    double predicted_ns;      /* for the last launch */
    double timeout_scale;     /* the watchdog's at the last launch */
    uint32_t launched_layers; /* in the last launch */
    struct bandit_choice choice;
    /* One launch: */
    struct board *const *pool;
    void (*on_returned)(struct flight *flight, void *cookie);
    void *cookie;
    uint32_t until;    /* return before this layer */
    bool projected;    /* of a split: keys and values of `layer` are there */
    bool comparable;   /* of a split: its shards tell the paces of their boards */
    uint64_t round_ns; /* of a split: when the round began */
    uint32_t n_shards;
    struct flight_shard *shards; /* [n_shards]: `whole`, `split` or `members` */
    struct flight_shard whole;
    struct flight_shard *split;
    struct flight_shard *members;
    struct board_team *team; /* NULL: it has not run as one */
    atomic_uint pending;
    atomic_bool parted;    /* a board of a team left it without being at fault */
    atomic_bool failing;   /* a shard of this round has failed; the first fills in status, err and failed_board */
    enum status status;    /* of the first shard that failed, else OK */
    struct error err;      /* of that shard */
    uint32_t failed_board; /* of that shard */
    /* The scheduler's own: */
    enum flight_state state;
    uint64_t number;                                          /* how many had begun before it */
    struct flight *older[FLIGHT_LISTS], *newer[FLIGHT_LISTS]; /* in the scheduler's lists */
    uint32_t n_left;    /* entries that have not ended; those that have are zeroed */
    void *split_memory; /* keys, values and shards, once it is split */
    void *team_memory;  /* the team, shards and what boards exchange, once it has run as one */
    uint32_t n_entries;
    struct queue_entry *entries; /* [n_entries], in this allocation like all the job's arrays */
};

/** Lay the sequences of `entries` [n >= 1] out as one ragged job, with copies of what they hold. New; free with
 *  flight_destroy. NULL when out of memory. */
struct flight *flight_create(const struct image *image, const struct queue_entry *entries, uint32_t n);
/** Free and set to NULL; NULL is fine. Never while launched. */
void flight_destroy(struct flight **flight);

/** How a launch lies on its boards. */
struct flight_plan {
    struct board *const *pool;
    const uint32_t *boards; /* [n] of the pool; borrowed for the call */
    uint32_t n;
    enum batch_placement placement; /* of more than one: SPLIT, they divide the rows, or TENSOR, the outputs */
};

/** Have the memory that a launch needs. Errors: NO_MEMORY. */
enum status flight_reserve(struct flight *flight, const struct flight_plan *plan);
/** Run layers [flight->layer, until) like this, for which flight_reserve went well; `on_returned` comes from a board's
 *  thread. */
void flight_launch(struct flight *flight, const struct flight_plan *plan, uint32_t until,
                   void (*on_returned)(struct flight *flight, void *cookie), void *cookie);
/** While launched: whether this shard only waits for another board's. */
bool flight_waits(const struct flight *flight, const struct flight_shard *shard);
/** While launched: nobody wants it any more. Its boards leave it as soon as they can. */
void flight_cancel(struct flight *flight);
/** Begin again from the first layer. Not while launched. */
void flight_restart(struct flight *flight);
/** Pool the rows of every sequence whose entry has not ended into its item's `out` and note the times. `now_ns` is when
 *  the boards finished. */
void flight_deliver(struct flight *flight, uint64_t now_ns);

#endif
