/* A simulated fleet: clients, balancers, servers. */
#ifndef TESTS_BENCH_FLEET_FLEET_H
#define TESTS_BENCH_FLEET_FLEET_H

#include "tests/bench/fleet/balancer.h"
#include "tests/bench/fleet/server.h"

struct fleet_options {
    uint32_t n_servers, n_balancers;
    enum balancer_policy policy;
    uint32_t balancer_cores;
    double balancer_ns; /* of a request and its answer */
    struct server_options server;
    uint32_t layers, width; /* of the model, and of a vector */
    uint32_t requests;      /* in all */
    double rate;            /* of requests a second, at random moments; 0: `clients` that ask again at once */
    uint32_t clients;
    uint32_t texts;  /* of a request */
    uint32_t tokens; /* of a text; 0: of many lengths */
    uint64_t time_limit_ns;
    uint64_t seed;
};

/** What came of it, over all but the first fifth of the requests. */
struct fleet_results {
    uint64_t answered, refused;
    uint64_t late;                                            /* of those that are answered: behind their time limit */
    double seconds;                                           /* virtual */
    double texts_per_s, tokens_per_s, sequences;              /* in a batch */
    double p50_ms, p90_ms, p99_ms, mean_ms;                   /* of a request */
    double boards_busy, front_busy, balancer_busy, lock_busy; /* shares; of the busiest server's lock */
    struct server_calls submits, returns;                     /* of all servers */
};

/** Run it. False, having said why, where a text was lost, computed twice or not at all, or an invariant of a scheduler
 *  was broken. */
bool fleet_run(const struct fleet_options *options, struct fleet_results *ret);

#endif
