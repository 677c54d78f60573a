/* What stands before the servers: it chooses one for each request, as haproxy's `balance` does. Several do not know of
 * each other's requests. */
#ifndef TESTS_BENCH_FLEET_BALANCER_H
#define TESTS_BENCH_FLEET_BALANCER_H

#include "tests/bench/fleet/station.h"

enum balancer_policy { BALANCER_ROUNDROBIN, BALANCER_LEASTCONN, BALANCER_RANDOM2, BALANCER_POLICIES };

struct balancer {
    enum balancer_policy policy;
    struct station station; /* half for a request, half for its answer */
    uint32_t n_servers;
    uint32_t next;     /* of the round */
    uint32_t *in_hand; /* [n_servers]: sent there and not yet answered */
};

extern const char *const balancer_names[BALANCER_POLICIES];

/** `random`: of any quality, for RANDOM2. Counts the request. */
uint32_t balancer_choose(struct balancer *balancer, uint64_t random);

#endif
