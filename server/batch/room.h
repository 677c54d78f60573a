/* The batch room from inside, which these share: batch.c and settle.c (works begin and end), dispatch.c and flights.c
 * (their batches on boards), keeper.c (time), medic.c (boards' health), scrub.c (the image's), report.c, threads.c.
 *
 * Invariants, whenever the lock is free: an item taken from a queue is in exactly one flight; a flight is on boards
 * (each of its slots names it), parted (in `parted`) or abandoned (in `abandoned`); a work is told exactly once, when
 * items_left reaches 0, with the lock released.
 */
#ifndef BERTD_BATCH_ROOM_H
#define BERTD_BATCH_ROOM_H

#include <pthread.h>

#include "server/batch/batch.h"
#include "server/batch/flight.h"
#include "server/batch/health.h"
#include "server/batch/planner.h"
#include "server/batch/queue.h"

/* One board of the pool. */
struct room_slot {
    struct batch *batch;
    struct flight *flight; /* NULL: free */
    bool probing;          /* its medic tests it though it serves: it is given nothing */
    struct health health;
    uint64_t used_ns;  /* its last launch or probe, */
    uint64_t scrub_ns; /* and its next scrub */
    uint64_t probe_took_ns;
    uint32_t layer_begin, layer_end;
    uint64_t flights, splits, faults;
    char last_error[256];
    uint64_t last_error_ns;
    bool announced;        /* out of service: BATCH_BOARD_OUT was told, */
    uint64_t announced_ns; /* and last when BATCH_TEST_FAILED */
    /* Two samples of how long it was busy in all, SAMPLE_NS apart: */
    uint64_t sampled_ns[2], busy_ns[2];
};

struct batch {
    pthread_mutex_t lock; /* guards everything below, and the `room's own` part of every work */
    pthread_cond_t quiet; /* room_is_idle */
    pthread_cond_t wake;  /* for the room's own threads */
    /** Whoever has a board reset, test or scrub its memory, or reads the image, holds it for reading; who repairs the
     *  image, for writing. Never taken with the lock held. */
    pthread_rwlock_t repair;
    struct batch_options options;
    /* What there is to do: */
    struct queue queues[BATCH_CLASSES];
    struct flight *parted;    /* between layers, oldest first */
    struct flight *abandoned; /* given up, until their last part is back */
    uint32_t n_flights;       /* not yet ended, but for the abandoned */
    uint32_t running_items;   /* of these flights */
    bool closing;
    /* Who does it: */
    struct room_slot *slots; /* [n_boards] */
    uint32_t usable;         /* boards in service */
    uint64_t none_usable_since_ns;
    uint64_t rebuild_at_ns; /* a damaged image is not built again before; guarded by `repair` */
    /* What the planner is told besides: */
    struct cost_model cost;
    struct trials trials;
    double crowd;                     /* of planner_crowd */
    double patience;                  /* of watchdog.h */
    uint64_t last_interactive_ns;     /* submitted */
    double interactive_ns;            /* served while bulk waited and got nothing */
    double bulk_turn_ns;              /* what bulk's last turn was */
    struct planner_snapshot snapshot; /* scratch of room_plan */
    /* For metrics: */
    batch_on_dispatch *hook;
    void *hook_cookie;
    uint64_t begun[BATCH_PLACEMENTS][BATCH_CLASSES]; /* flights, by what they got */
    uint64_t scrubs, scrub_failures;
    /* The room's own threads: */
    pthread_t threads[PLANNER_MAX_BOARDS + 2];
    uint32_t n_threads;
    bool stop_threads;
};

static inline uint32_t room_queued_items(const struct batch *batch)
{
    return batch->queues[BATCH_INTERACTIVE].items + batch->queues[BATCH_BULK].items;
}

/* Nothing waits, nothing is in flight. */
static inline bool room_is_idle(const struct batch *batch)
{
    return batch->n_flights == 0 && room_queued_items(batch) == 0;
}

/* So long without any board in service requests wait for one; then they are told, and new ones are refused at once. */
#define ROOM_GRACE_NS 1000000000ull

static inline bool room_is_dead(const struct batch *batch, uint64_t now_ns)
{
    return batch->usable == 0 && now_ns - batch->none_usable_since_ns > ROOM_GRACE_NS;
}

