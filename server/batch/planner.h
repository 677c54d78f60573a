/* What to do next, as a pure function of a snapshot: no clock, no lock, no memory of its own.
 *
 * Invariants: every action uses boards that are in service, free, hold its layers and are in no other action. What a
 * free board may do does not wait. While twice as many batches are begun as there are boards, no other begins.
 *
 * Rules, in order:
 *  1. Interactive work goes before bulk work, unless bulk is owed a quantum: it waits for at most 8 times its own
 *     service, so it never starves.
 *  2. A batch that has begun goes before one of its class that has not. So batches do not pile up: each board has one,
 *     and beside those only bulk ones are suspended that yielded to interactive ones, and those between the stages of a
 *     pipeline.
 *  3. What waits is shared out: a batch a board, or one batch split over several boards, whichever is predicted to
 *     be finished first.
 *  4. Bulk work runs a layer at a time (more only while that is shorter than a hand-over matters, or where a launch
 * costs much beside a layer, as on a card), so that a board is never further from an interactive request than one bulk
 *     layer.
 *  5. Of several kinds of boards the one goes first that is predicted to be done first, and a board's share of what
 * waits is as its speed. One batch is split over boards of one kind, unless splitting is forced.
 */
#ifndef BERTD_BATCH_PLANNER_H
#define BERTD_BATCH_PLANNER_H

#include <stdbool.h>
#include <stdint.h>

#include "server/batch/bandit.h"
#include "server/batch/batch.h"
#include "server/batch/board_set.h"
#include "server/batch/cost.h"

enum {
    PLANNER_MAX_BOARDS = BOARD_SET_MAX,
    PLANNER_MAX_SPLIT = 64,   /* boards for one batch */
    PLANNER_MAX_FLIGHTS = 64, /* that a plan looks at; it resumes the oldest */
    PLANNER_MAX_ACTIONS = 64, /* of one plan; if there is more to do, the next one does it */
    PLANNER_WINDOW = 256,
    PLANNER_MAX_KINDS = 8, /* of boards */
};
/* Bulk work that waits is owed a quantum once interactive work has had this many times the service of one. */
enum { PLANNER_BULK_WAIT_FACTOR = 8 };

/** The layers that a board has loaded. */
struct planner_board {
    uint32_t layer_begin, layer_end;
};

/** A batch that has begun and is on no board now. */
struct planner_flight {
    enum batch_class class;
    struct cost_load load;
    uint32_t layer;                /* the next to compute */
    const struct board_set *avoid; /* boards that failed it: used only while there is another. NULL: none did */
    uint32_t last_board;
};

/** What of a class waits to begin: the next sequences in the order they would be taken. */
struct planner_queue {
    uint32_t lengths[PLANNER_WINDOW];
    uint32_t n;      /* of them in `lengths` */
    uint64_t tokens; /* of all that waits, the window and behind it */
};

struct planner_snapshot {
    enum batch_placement placement;
    const struct cost_model *cost;      /* of each kind of boards */
    const struct bandit *bandit;        /* likewise */
    const uint8_t *kinds;               /* [n_boards]; NULL: there is one kind */
    uint32_t layers;                    /* of the model */
    uint32_t max_tokens, max_sequences; /* in a batch */
    bool bulk_owed;
    bool moves_rows;    /* to some boards of the pool and back, as to cards */
    double concurrency; /* estimate of the batches in flight at once, by planner_concurrency */
    uint32_t n_boards;
    const struct planner_board *boards; /* [n_boards]; NULL: each has all layers */
    struct board_set usable;            /* in service */
    struct board_set free;              /* of these, on which nothing runs */
    uint32_t n_flights;
    struct planner_flight flights[PLANNER_MAX_FLIGHTS]; /* oldest first */
    struct planner_queue queues[BATCH_CLASSES];
};

struct planner_action {
    bool resume;     /* a flight of the snapshot; else a new batch from the queue of `class` */
    uint32_t flight; /* resume: which */
    enum batch_class class;
    uint32_t n_sequences;               /* new: the next so many of the queue, behind those of earlier actions */
    uint32_t layers;                    /* how many to run before asking again */
    struct bandit_choice choice;        /* how the boards share the batch */
    uint32_t boards[PLANNER_MAX_SPLIT]; /* so many */
};

/** Fill `ret` [max] with what to start now, in order. Every action uses boards that are free and in no other action.
 *  Returns how many; 0 when nothing can start. */
uint32_t planner_plan(const struct planner_snapshot *snapshot, struct planner_action *ret, uint32_t max);

/** Whether there may be more to do than a plan of so many actions saw or could say: then another is to follow it. */
bool planner_was_short(const struct planner_snapshot *snapshot, uint32_t n_actions);

/** The concurrency estimate holds for so long after the pool became idle: clients that have stayed away longer are not
 *  waited for. */
#define PLANNER_ABSENCE_NS 50000000

/** What the concurrency estimate becomes when so many batches are in flight after a plan that began some: at once as
 * many, then slowly fewer; sooner where it was `lone`, one sequence that found nothing else waiting or in flight. */
double planner_concurrency(double concurrency, uint32_t flights, bool lone);

/** Whether every batch gets all boards that are free. */
static inline bool planner_is_shared(enum batch_placement placement)
{
    return placement == BATCH_SPLIT || placement == BATCH_TENSOR;
}

/** The kind of a board. */
static inline uint32_t planner_kind(const uint8_t *kinds, uint32_t board)
{
    return kinds ? kinds[board] : 0;
}

/** How many boards of kind `kind` one of kind `other` is worth, by a batch of a common size. */
double planner_worth(const struct cost_model *cost, const struct bandit *bandit, uint32_t layers, uint32_t kind,
                     uint32_t other);

/** Tokens of a batch of which it can choose the size: so many, or a single sequence that is longer. */
uint32_t planner_batch_tokens(enum batch_class class, uint32_t max_tokens, bool moves_rows);

#endif
