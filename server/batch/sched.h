/* The scheduler from inside: the state that its layers share. Calls go one way, each layer into those before it:
 *
 *   completion.h       works end
 *   slots.h            boards are in service, or not
 *   flights.h          batches in flight: the only place where a flight changes its state
 *   dispatch.h         the planner's actions carried out
 *   repair.h           a damaged image built again
 *   forecast.h         when a request would be done
 *   timer.h, health_worker.h, scrubber.h    the threads
 *   create.c, submit.c, report.c            what batch.h offers
 *
 * Invariants, whenever the lock is free (sched_broken_invariant looks at them):
 *  1. An item that was submitted and has not ended waits in the queue of its class or is an entry of exactly one flight
 *     that is not ABANDONED. `items_left` of its work counts these items. Only DELIVERING flights have entries of works
 *     that failed.
 *  2. RUNNING: the slots of its shards' boards name the flight, and no others. SUSPENDED and DELIVERING: no slot names
 *     it. ABANDONED: a slot names it where the shard of that board has not come back.
 *  3. The list FLIGHTS_ALL holds all flights, FLIGHTS_SUSPENDED those that are SUSPENDED, both oldest first;
 * `n_flights` and `running_items` count those that are not ABANDONED, and their entries. `usable` is the boards in
 * service, `free` those of them that are given nothing just now. A work is completed once, when its last item has
 * ended; its on_done is called after the lock was released.
 */
#ifndef BERTD_BATCH_SCHED_H
#define BERTD_BATCH_SCHED_H

#include <pthread.h>
#include <stdatomic.h>

#include "server/batch/batch.h"
#include "server/batch/eta.h"
#include "server/batch/flight.h"
#include "server/batch/health.h"
#include "server/batch/planner.h"
#include "server/batch/queue.h"
#include "server/batch/watchdog.h"

/* One board of the pool. */
struct sched_slot {
    struct batch *batch;
    struct flight *flight; /* NULL: free */
    bool probing;          /* its health worker tests it though it serves: it is given nothing */
    struct health health;
    uint64_t used_ns;       /* its last launch or probe */
    uint64_t scrub_ns;      /* its next scrub */
    uint64_t probe_took_ns; /* its last probe */
    uint64_t flights;       /* launches it took part in */
    uint64_t splits;        /* of its launches those over several boards */
    uint64_t faults;        /* injected */
    char last_error[256];
    uint64_t last_error_ns;
    bool announced;         /* BATCH_BOARD_OUT was sent since it went out of service */
    uint64_t announced_ns;  /* when BATCH_TEST_FAILED was last sent */
    uint64_t sampled_ns[2]; /* when `busy_ns` was read; [1] is the newer */
    uint64_t busy_ns[2];    /* how long it had been busy in all */
};

