/* The scheduler from inside, which these share: batch.c and completion.c (works begin and end), dispatch.c and
 * flights.c (their batches on boards), timer.c (time), health_worker.c (boards' health), scrub.c (the image's),
 * report.c, threads.c.
 *
 * Invariants, whenever the lock is free: an item taken from a queue is in exactly one flight; a flight is on boards
 * (each of its slots names it), suspended (in `suspended`) or abandoned (in `abandoned`); a work is completed exactly
 * once, when items_left reaches 0, with the lock released.
 */
#ifndef BERTD_BATCH_SCHED_H
#define BERTD_BATCH_SCHED_H

#include <pthread.h>

#include "server/batch/batch.h"
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
    pthread_mutex_t lock; /* guards everything below, and the `scheduler's own` part of every work */
    pthread_cond_t quiet; /* sched_is_idle */
    pthread_cond_t wake;  /* for the scheduler's own threads */
    /** Whoever has a board reset, test or scrub its memory, or reads the image, holds it for reading; who repairs the
     *  image, for writing. Never taken with the lock held. */
    pthread_rwlock_t repair;
    struct batch_options options;
    /* What there is to do: */
    struct queue queues[BATCH_CLASSES];
    struct flight *suspended; /* between layers, oldest first */
    struct flight *abandoned; /* given up, until their last shard is back */
    uint32_t n_flights;       /* not yet ended, but for the abandoned */
    uint32_t running_items;   /* of these flights */
    bool closing;
    /* Who does it: */
    struct sched_slot *slots; /* [n_boards] */
    uint32_t usable;          /* boards in service */
    uint64_t none_usable_since_ns;
    uint64_t rebuild_at_ns; /* a damaged image is not built again before; guarded by `repair` */
    /* What the planner is told besides: */
    struct cost_model cost;
    struct bandit bandit;
    double concurrency; /* estimate of the batches in flight at once */
    struct watchdog watchdog;
    uint64_t last_interactive_ns;     /* submitted */
    double interactive_ns;            /* served while bulk waited and got nothing */
    double bulk_quantum_ns;           /* predicted for bulk's last launch */
    struct planner_snapshot snapshot; /* scratch of sched_plan */
    /* For metrics: */
    batch_on_dispatch *hook;
    void *hook_cookie;
    uint64_t begun[BATCH_PLACEMENTS][BATCH_CLASSES]; /* flights, by what they got */
    uint64_t scrubs, scrub_failures;
    /* The scheduler's own threads: */
    pthread_t threads[PLANNER_MAX_BOARDS + 2];
    uint32_t n_threads;
    bool stop_threads;
};

static inline uint32_t sched_queued_items(const struct batch *batch)
{
    return batch->queues[BATCH_INTERACTIVE].items + batch->queues[BATCH_BULK].items;
}

/* Nothing waits, nothing is in flight. */
static inline bool sched_is_idle(const struct batch *batch)
{
    return batch->n_flights == 0 && sched_queued_items(batch) == 0;
}

/* So long without any board in service requests wait for one; then they are told, and new ones are refused at once. */
#define SCHED_GRACE_NS 1000000000ull

static inline bool sched_is_dead(const struct batch *batch, uint64_t now_ns)
{
    return batch->usable == 0 && now_ns - batch->none_usable_since_ns > SCHED_GRACE_NS;
}

/* Works whose last item was completed under the lock; their on_done is called after it is released. */
struct sched_completions {
    struct batch_work *first;
};

/** Count `n` of a work's items as finished. */
void sched_complete_items(struct sched_completions *completions, struct batch_work *work, uint32_t n);
/** Call their on_done. Call without the lock. */
void sched_run_completions(struct sched_completions *completions);
/** The work's first failure is its result; what of it still waits is not computed. */
void sched_fail_work(struct batch *batch, struct sched_completions *completions, struct batch_work *work,
                     enum status status, const struct error *err);
/** All works that wait or are suspended. */
void sched_fail_waiting(struct batch *batch, struct sched_completions *completions, enum status status,
                        const struct error *err);
/** UNHEALTHY: no board serves. */
enum status sched_say_dead(struct error *err);

/** Start what the planner says; call with the lock after anything changed. */
void sched_plan(struct batch *batch, struct sched_completions *completions);

/* Flights. All with the lock held. */
/** A flight of these entries, counted; NULL after failing their works when there is no memory. */
struct flight *sched_new_flight(struct batch *batch, struct sched_completions *completions,
                                const struct queue_entry *entries, uint32_t n);
/** Complete all entries of a flight and free it; sched_fail_flight gives their works an error first. */
void sched_end_flight(struct batch *batch, struct sched_completions *completions, struct flight *flight);
void sched_fail_flight(struct batch *batch, struct sched_completions *completions, struct flight *flight,
                       enum status status, const struct error *err);
/** Into and out of the list of suspended flights. */
void sched_suspend(struct batch *batch, struct flight *flight);
void sched_resume(struct batch *batch, struct flight *flight);
/** What flight_launch calls, from a board's thread, without the lock. */
void sched_on_returned(struct flight *flight, void *cookie);
/** The flight failed on `board`: compute it again from the first layer, or fail its works. Takes the flight. */
void sched_retry(struct batch *batch, struct sched_completions *completions, struct flight *flight, uint32_t board,
                 const struct error *err);
/** Give up a flight whose board does not answer: quarantine the board, run the flight again elsewhere. */
void sched_abandon(struct batch *batch, struct sched_completions *completions, struct flight *flight, uint64_t now_ns);
/** Compute it again from the first layer, without counting that as a failure. Takes the flight; and all suspended ones.
 */
void sched_restart(struct batch *batch, struct sched_completions *completions, struct flight *flight);
void sched_restart_suspended(struct batch *batch, struct sched_completions *completions);
/** A board is out of service until the health worker has tested it. What it computes just now will not be trusted. */
void sched_quarantine(struct batch *batch, uint32_t board, uint64_t now_ns, const struct error *why);
/** Stop a running flight at the next layer if no work of it is wanted any more; end suspended ones that are not. */
void sched_cancel_unwanted(struct batch *batch, struct flight *flight);
void sched_drop_unwanted(struct batch *batch, struct sched_completions *completions);

/** The image in memory seems damaged: unless someone else was first, take all boards out of service and build it again.
 *  Without the lock. Errors: BACKEND, saying what to do. */
enum status sched_heal(struct batch *batch, struct error *err);
/** Tell whoever listens. */
void sched_announce(struct batch *batch, enum batch_event_kind kind, const char *board, const char *words);
/** Note why a board is not in service; with the lock. */
void sched_note_error(struct sched_slot *slot, uint64_t now_ns, const struct error *why);
/** Note how busy the boards are, from time to time, and what share of it that was; with the lock. */
void sched_sample_boards(struct batch *batch, uint64_t now_ns);
double sched_busy_share(const struct sched_slot *slot, uint64_t busy_ns, uint64_t now_ns);

/** The threads: the timer (deadlines, watchdog), the scrubber (the image), a health worker for each slot. Errors:
 * INTERNAL. */
enum status sched_start_threads(struct batch *batch, struct error *err);
void sched_stop_threads(struct batch *batch);
void *sched_timer_main(void *batch);
void *sched_scrubber_main(void *batch);
void *sched_health_worker_main(void *slot);
/** Wait, the lock let go meanwhile, for a wake-up, the end or a time (UINT64_MAX: never). */
void sched_wait_until(struct batch *batch, uint64_t at_ns);
/** When to look at memory again; UINT64_MAX: never. */
uint64_t sched_next_scrub(const struct batch *batch);

#endif
