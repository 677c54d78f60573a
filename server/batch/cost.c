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

void cost_fit(struct cost_model *model, const struct cost_sample samples[3])
{
    const struct cost_sample *small = &samples[0], *medium = &samples[1], *large = &samples[2];
    /* Attention's share shows in how the time a row grows from the medium to the long sequence. */
    double rows = (double)large->load.rows / medium->load.rows;
    double pair = (large->layer_ns - rows * medium->layer_ns) / (large->load.pairs - rows * medium->load.pairs);
    model->pair_ns = at_least(pair, 0.01);
    double small_ns = small->layer_ns - model->pair_ns * small->load.pairs;
    double medium_ns = medium->layer_ns - model->pair_ns * medium->load.pairs;
    model->row_ns = at_least((medium_ns - small_ns) / (medium->load.rows - small->load.rows), 1);
    model->layer_ns = at_least(small_ns - model->row_ns * small->load.rows, 100);
    model->scale = 1;
}

double cost_split(const struct cost_model *model, struct cost_load load, uint32_t layers, uint32_t boards)
{
    double work = (model->row_ns * load.rows + model->pair_ns * load.pairs) / boards;
    double layer = model->layer_ns + work + (boards > 1 ? model->barrier_ns : 0);
    return model->scale * (model->task_ns + layer * layers);
}

double cost_whole(const struct cost_model *model, struct cost_load load, uint32_t layers)
{
    return cost_split(model, load, layers, 1);
}

void cost_observe(struct cost_model *model, double predicted_ns, double measured_ns)
{
    if (!(predicted_ns > 0) || !(measured_ns > 0))
        return;
    double ratio = measured_ns / predicted_ns;
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
