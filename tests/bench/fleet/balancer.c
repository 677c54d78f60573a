#include "tests/bench/fleet/balancer.h"

const char *const balancer_names[BALANCER_POLICIES] = {"roundrobin", "leastconn", "random2"};

/* Of those with the least in hand the next in the round. */
static uint32_t least_busy(const struct balancer *balancer)
{
    uint32_t best = balancer->next;
    for (uint32_t i = 1; i < balancer->n_servers; i++) {
        uint32_t s = (balancer->next + i) % balancer->n_servers;
        if (balancer->in_hand[s] < balancer->in_hand[best])
            best = s;
    }
    return best;
}

uint32_t balancer_choose(struct balancer *balancer, uint64_t random)
{
    uint32_t chosen = balancer->next;
    if (balancer->policy == BALANCER_LEASTCONN)
        chosen = least_busy(balancer);
    if (balancer->policy == BALANCER_RANDOM2) {
        uint32_t one = (uint32_t)(random >> 32) % balancer->n_servers, other = (uint32_t)random % balancer->n_servers;
        chosen = balancer->in_hand[one] < balancer->in_hand[other] ? one : other;
    }
    if (balancer->policy != BALANCER_RANDOM2)
        balancer->next = (chosen + 1) % balancer->n_servers;
    balancer->in_hand[chosen]++;
    return chosen;
}
