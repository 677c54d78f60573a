/* Whether a board may be given work: a state machine without a clock or a lock of its own.
 *
 *   IN_SERVICE --failed--> QUARANTINED --due--> TESTING --passed--> IN_SERVICE
 *                               ^-------------- failed --+
 *
 * Invariants: only IN_SERVICE boards get work; a board that keeps failing waits longer each time, up to
 * HEALTH_MAX_WAIT_NS; one that has served for HEALTH_FORGIVE_NS since it was let back begins again at the shortest
 * wait. Where no board is left that serves, none waits longer than HEALTH_URGENT_WAIT_NS: there is nobody to protect
 * from it.
 */
#ifndef BERTD_BATCH_HEALTH_H
#define BERTD_BATCH_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

enum health_state { HEALTH_IN_SERVICE, HEALTH_QUARANTINED, HEALTH_TESTING };

#define HEALTH_FIRST_WAIT_NS  50000000ull
#define HEALTH_MAX_WAIT_NS    10000000000ull
#define HEALTH_URGENT_WAIT_NS 250000000ull
#define HEALTH_FORGIVE_NS     5000000000ull

struct health {
    enum health_state state;
    uint32_t strikes;     /* failures not yet forgiven */
    uint64_t passed_ns;   /* in service since then */
    uint64_t due_ns;      /* QUARANTINED: when its test is due */
    uint64_t urgent_ns;   /* QUARANTINED: the same where no board serves */
    uint64_t quarantined; /* how often, for metrics */
    uint64_t readmitted;
};

/** The board failed, in service or in its test. The first strike is tested at once. */
void health_failed(struct health *health, uint64_t now_ns);
/** When a board in quarantine should be reset and tested; UINT64_MAX for others. `urgent`: no board serves. */
uint64_t health_due_ns(const struct health *health, bool urgent);
/** A board in quarantine is being tested from now on. */
void health_begin_test(struct health *health);
void health_passed(struct health *health, uint64_t now_ns);

#endif
