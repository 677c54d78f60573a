/* How long a request would take that came now, as a pure function: no clock, no lock, no memory of its own.
 *
 * It plays the planner forward on a virtual clock, from what runs, is suspended and waits, until the request is done.
 * What waits already counts with its mean length. What comes later is not known. Of what waits far ahead only the time
 * counts, so that the work of a prediction is limited however long the queue is. It grows with the square of the
 * boards: of a larger pool every second board stands for two, or every third for three, with their part of what there
 * is to do.
 */
#ifndef BERTD_BATCH_ETA_H
#define BERTD_BATCH_ETA_H

#include <stdint.h>

#include "server/batch/planner.h"
#include "server/batch/queue.h"

enum { ETA_MAX_BOARDS = 64, ETA_MAX_FLIGHTS = 3 * ETA_MAX_BOARDS };

/** A batch that has begun. */
struct eta_flight {
    enum batch_class class;
    struct cost_load load;
    uint32_t layer;                /* the next to compute, when its launch has ended */
    const struct board_set *avoid; /* boards that failed it; NULL: none */
    uint32_t last_board;
    uint64_t boards; /* bit b: it runs on board b; 0: it is suspended */
    double ends_ns;  /* from now until its launch ends; 0 where it is suspended */
    uint32_t own;    /* items of the request in it: 0 to begin with */
};

/** The scheduler at one moment. */
struct eta_state {
    enum batch_placement placement;
    const struct cost_model *cost; /* of each kind of boards */
    const struct bandit *bandit;   /* likewise */
    bool several_kinds;
    uint8_t kinds[ETA_MAX_BOARDS];      /* of each board, where there are several */
    uint32_t layers;                    /* of the model */
    uint32_t max_tokens;                /* in a batch */
    uint32_t max_sequences;             /* in a batch; at most PLANNER_WINDOW */
    bool moves_rows;                    /* to some boards and back */
    double concurrency;                 /* the planner's estimate */
    double interactive_ns;              /* served while bulk work waited and got nothing */
    double bulk_quantum_ns;             /* predicted for bulk's last launch */
    uint32_t n_boards;                  /* at most ETA_MAX_BOARDS */
    uint32_t part;                      /* one of so many: of boards, flights, what waits, and the request's items */
    const struct planner_board *boards; /* [n_boards]; NULL: each has all layers */
    uint64_t usable;                    /* bit b: board b is in service */
    uint32_t n_flights;
    struct eta_flight flights[ETA_MAX_FLIGHTS]; /* oldest first */
    struct queue_load queues[BATCH_CLASSES];    /* waits: of the request's class what goes before its last item */
};

/** Predicted nanoseconds until a request of `class` with `items` [n >= 1] would be done. `state` is used up. */
double eta_predict(struct eta_state *state, enum batch_class class, const struct batch_item *items, uint32_t n);

#endif
