/* The boards that do one job's TENSOR tasks together, a *team*: each makes its share of the outputs of every linear
 * layer, reads what the others made, and waits for them some times a layer.
 *
 * Whoever submits the tasks makes the team and gives it memory for what its members exchange. A team breaks when a
 * member cannot go on, or when it is told to; then all leave where they wait next, at once, and its memory is worth
 * nothing. Who is at fault is noted, so that the others are not blamed.
 */
#ifndef BERTD_ACCEL_TEAM_H
#define BERTD_ACCEL_TEAM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum { BOARD_TEAM_MAX = 64, BOARD_TEAM_ALIGN = 64, BOARD_TEAM_NOBODY = -1 };

/** A cache line for each, since all look at it while they wait. */
struct board_team_member {
    _Alignas(BOARD_TEAM_ALIGN) atomic_uint meetings; /* that it has come to */
};

struct board_team {
    uint32_t n;           /* members: 1 to BOARD_TEAM_MAX */
    void *exchange;       /* board_exchange_size bytes, aligned to BOARD_TEAM_ALIGN; laid out by the members */
    atomic_uintptr_t how; /* names how they compute: what they exchange is for no other */
    _Alignas(BOARD_TEAM_ALIGN) atomic_int state;
    int culprit; /* a member, or BOARD_TEAM_NOBODY; like `err` once it is broken */
    struct error err;
    struct board_team_member members[BOARD_TEAM_MAX];
};

/** Begin: before the tasks are submitted, and again for the next. `exchange` is borrowed. Thread: any, while no task
 *  of the team is with a board. */
void board_team_init(struct board_team *team, uint32_t n, void *exchange);
/** Whether all members computed like this so far: `how` is the address of something static. Thread: a member's. */
bool board_team_agrees(struct board_team *team, const void *how);
/** Wait until every member has come as often as this one. What they wrote before is then seen. False: the team is
 *  broken. Thread: the member's. */
bool board_team_meet(struct board_team *team, uint32_t member);
/** Break it, by the fault of `culprit`, as `err` says; the first call counts. Never blocks. Thread: any. */
void board_team_break(struct board_team *team, int culprit, const struct error *err);
/** A member's task ended with `status`, not OK: break the team, by its fault unless it was cancelled. Returns what the
 *  task is to report, with `err`: its own failure where it is at fault, be it that others say so, or where the team was
 *  broken by nobody's fault before; otherwise CANCELLED. Thread: the member's. */
enum status board_team_leave(struct board_team *team, uint32_t member, enum status status, struct error *err);
/** Whether others wait for this member. Thread: any. */
bool board_team_is_late(const struct board_team *team, uint32_t member);

#endif
