#include "accel/worker/awake.h"

uint64_t worker_awake_limit(const struct worker_awake *awake, bool in_split)
{
    if (in_split)
        return AWAKE_SPLIT_NS;
    if (awake->gap_ns >= AWAKE_SOON_NS)
        return AWAKE_NS;
    uint64_t soon = 2 * awake->gap_ns < AWAKE_SOON_NS ? 2 * awake->gap_ns : AWAKE_SOON_NS;
    return soon > AWAKE_NS && soon <= awake->credit_ns ? soon : AWAKE_NS;
}

void worker_awake_waited(struct worker_awake *awake, uint64_t ns, bool in_split)
{
    if (!in_split)
        awake->credit_ns -= ns < awake->credit_ns ? ns : awake->credit_ns;
}

void worker_awake_computed(struct worker_awake *awake, uint64_t ns)
{
    uint64_t room = AWAKE_MOST_CREDIT_NS - awake->credit_ns;
    awake->credit_ns += ns / 2 < room ? ns / 2 : room;
}
