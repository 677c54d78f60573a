/* What is still to go wrong on a worker: counters that its tasks and loads use up. The board's lock guards
 * it. Private to the folder. */
#ifndef BERTD_ACCEL_WORKER_FAULTS_H
#define BERTD_ACCEL_WORKER_FAULTS_H

#include "accel/board.h"

struct worker_faults {
    uint32_t left[BOARD_FAULTS]; /* tasks (LOAD: loads) still to be hit */
    uint64_t seed;
    double slow_factor;
    uint64_t slow_until_ns;
};

/** What hits one task. */
struct worker_hit {
    bool lost; /* the board has no image */
    bool hang;
    bool fail;
    bool damage;    /* first flip a bit of the board's image */
    unsigned flips; /* for engine_inject */
    uint64_t seed;
    double slow; /* how many times as long; 1: as it is */
};

/** Note a fault that board_inject has checked. */
void worker_faults_add(struct worker_faults *faults, const struct board_fault *fault, uint64_t now_ns);
struct worker_hit worker_faults_take(struct worker_faults *faults, uint64_t now_ns);
/** True where the load that is going on must fail. */
bool worker_faults_take_load(struct worker_faults *faults);
/** The flips (a mask of enum engine_fault) that a kind of fault is; 0: none. */
unsigned worker_faults_flip(enum board_fault_kind kind);

#endif
