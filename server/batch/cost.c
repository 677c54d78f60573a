#include "server/batch/cost.h"

static double at_least(double value, double floor)
{
    return value > floor ? value : floor; /* NaN gives the floor too */
}

void cost_init(struct cost_model *model)
{
    *model = (struct cost_model){
        .task_ns = 2000, .layer_ns = 50000, .row_ns = 20000, .pair_ns = 20, .barrier_ns = 3000, .scale = 1};
}

/* One sequence a sample, so pairs = rows^2 and the three terms are a parabola through the three points. */
void cost_fit(struct cost_model *model, const struct cost_sample samples[3])
{
    const struct cost_sample *s = samples;
    double rows[3] = {s[0].load.rows, s[1].load.rows, s[2].load.rows};
    double lower = (s[1].layer_ns - s[0].layer_ns) / (rows[1] - rows[0]);
    double upper = (s[2].layer_ns - s[1].layer_ns) / (rows[2] - rows[1]);
    model->pair_ns = at_least((upper - lower) / (rows[2] - rows[0]), 0.01);
    model->row_ns = at_least(lower - model->pair_ns * (rows[0] + rows[1]), 1);
    model->layer_ns = at_least(s[0].layer_ns - model->row_ns * rows[0] - model->pair_ns * rows[0] * rows[0], 100);
    model->scale = 1;
}

void cost_fit_one(struct cost_model *model, const struct cost_sample *sample)
{
    cost_init(model);
    double factor = at_least(sample->layer_ns / cost_whole(model, sample->load, 1), 1e-3);
    model->task_ns *= factor;
    model->move_ns *= factor;
    model->layer_ns *= factor;
    model->row_ns *= factor;
    model->pair_ns *= factor;
}

double cost_split(const struct cost_model *model, struct cost_load load, uint32_t layers, uint32_t boards)
{
    double work = (model->row_ns * load.rows + model->pair_ns * load.pairs) / boards;
    double layer = model->layer_ns + work + (boards > 1 ? model->barrier_ns : 0);
    return model->scale * (model->task_ns + model->move_ns * load.rows + layer * layers);
}

/* What the meetings of a layer take: eight of them, some hundreds of nanoseconds each. */
#define MEETINGS_NS 4000

double cost_team(const struct cost_model *model, struct cost_load load, uint32_t layers, uint32_t boards)
{
    double work = model->layer_ns + model->row_ns * load.rows + model->pair_ns * load.pairs;
    double layer = work / boards + (boards > 1 ? MEETINGS_NS : 0);
    return model->scale * (model->task_ns + model->move_ns * load.rows + layer * layers);
}

double cost_whole(const struct cost_model *model, struct cost_load load, uint32_t layers)
{
    return cost_split(model, load, layers, 1);
}

double cost_launch(const struct cost_model *model, struct cost_load load)
{
    return model->scale * (model->task_ns + model->move_ns * load.rows);
}

double cost_singly(const struct cost_model *model, uint64_t texts, double rows, double pairs, uint32_t layers)
{
    double each_ns = model->task_ns + model->layer_ns * layers;
    return model->scale *
           (each_ns * (double)texts + model->move_ns * rows + (model->row_ns * rows + model->pair_ns * pairs) * layers);
}

void cost_observe(struct cost_model *model, struct cost_load load, uint32_t layers, double measured_ns)
{
    if (!(measured_ns > 0))
        return;
    double ratio = measured_ns / cost_whole(model, load, layers);
    ratio = ratio > 4 ? 4 : ratio < 0.25 ? 0.25 : ratio; /* one stall must not turn the plan over */
    double scale = model->scale * (1 + (ratio - 1) / 16);
    model->scale = scale > 64 ? 64 : at_least(scale, 1.0 / 64);
}

struct cost_load cost_add(struct cost_load load, uint32_t tokens)
{
    load.rows += tokens;
    load.pairs += (double)tokens * tokens;
    return load;
}
