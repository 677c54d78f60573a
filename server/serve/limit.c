#include "server/serve/limit.h"

static const double second_ns = 1e9;

enum serve_taken serve_limit_take(struct serve_limit *limit, uint64_t n, double burst_s, uint64_t now_ns,
                                  uint64_t *ret_wait_ns)
{
    double per_second = atomic_load(&limit->per_second);
    if (per_second <= 0)
        return SERVE_TAKEN;
    double one = second_ns / per_second;
    double burst = burst_s * second_ns > one ? burst_s * second_ns : one;
    double cost = (double)n * one;
    if (cost > burst * (1 + 1e-9)) /* the sum of what is exactly the burst may be a little more by rounding */
        return SERVE_TAKE_NEVER;
    uint64_t full = atomic_load(&limit->full_ns);
    for (;;) {
        uint64_t after = (full > now_ns ? full : now_ns) + (uint64_t)cost;
        uint64_t earliest = after - (uint64_t)burst; /* from then on so much is there */
        if (after > (uint64_t)burst && earliest > now_ns) {
            *ret_wait_ns = earliest - now_ns;
            return SERVE_TAKE_LATER;
        }
        if (atomic_compare_exchange_weak(&limit->full_ns, &full, after))
            return SERVE_TAKEN;
    }
}
