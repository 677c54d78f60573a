#include "server/batch/health.h"

void health_failed(struct health *health, uint64_t now_ns)
{
    if (health->state == HEALTH_IN_SERVICE) {
        health->quarantined++;
        if (now_ns - health->passed_ns > HEALTH_FORGIVE_NS)
            health->strikes = 0;
    }
    uint64_t wait = 0;
    if (health->strikes > 0) {
        uint32_t doublings = health->strikes - 1 < 16 ? health->strikes - 1 : 16;
        wait = HEALTH_FIRST_WAIT_NS << doublings;
    }
    if (wait > HEALTH_MAX_WAIT_NS)
        wait = HEALTH_MAX_WAIT_NS;
    health->strikes++;
    health->due_ns = now_ns + wait;
    health->urgent_ns = now_ns + (wait < HEALTH_URGENT_WAIT_NS ? wait : HEALTH_URGENT_WAIT_NS);
    health->state = HEALTH_QUARANTINED;
}

uint64_t health_due_ns(const struct health *health, bool urgent)
{
    if (health->state != HEALTH_QUARANTINED)
        return UINT64_MAX;
    return urgent ? health->urgent_ns : health->due_ns;
}

void health_begin_test(struct health *health)
{
    health->state = HEALTH_TESTING;
}

void health_passed(struct health *health, uint64_t now_ns)
{
    health->passed_ns = now_ns;
    health->state = HEALTH_IN_SERVICE;
    health->readmitted++;
}