struct batch {
    pthread_mutex_t lock; /* guards everything below, and the scheduler's own members of every work */
    pthread_cond_t quiet; /* sched_is_idle */
    pthread_cond_t wake;  /* for the scheduler's own threads */
    /** Whoever has a board reset, test or scrub its memory, or reads the image, holds it for reading; who repairs the
     *  image, for writing. Never taken with the lock held. */
    pthread_rwlock_t repair;
    struct batch_options options;
    /* What there is to do: */
    struct queue queues[BATCH_CLASSES];
    struct flight *oldest[FLIGHT_LISTS], *newest[FLIGHT_LISTS];
    uint64_t begun_flights; /* ever */
    uint32_t n_flights;     /* not ABANDONED */
    uint32_t running_items; /* entries of flights that are not ABANDONED */
    atomic_bool backlog;    /* see batch_has_backlog; read without the lock, too */
    bool sweep_due;         /* a work failed: its entries are to leave their flights before the lock is released */
    bool closing;
    /* Who does it: */
    struct sched_slot *slots;     /* [n_boards] */
    struct planner_board *loaded; /* [n_boards]; NULL: each has all layers */
    struct board_set usable;      /* boards in service */
    struct board_set free;        /* of these, on which nothing runs, no test either */
    uint32_t n_usable;
    uint64_t none_usable_since_ns;
    uint64_t rebuild_at_ns; /* a damaged image is not built again before; guarded by `repair` */
    /* What the planner is told besides: */
    struct cost_model cost[PLANNER_MAX_KINDS]; /* of each kind of boards */
    struct bandit bandit[PLANNER_MAX_KINDS];   /* likewise */
    uint32_t n_kinds;
    uint8_t *kinds;  /* [n_boards]; NULL: there is one kind */
    bool moves_rows; /* to boards of some kind and back */
    struct pace paces[PLANNER_MAX_BOARDS];
    struct watchdog watchdog;
    double concurrency;               /* estimate of the batches in flight at once, see sched_concurrency */
    uint64_t idle_since_ns;           /* 0: it is not */
    double interactive_ns;            /* served while bulk waited and got nothing */
    double bulk_quantum_ns;           /* predicted for bulk's last launch */
    double belief;                    /* in forecasts, up to 1: less after refusals by which nothing was learnt */
    struct planner_snapshot snapshot; /* scratch of sched_dispatch */
    struct eta_state eta;             /* scratch of sched_forecast_ns */
    /* For metrics: */
    batch_on_dispatch *hook;
    void *hook_cookie;
    uint64_t begun[BATCH_PLACEMENTS][BATCH_CLASSES]; /* flights, by what they got */
    uint64_t scrubs;
    atomic_uint_fast64_t scrub_failures; /* read without the lock, too */
    /* The scheduler's own threads: */
    pthread_t threads[PLANNER_MAX_BOARDS + 2];
    uint32_t n_threads;
    bool stop_threads;
};

static inline uint32_t sched_queued_items(const struct batch *batch)
{
    return (uint32_t)(batch->queues[BATCH_INTERACTIVE].load.items + batch->queues[BATCH_BULK].load.items);
}

/* Nothing waits, nothing is in flight. */
static inline bool sched_is_idle(const struct batch *batch)
{
    return batch->n_flights == 0 && sched_queued_items(batch) == 0;
}

/* What the planner is told of it. */
static inline double sched_concurrency(const struct batch *batch, uint64_t now)
{
    return batch->idle_since_ns && now - batch->idle_since_ns > PLANNER_ABSENCE_NS ? 1 : batch->concurrency;
}

/* The layers that a board has loaded. */
static inline struct planner_board sched_loaded(const struct batch *batch, uint32_t board)
{
    return batch->loaded ? batch->loaded[board] : (struct planner_board){0, batch->options.image->shape.layers};
}

/* So long without any board in service requests wait for one; then they fail, and new ones are refused at once. */
#define SCHED_GRACE_NS 1000000000ull

static inline bool sched_is_dead(const struct batch *batch, uint64_t now_ns)
{
    return batch->n_usable == 0 && now_ns - batch->none_usable_since_ns > SCHED_GRACE_NS;
}

/* Predicted nanoseconds of a launch on boards of which `board` is one. */
static inline double sched_predict(const struct batch *batch, uint32_t board, struct cost_load load, uint32_t layers,
                                   struct bandit_choice choice)
{
    uint32_t kind = planner_kind(batch->kinds, board);
    return bandit_predict(&batch->bandit[kind], &batch->cost[kind], load, layers, choice);
}

/* In a batch. */
static inline uint32_t sched_max_sequences(const struct batch *batch)
{
    uint32_t most = batch->options.max_sequences;
    return most > 0 && most < PLANNER_WINDOW ? most : PLANNER_WINDOW;
}

/** UNHEALTHY: no board serves. */
enum status sched_say_dead(struct error *err);
/** Send an event to whoever listens; without the lock. */
void sched_announce(struct batch *batch, enum batch_event_kind kind, const char *board, const char *words);
/** Wait, the lock let go meanwhile, for a wake-up, the end or a time (UINT64_MAX: never). */
void sched_wait_until(struct batch *batch, uint64_t at_ns);
/** When to look at memory again; UINT64_MAX: never. */
uint64_t sched_next_scrub(const struct batch *batch);

#endif
