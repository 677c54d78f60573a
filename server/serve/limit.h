/* A rate that may not be exceeded for long: the generic cell rate algorithm, a token bucket of one number. Private to
 * the room.
 */
#ifndef BERTD_SERVE_LIMIT_H
#define BERTD_SERVE_LIMIT_H

#include <stdatomic.h>
#include <stdint.h>

/** All zeros is no limit. */
struct serve_limit {
    _Atomic double per_second;    /* 0: no limit */
    atomic_uint_fast64_t full_ns; /* when all that was taken has come back, on clock_now_ns */
};

/** What taking came to. */
enum serve_taken {
    SERVE_TAKEN,
    SERVE_TAKE_LATER, /* nothing was taken; it is worth trying after a time */
    SERVE_TAKE_NEVER, /* nothing was taken; it is more than the limit ever gives at once */
};

/** Whole seconds, rounded up: what is there after a wait is there then, too. */
static inline unsigned long long serve_seconds_up(uint64_t ns)
{
    return (ns + 999999999u) / 1000000000u;
}
/** Take `n` at the time `now_ns`. At once there is what comes in `burst_s` seconds, but at least one.
 *  ret_wait_ns  set to the time after which so much would be there, where LATER is returned
 *  Thread: any */
enum serve_taken serve_limit_take(struct serve_limit *limit, uint64_t n, double burst_s, uint64_t now_ns,
                                  uint64_t *ret_wait_ns);

#endif