/* Works whose last item was settled under the lock; told after it is released. */
struct room_settled {
    struct batch_work *first;
};

/** Count `n` of a work's items as finished. */
void room_settle(struct room_settled *settled, struct batch_work *work, uint32_t n);
/** Tell them. Call without the lock. */
void room_tell(struct room_settled *settled);
/** The work's first failure is its result; what of it still waits is not computed. */
void room_fail_work(struct batch *batch, struct room_settled *settled, struct batch_work *work, enum status status,
                    const struct error *err);
/** All works that wait or are parted. */
void room_fail_waiting(struct batch *batch, struct room_settled *settled, enum status status, const struct error *err);
/** UNHEALTHY: no board serves. */
enum status room_say_dead(struct error *err);

/** Start what the planner says; call with the lock after anything changed. */
void room_plan(struct batch *batch, struct room_settled *settled);

/* Flights. All with the lock held. */
/** A flight of these entries, counted; NULL after failing their works when there is no memory. */
struct flight *room_new_flight(struct batch *batch, struct room_settled *settled, const struct queue_entry *entries,
                               uint32_t n);
/** Settle all entries of a flight and free it; room_fail_flight gives their works an error first. */
void room_end_flight(struct batch *batch, struct room_settled *settled, struct flight *flight);
void room_fail_flight(struct batch *batch, struct room_settled *settled, struct flight *flight, enum status status,
                      const struct error *err);
/** Into and out of the list of parted flights. */
void room_park(struct batch *batch, struct flight *flight);
void room_unpark(struct batch *batch, struct flight *flight);
/** What flight_launch calls, from a board's thread, without the lock. */
void room_on_parted(struct flight *flight, void *cookie);
/** The flight failed on `board`: compute it again from the first layer, or fail its works. Takes the flight. */
void room_retry(struct batch *batch, struct room_settled *settled, struct flight *flight, uint32_t board,
                const struct error *err);
/** Give up a flight whose board does not answer: quarantine the board, run the flight again elsewhere. */
void room_abandon(struct batch *batch, struct room_settled *settled, struct flight *flight, uint64_t now_ns);
/** Compute it again from the first layer, without counting that as a failure. Takes the flight; and all parted ones. */
void room_restart(struct batch *batch, struct room_settled *settled, struct flight *flight);
void room_restart_parted(struct batch *batch, struct room_settled *settled);
/** A board is out of service until the medic has tested it. What it computes just now will not be trusted. */
void room_quarantine(struct batch *batch, uint32_t board, uint64_t now_ns, const struct error *why);
/** Stop a running flight at the next layer if no work of it is wanted any more; end parted ones that are not. */
void room_cancel_unwanted(struct batch *batch, struct flight *flight);
void room_drop_unwanted(struct batch *batch, struct room_settled *settled);

/** The image in memory seems damaged: unless someone else was first, take all boards out of service and build it again.
 *  Without the lock. Errors: BACKEND, saying what to do. */
enum status room_heal(struct batch *batch, struct error *err);
/** Tell whoever listens. */
void room_announce(struct batch *batch, enum batch_event_kind kind, const char *board, const char *words);
/** Note why a board is not in service; with the lock. */
void room_note_error(struct room_slot *slot, uint64_t now_ns, const struct error *why);
/** Note how busy the boards are, from time to time, and what share of it that was; with the lock. */
void room_sample_boards(struct batch *batch, uint64_t now_ns);
double room_busy_share(const struct room_slot *slot, uint64_t busy_ns, uint64_t now_ns);

/** The threads: the keeper (deadlines, watchdog), the scrubber (the image), a medic for each slot. Errors: INTERNAL. */
enum status room_start_threads(struct batch *batch, struct error *err);
void room_stop_threads(struct batch *batch);
void *room_keeper_main(void *batch);
void *room_scrubber_main(void *batch);
void *room_medic_main(void *slot);
/** Wait, the lock let go meanwhile, for a wake-up, the end or a time (UINT64_MAX: never). */
void room_wait_until(struct batch *batch, uint64_t at_ns);
/** When to look at memory again; UINT64_MAX: never. */
uint64_t room_next_scrub(const struct batch *batch);

#endif
