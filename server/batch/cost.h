/* How long boards take: a model with few terms, measured at start and corrected as it runs.
 *
 *   one board    scale * (task + move * rows + layers * (layer + row * rows + pair * pairs))
 *   k boards     scale * (task + move * rows + layers * (layer + (row * rows + pair * pairs) / k + barrier))
 *
 *   .. as a team scale * (task + move * rows + layers * ((layer + row * rows + pair * pairs) / k + meetings))
 *
 * `pairs` is the sum of S^2 over the sequences: what attention costs. `barrier` is a hand-over between boards that each
 * have a core of their own: what splitting hopes for. What it takes in truth, bandit.h knows. `move` is what brings a
 * row to a card and back, once a launch.
 *
 * Invariants: every term is > 0 (`move` may be 0) and finite, so more work never looks cheaper; `scale` learns from
 * tasks on one board alone, so that it does not take the blame for what splitting costs.
 */
#ifndef BERTD_BATCH_COST_H
#define BERTD_BATCH_COST_H

#include <stdint.h>

struct cost_model {
    double task_ns;
    double move_ns;
    double layer_ns;
    double row_ns;
    double pair_ns;
    double barrier_ns;
    double scale; /* measured / predicted of late; multiplies everything */
};

struct cost_load {
    uint32_t rows;
    double pairs;
};

/** What one layer of a load took alone on one board. */
struct cost_sample {
    struct cost_load load;
    double layer_ns;
};

/** Guesses for the time before anything was measured. */
void cost_init(struct cost_model *model);
/** Fit to one layer of a short, a medium and a long sequence, measured alone, in this order. */
void cost_fit(struct cost_model *model, const struct cost_sample samples[3]);
/** The guesses in proportion to one such sample: for boards too slow to be measured at length. */
void cost_fit_one(struct cost_model *model, const struct cost_sample *sample);
/** Predicted nanoseconds of `layers` layers on one board, and split over `boards` of them (1: as on one). */
double cost_whole(const struct cost_model *model, struct cost_load load, uint32_t layers);
double cost_split(const struct cost_model *model, struct cost_load load, uint32_t layers, uint32_t boards);
/** .. where the boards divide the outputs of each layer, not the rows: each weight is read once. */
double cost_team(const struct cost_model *model, struct cost_load load, uint32_t layers, uint32_t boards);
/** Predicted nanoseconds of a launch besides its layers. */
double cost_launch(const struct cost_model *model, struct cost_load load);
/** Of so many texts of these rows and pairs in all, each alone, one after another on one board. */
double cost_singly(const struct cost_model *model, uint64_t texts, double rows, double pairs, uint32_t layers);
/** Learn from a finished launch of `layers` layers on one board: move the scale a little, within 1/64 to 64. */
void cost_observe(struct cost_model *model, struct cost_load load, uint32_t layers, double measured_ns);
/** A load with one more sequence. */
struct cost_load cost_add(struct cost_load load, uint32_t tokens);

#endif
