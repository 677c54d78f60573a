/* Faults for emulated boards, as JSON: the schedule of --fault-file, and the body of POST /admin/faults.
 *
 *   {"seed": 7, "faults": [{"board": 0, "kind": "hang", "after_ms": 2000},
 *                          {"board": "any", "kind": "slow", "factor": 8, "for_ms": 500, "random_ms": 3000},
 *                          {"board": 1, "kind": "load", "count": 3, "every_ms": 10000, "times": 5}]}
 *
 * Unknown fields, fields given twice and fields of other kinds of fault are refused. Errors: MALFORMED (not JSON, with
 * line and column), VALIDATION (naming the field and what it takes), NO_MEMORY; `ret` untouched on failure.
 */
#ifndef BERTD_WIRE_FAULTS_H
#define BERTD_WIRE_FAULTS_H

#include "server/batch/faults.h"

/** Release with wire_faults_finish. */
struct wire_faults {
    struct batch_fault_rule *rules; /* [n], owned */
    uint32_t n;
    uint64_t seed;
};

/** The whole schedule, for a pool of `n_boards`. */
enum status wire_faults_read(struct wire_faults *ret, const char *text, size_t len, uint32_t n_boards,
                             struct error *err);
void wire_faults_finish(struct wire_faults *faults);
/** One fault, that happens now: {"board": 0, "kind": "hang", ..} with "seed" in place of a time. */
enum status wire_fault_read(uint32_t *ret_board, struct board_fault *ret, const char *text, size_t len,
                            uint32_t n_boards, struct error *err);

#endif
