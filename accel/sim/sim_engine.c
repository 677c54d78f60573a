#include "accel/sim/sim_engine.h"

#include "accel/card/card.h"
#include "accel/float_mode.h"
#include "accel/sim/sim_model.h"
#include "base/mem.h"

/* Cycles after which the engine is taken to hang: many times what the largest layer needs. After so many of them it is
 * looked whether anybody still wants the result. */
enum { MAX_CYCLES = 500 * 1000 * 1000, LOOK_CYCLES = 20 * 1000, READ_LATENCY = 60 };

struct sim {
    struct engine base;
    struct card card;
    struct sim_model *model;
};

static void sim_destroy(struct engine *engine)
{
    struct sim *sim = (struct sim *)engine;
    sim_model_destroy(&sim->model);
    mem_free(sim);
}

static enum status sim_create(struct engine **ret, const struct image *image, bool verify, struct error *err)
{
    struct sim *sim = mem_calloc(1, sizeof *sim);
    if (!sim)
        return error_set(err, STATUS_NO_MEMORY, "no memory for a simulated engine");
    enum status status = card_init(&sim->card, image, 0, image->shape.layers, err);
    if (status) {
        mem_free(sim);
        return status;
    }
    sim->base = (struct engine){&sim_engine, image, verify};
    struct sim_model_options options = {
        .memory = sim->card.size, .record = sim->card.record, .read_latency = READ_LATENCY, .seed = 1};
    sim->model = sim_model_create(&options);
    if (!sim->model) {
        sim_destroy(&sim->base);
        return error_set(err, STATUS_NO_MEMORY, "no memory for a simulated card of %llu bytes",
                         (unsigned long long)options.memory);
    }
    card_fill(&sim->card, sim_model_memory(sim->model));
    *ret = &sim->base;
    return STATUS_OK;
}

/* Until the engine is done, or nobody wants it to be. */
static enum status await_done(struct sim *sim, const struct board_job *job, const struct card_span *span,
                              const atomic_bool *stop, struct error *err)
{
    for (uint64_t cycles = 0; cycles < MAX_CYCLES; cycles += LOOK_CYCLES) {
        if (sim_model_run(sim->model, LOOK_CYCLES))
            return STATUS_OK;
        if ((stop && atomic_load(stop)) || atomic_load(&job->cancelled)) {
            sim_model_reset(sim->model);
            return error_set(err, STATUS_CANCELLED, "the job was cancelled");
        }
    }
    sim_model_reset(sim->model);
    return error_set(err, STATUS_BACKEND, "layers %u to %u: the engine did not finish within %d cycles",
                     span->command.layer_begin, span->command.layer_end, MAX_CYCLES);
}

static enum status sim_run_layers(struct engine *engine, const struct board_task *task, const atomic_bool *stop,
                                  struct error *err)
{
    struct sim *sim = (struct sim *)engine;
    void *memory = sim_model_memory(sim->model);
    struct card_span span = {0};
    float_mode_set(); /* for the embedding */
    enum status status = card_next_span(&span, task, err);
    while (!status && span.end) {
        status = card_put_span(&sim->card, memory, task->job, &span, engine->verify, err);
        if (status)
            break;
        sim_model_start(sim->model, sim->card.list, 1);
        status = await_done(sim, task->job, &span, stop, err);
        if (!status)
            status = card_get_span(&sim->card, memory, task->job, &span, err);
        if (!status)
            status = card_next_span(&span, task, err);
    }
    return status;
}

static enum status sim_run(struct engine *engine, const struct board_job *job, enum board_task_kind kind,
                           uint32_t layer, uint32_t row_begin, uint32_t row_end, struct error *err)
{
    const struct board_task task = {.job = (struct board_job *)job,
                                    .kind = kind,
                                    .layer_begin = layer,
                                    .layer_end = layer + 1,
                                    .row_begin = row_begin,
                                    .row_end = row_end};
    return sim_run_layers(engine, &task, NULL, err);
}

const struct engine_ops sim_engine = {.name = "rtl-sim",
                                      .precision = IMAGE_INT8,
                                      .create = sim_create,
                                      .destroy = sim_destroy,
                                      .run = sim_run,
                                      .run_layers = sim_run_layers};
