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

/* 1; 2; 3 and 4; 5 to 8; .. */
static uint32_t arm_of(uint32_t boards)
{
    return boards > 1 ? log2_of(boards - 1) + 1 : 0;
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

/* What an arm takes of late over what the cost model says, its scale aside. */
static double ratio_of(const struct bandit_size *size, const struct cost_model *cost, uint32_t arm)
{
    if (size->arms[arm].n >= BANDIT_FIRST)
        return second_best(&size->arms[arm]);
    if (size->arms[0].n >= BANDIT_FIRST)
        return second_best(&size->arms[0]);
    return cost->scale;
}

double bandit_predict(const struct bandit *bandit, const struct cost_model *cost, struct cost_load load,
                      uint32_t layers, uint32_t boards)
{
    double ratio = ratio_of(&bandit->sizes[size_of(load)], cost, arm_of(boards));
    return cost_split(cost, load, layers, boards) / cost->scale * ratio;
}

/* The arms there are, by their boards: powers of two, and all. */
static uint32_t next_arm_boards(uint32_t boards, uint32_t most)
{
    return boards == most ? 0 : 2 * boards < most ? 2 * boards : most;
}

/* What exploring costs more than the best arm: by the margins of error never nothing. */
static double loss_ns(double exploring_ns, double best_ns)
{
    return fmax(exploring_ns - best_ns, LEAST_LOSS * exploring_ns);
}

struct bandit_choice bandit_choose(const struct bandit *bandit, const struct cost_model *cost, struct cost_load load,
                                   uint32_t layers, uint32_t boards)
{
    const struct bandit_size *size = &bandit->sizes[size_of(load)];
    uint32_t most = boards < load.rows ? boards : load.rows, best = 1, oldest = 0;
    if (most <= 1)
        return (struct bandit_choice){.boards = 1};
    double best_ns = BANDIT_SPLIT_GAIN * bandit_predict(bandit, cost, load, layers, 1);
    for (uint32_t n = next_arm_boards(1, most); n; n = next_arm_boards(n, most)) {
        double ns = bandit_predict(bandit, cost, load, layers, n);
        if (ns < best_ns) {
            best = n;
            best_ns = ns;
        }
    }
    for (uint32_t n = 1; n; n = next_arm_boards(n, most))
        if (n != best && (!oldest || size->arms[arm_of(n)].last < size->arms[arm_of(oldest)].last))
            oldest = n;
    const struct bandit_arm *arm = &size->arms[arm_of(oldest)];
    double exploring_ns = bandit_predict(bandit, cost, load, layers, oldest);
    bool due = size->lost_ns + loss_ns(exploring_ns, best_ns) <= BANDIT_SHARE * size->spent_ns;
    bool went_well = arm->n > 0 && exploring_ns * newest(arm) / ratio_of(size, cost, arm_of(oldest)) < best_ns;
    if (due || went_well)
        return (struct bandit_choice){.boards = oldest, .weighed = true, .exploring = true, .best_ns = best_ns};
    return (struct bandit_choice){.boards = best, .weighed = true};
}

void bandit_observe(struct bandit *bandit, const struct cost_model *cost, struct cost_load load, uint32_t layers,
                    struct bandit_choice choice, double measured_ns)
{
    if (!choice.weighed || !(measured_ns > 0))
        return;
    struct bandit_size *size = &bandit->sizes[size_of(load)];
    struct bandit_arm *arm = &size->arms[arm_of(choice.boards)];
    double model_ns = cost_split(cost, load, layers, choice.boards) / cost->scale;
    arm->ratios[arm->n++ % BANDIT_RECENT] = (float)(measured_ns / model_ns);
    arm->last = ++size->launches;
    size->spent_ns += measured_ns;
    if (choice.exploring)
        size->lost_ns += loss_ns(measured_ns, choice.best_ns);
}
