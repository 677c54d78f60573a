/* Whole or split: which way of running a load that has the pool to itself takes the least time, from what it took of
 * late. A bandit: an arm for each way (on 1, 2, up to 4, up to 8, .. boards) of each size of loads (powers of two of
 * rows).
 *
 * Invariants: of a way's recent launches the second best counts, so neither a stall of the machine nor one lucky run
 * turns a choice over; a way that was tried less than TRIALS_FIRST times counts as what the cost model hopes, so each
 * is tried; from then on trials of ways that do not look best cost at most TRIALS_SHARE of a size's time more than the
 * best would have, but for a trial that went well, which is repeated at once; splitting must win by a margin.
 */
#ifndef BERTD_BATCH_TRIALS_H
#define BERTD_BATCH_TRIALS_H

#include <stdbool.h>
#include <stdint.h>

#include "server/batch/cost.h"

enum { TRIALS_SIZES = 16, TRIALS_WAYS = 7, TRIALS_RECENT = 8, TRIALS_FIRST = 3 };
#define TRIALS_SHARE      0.02
#define TRIALS_SPLIT_GAIN 0.95 /* a split must promise this share of the time without: it has a barrier a layer */

/** One way of running loads of one size: the last launches, each as what it took over what the cost model says. */
struct trials_way {
    float ratios[TRIALS_RECENT];
    uint32_t n;    /* launches ever; the newest is at (n - 1) % TRIALS_RECENT */
    uint32_t last; /* `launches` of the size at the newest */
};

struct trials_size {
    struct trials_way ways[TRIALS_WAYS];
    uint32_t launches;
    double spent_ns, lost_ns; /* in all; of that, by trials */
};

struct trials {
    struct trials_size sizes[TRIALS_SIZES]; /* zeroed: nothing known */
};

struct trials_choice {
    uint32_t boards;
    bool weighed; /* there was a choice: tell trials_observe what it took */
    bool trial;   /* not the best, which would take `best_ns`, but to see how good it is now */
    double best_ns;
};

/** How to run `layers` layers of a load where `boards` (1 to 64) are free. */
struct trials_choice trials_choose(const struct trials *trials, const struct cost_model *cost, struct cost_load load,
                                   uint32_t layers, uint32_t boards);
/** Predicted nanoseconds on so many boards: as of late, or where that was never seen as the cost model says. */
double trials_predict(const struct trials *trials, const struct cost_model *cost, struct cost_load load,
                      uint32_t layers, uint32_t boards);
/** Learn from a finished launch for which a choice was weighed. */
void trials_observe(struct trials *trials, const struct cost_model *cost, struct cost_load load, uint32_t layers,
                    struct trials_choice choice, double measured_ns);

#endif
