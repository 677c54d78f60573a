#include "server/batch/trials.h"

#include <math.h>

#define LEAST_LOSS 0.1

static uint32_t log2_of(uint32_t value)
{
    return value > 1 ? 31 - (uint32_t)__builtin_clz(value) : 0;
}

static uint32_t size_of(struct cost_load load)
{
    uint32_t size = log2_of(load.rows);
    return size < TRIALS_SIZES ? size : TRIALS_SIZES - 1;
}

/* 1; 2; 3 and 4; 5 to 8; .. */
static uint32_t way_of(uint32_t boards)
{
    return boards > 1 ? log2_of(boards - 1) + 1 : 0;
}

static float newest(const struct trials_way *way)
{
    return way->ratios[(way->n - 1) % TRIALS_RECENT];
}

static float second_best(const struct trials_way *way)
{
    float best = way->ratios[0], second = way->ratios[1];
    uint32_t n = way->n < TRIALS_RECENT ? way->n : TRIALS_RECENT;
    if (second < best) {
        best = way->ratios[1];
        second = way->ratios[0];
    }
    for (uint32_t i = 2; i < n; i++) {
        if (way->ratios[i] < best) {
            second = best;
            best = way->ratios[i];
        } else if (way->ratios[i] < second) {
            second = way->ratios[i];
        }
    }
    return second;
}

/* What a way takes of late over what the cost model says, its scale aside. */
static double ratio_of(const struct trials_size *size, const struct cost_model *cost, uint32_t way)
{
    if (size->ways[way].n >= TRIALS_FIRST)
        return second_best(&size->ways[way]);
    if (size->ways[0].n >= TRIALS_FIRST)
        return second_best(&size->ways[0]);
    return cost->scale;
}

double trials_predict(const struct trials *trials, const struct cost_model *cost, struct cost_load load,
                      uint32_t layers, uint32_t boards)
{
    double ratio = ratio_of(&trials->sizes[size_of(load)], cost, way_of(boards));
    return cost_split(cost, load, layers, boards) / cost->scale * ratio;
}

/* The ways there are: powers of two, and all. */
static uint32_t next_way(uint32_t boards, uint32_t most)
{
    return boards == most ? 0 : 2 * boards < most ? 2 * boards : most;
}

/* What a trial costs more than the best way: by the margins of error never nothing. */
static double loss_ns(double trial_ns, double best_ns)
{
    return fmax(trial_ns - best_ns, LEAST_LOSS * trial_ns);
}

struct trials_choice trials_choose(const struct trials *trials, const struct cost_model *cost, struct cost_load load,
                                   uint32_t layers, uint32_t boards)
{
    const struct trials_size *size = &trials->sizes[size_of(load)];
    uint32_t most = boards < load.rows ? boards : load.rows, best = 1, oldest = 0;
    if (most <= 1)
        return (struct trials_choice){.boards = 1};
    double best_ns = TRIALS_SPLIT_GAIN * trials_predict(trials, cost, load, layers, 1);
    for (uint32_t n = next_way(1, most); n; n = next_way(n, most)) {
        double ns = trials_predict(trials, cost, load, layers, n);
        if (ns < best_ns) {
            best = n;
            best_ns = ns;
        }
    }
    for (uint32_t n = 1; n; n = next_way(n, most))
        if (n != best && (!oldest || size->ways[way_of(n)].last < size->ways[way_of(oldest)].last))
            oldest = n;
    const struct trials_way *way = &size->ways[way_of(oldest)];
    double trial_ns = trials_predict(trials, cost, load, layers, oldest);
    bool due = size->lost_ns + loss_ns(trial_ns, best_ns) <= TRIALS_SHARE * size->spent_ns;
    bool went_well = way->n > 0 && trial_ns * newest(way) / ratio_of(size, cost, way_of(oldest)) < best_ns;
    if (due || went_well)
        return (struct trials_choice){.boards = oldest, .weighed = true, .trial = true, .best_ns = best_ns};
    return (struct trials_choice){.boards = best, .weighed = true};
}

void trials_observe(struct trials *trials, const struct cost_model *cost, struct cost_load load, uint32_t layers,
                    struct trials_choice choice, double measured_ns)
{
    if (!choice.weighed || !(measured_ns > 0))
        return;
    struct trials_size *size = &trials->sizes[size_of(load)];
    struct trials_way *way = &size->ways[way_of(choice.boards)];
    double model_ns = cost_split(cost, load, layers, choice.boards) / cost->scale;
    way->ratios[way->n++ % TRIALS_RECENT] = (float)(measured_ns / model_ns);
    way->last = ++size->launches;
    size->spent_ns += measured_ns;
    if (choice.trial)
        size->lost_ns += loss_ns(measured_ns, choice.best_ns);
}
