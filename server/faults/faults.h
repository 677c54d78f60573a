/* Faults on purpose, on emulated boards: for chaos tests, and to see how an installation copes.
 *
 * A schedule is what --fault-file holds; one fault is the body of POST /admin/faults:
 *
 *   {"seed": 7, "faults": [{"board": 0, "kind": "hang", "after_ms": 2000},
 *                          {"board": "any", "kind": "slow", "factor": 8, "for_ms": 500, "random_ms": 3000},
 *                          {"board": 1, "kind": "load", "count": 3, "every_ms": 10000, "times": 5}]}
 *
 * Unknown fields, fields given twice and fields of other kinds of fault are refused.
 */
#ifndef BERTD_FAULTS_FAULTS_H
#define BERTD_FAULTS_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "accel/board.h"
#include "base/status.h"
#include "server/batch/batch.h"

enum { FAULTS_ANY_BOARD = -1, FAULTS_MAX_RULES = 1024 };

/** When a fault happens. */
struct faults_rule {
    struct board_fault fault; /* its seed is drawn each time */
    int32_t board;            /* or FAULTS_ANY_BOARD: another one each time, at random */
    uint64_t after_ns;        /* from the start to the first; with `every_ns` to the first gap */
    uint64_t every_ns;        /* between two; 0: it happens once */
    bool random;              /* gaps are exponentially distributed, `every_ns` is their mean */
    uint32_t times;           /* with `every_ns`: at most so often; 0: no limit */
};

/** Release with faults_schedule_finish. */
struct faults_schedule {
    struct faults_rule *rules; /* [n], owned */
    uint32_t n;
    uint64_t seed;
};

/** Read a schedule for a pool of `n_boards` from `text` [len], borrowed for the call.
 *  Errors: MALFORMED (not JSON, with line and column), VALIDATION (naming the field and what it takes), NO_MEMORY;
 *  `ret` untouched on failure. Thread: any. */
enum status faults_read_schedule(struct faults_schedule *ret, const char *text, size_t len, uint32_t n_boards,
                                 struct error *err);
/** Free what it holds and zero it. */
void faults_schedule_finish(struct faults_schedule *schedule);
/** Read one fault that happens now: {"board": 0, "kind": "hang", ..} with "seed" in place of a time. Else the same. */
enum status faults_read_one(uint32_t *ret_board, struct board_fault *ret, const char *text, size_t len,
                            uint32_t n_boards, struct error *err);

/** When a rule is due next, on clock_now_ns. UINT64_MAX: never again.
 *  done    how often it has happened
 *  now_ns  the start, or when it was last due
 *  random  the state of the schedule's generator, moved on */
uint64_t faults_next(const struct faults_rule *rule, uint32_t done, uint64_t now_ns, uint64_t *random);

/** A thread that injects by a schedule. */
struct faults_runner;

/** Start to inject into the boards of `batch`, which must outlive the runner. The same seed gives the same faults.
 *  ret         new; faults_stop. NULL where the schedule is empty
 *  schedule    copied
 *  on_refused  told without locks, from the runner's thread, why a board refused a rule, which is then given up; may
 *              be NULL. `reason` is borrowed for the call
 *  Errors: NO_MEMORY, INTERNAL (no thread) */
enum status faults_start(struct faults_runner **ret, struct batch *batch, const struct faults_schedule *schedule,
                         void (*on_refused)(void *cookie, const char *reason), void *cookie, struct error *err);
/** Inject no more, end the thread, free. Sets the pointer to NULL; NULL is fine. */
void faults_stop(struct faults_runner **runner);

#endif
