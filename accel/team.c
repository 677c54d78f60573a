#include "accel/team.h"

#include <sched.h>
#include <time.h>

#include "base/clock.h"
#include "base/relax.h"

enum { WHOLE, BREAKING, BROKEN };

/* Members come within microseconds of each other. After the first time others may have the core: perhaps the one that
 * is waited for. After the second, one that is slow or hangs is waited for asleep. */
enum { SPINS = 2000, YIELD_NS = 2000000, NAP_NS = 100000 };

void board_team_init(struct board_team *team, uint32_t n, void *exchange)
{
    team->n = n;
    team->exchange = exchange;
    team->culprit = BOARD_TEAM_NOBODY;
    atomic_store(&team->how, 0);
    atomic_store(&team->state, WHOLE);
    for (uint32_t m = 0; m < n; m++)
        atomic_store(&team->members[m].meetings, 0);
}

bool board_team_agrees(struct board_team *team, const void *how)
{
    uintptr_t first = 0;
    return atomic_compare_exchange_strong(&team->how, &first, (uintptr_t)how) || first == (uintptr_t)how;
}

/* What waiting for the `waits`-th time costs whom. `*since_ns` is when it became long. */
static void wait_a_moment(uint32_t waits, uint64_t *since_ns)
{
    if (waits < SPINS) {
        relax();
        return;
    }
    uint64_t now = clock_now_ns();
    if (waits == SPINS)
        *since_ns = now;
    if (now - *since_ns < YIELD_NS)
        sched_yield();
    else
        nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
}

bool board_team_meet(struct board_team *team, uint32_t member)
{
    unsigned mine = atomic_load_explicit(&team->members[member].meetings, memory_order_relaxed) + 1;
    atomic_store_explicit(&team->members[member].meetings, mine, memory_order_release);
    uint64_t since_ns = 0;
    uint32_t waits = 0;
    for (uint32_t m = 0; m < team->n; m++)
        while ((int)(atomic_load_explicit(&team->members[m].meetings, memory_order_acquire) - mine) < 0) {
            if (atomic_load_explicit(&team->state, memory_order_relaxed) != WHOLE)
                return false;
            wait_a_moment(waits, &since_ns);
            waits += waits <= SPINS;
        }
    return atomic_load_explicit(&team->state, memory_order_relaxed) == WHOLE;
}

void board_team_break(struct board_team *team, int culprit, const struct error *err)
{
    int whole = WHOLE;
    if (!atomic_compare_exchange_strong(&team->state, &whole, BREAKING))
        return;
    team->culprit = culprit;
    team->err = *err;
    atomic_store(&team->state, BROKEN);
}

enum status board_team_leave(struct board_team *team, uint32_t member, enum status status, struct error *err)
{
    board_team_break(team, status == STATUS_CANCELLED ? BOARD_TEAM_NOBODY : (int)member, err);
    while (atomic_load(&team->state) != BROKEN)
        sched_yield();
    if (team->culprit == (int)member) {
        *err = team->err;
        return err->status;
    }
    if (team->culprit == BOARD_TEAM_NOBODY && status != STATUS_CANCELLED)
        return status;
    return error_set(err, STATUS_CANCELLED, "the boards that it computed with did not go on: %.200s",
                     team->err.message);
}

bool board_team_is_late(const struct board_team *team, uint32_t member)
{
    unsigned came = atomic_load(&team->members[member].meetings);
    for (uint32_t m = 0; m < team->n; m++)
        if ((int)(atomic_load(&team->members[m].meetings) - came) > 0)
            return true;
    return false;
}
