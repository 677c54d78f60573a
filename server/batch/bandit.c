#include "server/batch/bandit.h"

#include <math.h>

#define LEAST_LOSS 0.1

static uint32_t log2_of(uint32_t value)
{
    return value > 1 ? 31 - (uint32_t)__builtin_clz(value) : 0;
}

static uint32_t size_of(struct cost_load load)
{
    uint32_t size = log2_of(load.rows);
    return size < BANDIT_SIZES ? size : BANDIT_SIZES - 1;
}

/* How several boards may share a load. */
static const enum batch_placement sharing[BANDIT_SHARING] = {BATCH_SPLIT, BATCH_TENSOR};

/* Where a placement stands among them; of the whole the first. */
static uint32_t way_of(enum batch_placement placement)
{
    uint32_t way = BANDIT_SHARING - 1;
    while (way > 0 && sharing[way] != placement)
        way--;
    return way;
}

/* The whole; then of each placement 2; 3 and 4; 5 to 8; .. boards. */
static uint32_t arm_of(struct bandit_choice choice)
{
    if (choice.boards <= 1)
        return 0;
    return way_of(choice.placement) * ((BANDIT_ARMS - 1) / BANDIT_SHARING) + log2_of(choice.boards - 1) + 1;
}

/* Boards by powers of two, and all. */
bool bandit_next_arm(const struct bandit *bandit, struct bandit_choice *arm, uint32_t most)
{
    uint32_t way = way_of(arm->placement);
    if (arm->boards < most) {
        arm->placement = sharing[way];
        arm->boards = 2 * arm->boards < most ? 2 * arm->boards : most;
        return true;
    }
    if (most <= 1 || way + 1 == BANDIT_SHARING || (sharing[way + 1] == BATCH_TENSOR && !bandit->teams))
        return false;
    arm->placement = sharing[way + 1];
    arm->boards = 2;
    return true;
}

static float newest(const struct bandit_arm *arm)
{
    return arm->ratios[(arm->n - 1) % BANDIT_RECENT];
}

static float second_best(const struct bandit_arm *arm)
{
    float best = arm->ratios[0], second = arm->ratios[1];
    uint32_t n = arm->n < BANDIT_RECENT ? arm->n : BANDIT_RECENT;
    if (second < best) {
        best = arm->ratios[1];
        second = arm->ratios[0];
    }
    for (uint32_t i = 2; i < n; i++) {
        if (arm->ratios[i] < best) {
            second = best;
            best = arm->ratios[i];
        } else if (arm->ratios[i] < second) {
            second = arm->ratios[i];
        }
    }
    return second;
}

/* Of sizes that are close to `size` the one that knows most of an arm; where none does, `size` itself. */
static uint32_t size_that_knows(const struct bandit *bandit, uint32_t size, uint32_t arm)
{
    uint32_t best = size;
    for (uint32_t near = size ? size - 1 : 0; near <= size + 1 && near < BANDIT_SIZES; near++)
        if (bandit->sizes[near].arms[arm].n > bandit->sizes[best].arms[arm].n)
            best = near;
    return best;
}

/* What an arm takes of late over what the cost model says, its scale aside. */
static double ratio_of(const struct bandit *bandit, uint32_t size, const struct cost_model *cost, uint32_t arm)
{
    if (bandit->sizes[size].arms[arm].n < BANDIT_FIRST)
        size = size_that_knows(bandit, size, arm);
    if (bandit->sizes[size].arms[arm].n >= BANDIT_FIRST)
        return second_best(&bandit->sizes[size].arms[arm]);
    if (bandit->sizes[size].arms[0].n >= BANDIT_FIRST)
        return second_best(&bandit->sizes[size].arms[0]);
    return cost->scale;
}

/* By the cost model, its scale aside. */
static double model_ns(const struct cost_model *cost, struct cost_load load, uint32_t layers,
                       struct bandit_choice choice)
{
    return (choice.placement == BATCH_TENSOR ? cost_team : cost_split)(cost, load, layers, choice.boards) / cost->scale;
}

