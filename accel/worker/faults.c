#include "accel/worker/faults.h"

#include "accel/engine.h"

unsigned worker_faults_flip(enum board_fault_kind kind)
{
    static const unsigned flips[BOARD_FAULTS] = {
        [BOARD_FAULT_ACCUMULATOR] = ENGINE_FLIP_ACCUMULATOR,
        [BOARD_FAULT_WEIGHT] = ENGINE_FLIP_WEIGHT,
        [BOARD_FAULT_ACTIVATION] = ENGINE_FLIP_ACTIVATION,
        [BOARD_FAULT_HIDDEN] = ENGINE_FLIP_HIDDEN,
    };
    return flips[kind];
}

void worker_faults_add(struct worker_faults *faults, const struct board_fault *fault, uint64_t now_ns)
{
    faults->seed ^= fault->seed;
    if (fault->kind == BOARD_FAULT_SLOW) {
        faults->slow_factor = fault->factor;
        faults->slow_until_ns = fault->for_ns < UINT64_MAX - now_ns ? now_ns + fault->for_ns : UINT64_MAX;
        return;
    }
    uint32_t *left = &faults->left[fault->kind], count = fault->count ? fault->count : 1;
    *left = count < UINT32_MAX - *left ? *left + count : UINT32_MAX;
}

static bool take(struct worker_faults *faults, enum board_fault_kind kind)
{
    bool any = faults->left[kind] > 0;
    faults->left[kind] -= any;
    return any;
}

struct worker_hit worker_faults_take(struct worker_faults *faults, uint64_t now_ns)
{
    struct worker_hit hit = {.lost = faults->left[BOARD_FAULT_LOAD] > 0, .slow = 1};
    if (hit.lost)
        return hit;
    hit.hang = take(faults, BOARD_FAULT_HANG);
    hit.fail = !hit.hang && take(faults, BOARD_FAULT_FAIL);
    if (hit.hang || hit.fail)
        return hit;
    hit.damage = take(faults, BOARD_FAULT_IMAGE);
    for (int kind = 0; kind < BOARD_FAULTS; kind++)
        if (worker_faults_flip((enum board_fault_kind)kind) && take(faults, (enum board_fault_kind)kind))
            hit.flips |= worker_faults_flip((enum board_fault_kind)kind);
    hit.seed = faults->seed;
    faults->seed = faults->seed * 6364136223846793005u + 1442695040888963407u;
    hit.slow = now_ns < faults->slow_until_ns ? faults->slow_factor : 1;
    return hit;
}

bool worker_faults_take_load(struct worker_faults *faults)
{
    return take(faults, BOARD_FAULT_LOAD);
}
