/* Faults on emulated boards by a schedule: for chaos tests, and to see how an installation copes. */
#ifndef BERTD_BATCH_FAULTS_H
#define BERTD_BATCH_FAULTS_H

#include "server/batch/batch.h"

struct batch_faults;

enum { BATCH_ANY_BOARD = -1, BATCH_MAX_FAULT_RULES = 1024 };

/** When a fault happens. */
struct batch_fault_rule {
    struct board_fault fault; /* its seed is drawn each time */
    int32_t board;            /* or BATCH_ANY_BOARD: another one each time, at random */
    uint64_t after_ns;        /* first at that time from the start; with `every_ns` so long before the first gap */
    uint64_t every_ns;        /* 0: once; else the time between two, .. */
    bool random;              /* .. on average: exponentially distributed */
    uint32_t times;           /* with `every_ns`: at most so often; 0: no limit */
};

/** From when it is due, or after it has happened at `now_ns`, to when it is due next. UINT64_MAX: never again.
 *  `done` is how often it has happened, `random` the state of the schedule's generator. */
uint64_t batch_fault_next(const struct batch_fault_rule *rule, uint32_t done, uint64_t now_ns, uint64_t *random);

/** Start a thread that injects by `rules` [n] (copied) from now on; end it with batch_faults_stop, before
 *  batch_destroy. A rule whose board refuses is told as BATCH_FAULT_REFUSED and given up. The same seed gives the same
 *  schedule. Errors: NO_MEMORY, INTERNAL. */
enum status batch_faults_start(struct batch_faults **ret, struct batch *batch, const struct batch_fault_rule *rules,
                               uint32_t n, uint64_t seed, struct error *err);
/** Sets the pointer to NULL; NULL is fine. */
void batch_faults_stop(struct batch_faults **faults);

#endif
