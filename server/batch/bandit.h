/* Whole or shared: a bandit that learns how a load that has the pool to itself is done soonest, from what it took of
 * late. An arm is a placement and a number of boards: the whole load on one, or shared by one of the placements of
 * bandit.c over 2, up to 4, up to 8, ..; and that for each size of loads (powers of two of rows).
 *
 * Invariants: of an arm's recent launches the second best counts, so neither a stall of the machine nor one lucky run
 * turns a choice over. An arm that was pulled less than BANDIT_FIRST times counts as for loads half or twice as large,
 * or else as what the cost model hopes, so each is pulled. Exploring arms that do not look best costs at most
 * BANDIT_SHARE of a size's time more than the best would have; but an arm that went well is pulled again at once, and
 * arms that were hardly pulled may cost in advance what one launch of the best takes where they share, since of that a
 * cost model knows least. Sharing must win by a margin.
 */
#ifndef BERTD_BATCH_BANDIT_H
#define BERTD_BATCH_BANDIT_H

#include <stdbool.h>
#include <stdint.h>

#include "server/batch/batch.h"
#include "server/batch/cost.h"

/* Arms: the whole, and of each placement that shares those of up to 64 boards. */
enum { BANDIT_SHARING = 2, BANDIT_ARMS = 1 + 6 * BANDIT_SHARING };
enum { BANDIT_SIZES = 16, BANDIT_RECENT = 8, BANDIT_FIRST = 3 };
#define BANDIT_SHARE      0.02
#define BANDIT_SPLIT_GAIN 0.95 /* sharing must promise this share of the time without: it has a barrier a layer */

/** One arm for loads of one size: its last launches, each as what it took over what the cost model says. */
struct bandit_arm {
    float ratios[BANDIT_RECENT];
    uint32_t n;    /* launches ever; the newest is at (n - 1) % BANDIT_RECENT */
    uint32_t last; /* `launches` of the size at the newest */
};

struct bandit_size {
    struct bandit_arm arms[BANDIT_ARMS];
    uint32_t launches;
    double spent_ns; /* by all launches */
    double lost_ns;  /* of that, by exploring, over what the best arm would have taken */
};

struct bandit {
    bool teams;                             /* TENSOR is among the ways to share; set by whoever knows the boards */
    struct bandit_size sizes[BANDIT_SIZES]; /* zeroed: nothing known */
};

struct bandit_choice {
    enum batch_placement placement; /* REPLICATE: whole, on one board */
    uint32_t boards;
    bool weighed;   /* there was a choice: tell bandit_observe what it took */
    bool exploring; /* not the arm that looks best, but to see how good it is now */
    double best_ns; /* exploring: predicted for the arm that looks best */
};

static const struct bandit_choice bandit_whole = {.placement = BATCH_REPLICATE, .boards = 1};

/** The arm behind `arm` where `most` boards are free, beginning with bandit_whole; false: it is the last. */
bool bandit_next_arm(const struct bandit *bandit, struct bandit_choice *arm, uint32_t most);
/** How to run `layers` layers of a load where `boards` (1 to 64) are free. */
struct bandit_choice bandit_choose(const struct bandit *bandit, const struct cost_model *cost, struct cost_load load,
                                   uint32_t layers, uint32_t boards);
/** Predicted nanoseconds of a placement on so many boards: as of late, or where that was never seen as the cost model
 *  says. */
double bandit_predict(const struct bandit *bandit, const struct cost_model *cost, struct cost_load load,
                      uint32_t layers, struct bandit_choice choice);
/** Learn from a finished launch for which a choice was weighed. */
void bandit_observe(struct bandit *bandit, const struct cost_model *cost, struct cost_load load, uint32_t layers,
                    struct bandit_choice choice, double measured_ns);

#endif