double bandit_predict(const struct bandit *bandit, const struct cost_model *cost, struct cost_load load,
                      uint32_t layers, struct bandit_choice choice)
{
    double ratio = ratio_of(bandit, size_of(load), cost, arm_of(choice));
    return model_ns(cost, load, layers, choice) * ratio;
}

/* What exploring costs more than the best arm: by the margins of error never nothing. */
static double loss_ns(double exploring_ns, double best_ns)
{
    return fmax(exploring_ns - best_ns, LEAST_LOSS * exploring_ns);
}

static bool same(struct bandit_choice a, struct bandit_choice b)
{
    return a.placement == b.placement && a.boards == b.boards;
}

/* The arm that looks best. */
static struct bandit_choice find_best(const struct bandit *bandit, const struct cost_model *cost, struct cost_load load,
                                      uint32_t layers, uint32_t most, double *ret_ns)
{
    struct bandit_choice best = bandit_whole, arm = bandit_whole;
    *ret_ns = BANDIT_SPLIT_GAIN * bandit_predict(bandit, cost, load, layers, arm);
    while (bandit_next_arm(bandit, &arm, most)) {
        double ns = bandit_predict(bandit, cost, load, layers, arm);
        if (ns < *ret_ns) {
            best = arm;
            *ret_ns = ns;
        }
    }
    return best;
}

/* Of the others the one that was not pulled for the longest time. */
static struct bandit_choice find_oldest(const struct bandit *bandit, const struct bandit_size *size,
                                        struct bandit_choice best, uint32_t most)
{
    struct bandit_choice oldest = best, arm = bandit_whole;
    do {
        uint32_t last = size->arms[arm_of(arm)].last;
        if (!same(arm, best) && (same(oldest, best) || last < size->arms[arm_of(oldest)].last))
            oldest = arm;
    } while (bandit_next_arm(bandit, &arm, most));
    return oldest;
}

struct bandit_choice bandit_choose(const struct bandit *bandit, const struct cost_model *cost, struct cost_load load,
                                   uint32_t layers, uint32_t boards)
{
    const struct bandit_size *size = &bandit->sizes[size_of(load)];
    uint32_t most = boards < load.rows ? boards : load.rows;
    if (most <= 1)
        return bandit_whole;
    double best_ns;
    struct bandit_choice best = find_best(bandit, cost, load, layers, most, &best_ns);
    struct bandit_choice oldest = find_oldest(bandit, size, best, most);
    const struct bandit_arm *arm = &size->arms[arm_of(oldest)];
    double exploring_ns = bandit_predict(bandit, cost, load, layers, oldest);
    bool in_advance = oldest.boards > 1 && arm->n < BANDIT_FIRST;
    double may_lose_ns = BANDIT_SHARE * size->spent_ns + (in_advance ? best_ns : 0);
    bool due = size->lost_ns + loss_ns(exploring_ns, best_ns) <= may_lose_ns;
    bool went_well =
        arm->n > 0 && exploring_ns * newest(arm) / ratio_of(bandit, size_of(load), cost, arm_of(oldest)) < best_ns;
    struct bandit_choice choice = due || went_well ? oldest : best;
    choice.weighed = true;
    choice.exploring = due || went_well;
    choice.best_ns = choice.exploring ? best_ns : 0;
    return choice;
}

void bandit_observe(struct bandit *bandit, const struct cost_model *cost, struct cost_load load, uint32_t layers,
                    struct bandit_choice choice, double measured_ns)
{
    if (!choice.weighed || !(measured_ns > 0))
        return;
    struct bandit_size *size = &bandit->sizes[size_of(load)];
    struct bandit_arm *arm = &size->arms[arm_of(choice)];
    arm->ratios[arm->n++ % BANDIT_RECENT] = (float)(measured_ns / model_ns(cost, load, layers, choice));
    arm->last = ++size->launches;
    size->spent_ns += measured_ns;
    if (choice.exploring)
        size->lost_ns += loss_ns(measured_ns, choice.best_ns);
}
