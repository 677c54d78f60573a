/* The fast engine: the bits of docs/numerics.md by whatever kernels this machine has. */
#include "accel/cpu/cpu_engine.h"
#include "accel/cpu/cpu_flags.h"
#include "accel/float_mode.h"
#include "base/mem.h"

static void destroy(struct engine *base)
{
    struct cpu_engine *engine = (struct cpu_engine *)base;
    if (!engine)
        return;
    cpu_sequences_finish(engine);
    cpu_scratch_finish(engine);
    mem_free(engine->fault_panel);
    mem_free(engine);
}

static enum status create(struct engine **ret, const struct image *image, bool verify, struct error *err)
{
    struct cpu_engine *engine = mem_calloc(1, sizeof *engine);
    if (!engine)
        return error_set(err, STATUS_NO_MEMORY, "no memory for an engine");
    engine->base = (struct engine){.ops = &cpu_engine, .image = image, .verify = verify};
    cpu_kernels_init(&engine->kernels, cpu_flags());
    enum status status = cpu_scratch_init(engine, err);
    if (!status)
        status =
            cpu_sequences_reserve(engine, engine->scratch.block_rows, engine->scratch.block_rows / IMAGE_PANEL, err);
    if (status)
        destroy(&engine->base);
    else
        *ret = &engine->base;
    return status;
}

/* A layer over whole sequences: groups of them are projected, then finished, with keys and values kept here. */
static enum status run_sequences(const struct cpu_step *step, uint32_t row_begin, uint32_t row_end)
{
    const struct cpu_kv *kv = &step->engine->sequences.kv;
    for (uint32_t row = row_begin, next; row < row_end; row = next) {
        enum status status = cpu_sequences_begin(step, row, row_end, &next);
        if (!status)
            status = cpu_layer_project(step, kv, true, row, next);
        if (!status)
            status = cpu_layer_finish(step, kv, false, row, next);
        if (status)
            return status;
    }
    return STATUS_OK;
}

static enum status run_kind(const struct cpu_step *step, enum board_task_kind kind, uint32_t row_begin,
                            uint32_t row_end)
{
    const struct board_job *job = step->job;
    const uint32_t layer = step->index;
    if (layer == 0 && kind != BOARD_FINISH) {
        enum status status = cpu_layer_embed(step, row_begin, row_end);
        if (status)
            return status;
    }
    if (kind == BOARD_RUN)
        return run_sequences(step, row_begin, row_end);
    const struct cpu_kv kv = {
        .block_begin = job->kv->block_begin,
        .keys = job->kv->keys[layer % 2],
        .values = job->kv->values[layer % 2],
        .key_scales = job->kv->key_scales[layer % 2],
        .value_scales = job->kv->value_scales[layer % 2],
    };
    if (kind == BOARD_PROJECT)
        return cpu_layer_project(step, &kv, false, row_begin, row_end);
    return cpu_layer_finish(step, &kv, true, row_begin, row_end);
}

static enum status run(struct engine *base, const struct board_job *job, enum board_task_kind kind, uint32_t layer,
                       uint32_t row_begin, uint32_t row_end, struct error *err)
{
    struct cpu_engine *engine = (struct cpu_engine *)base;
    const struct cpu_kernels *kernels = &engine->kernels;
    const struct cpu_step step = {
        .engine = engine,
        .scratch = &engine->scratch,
        .job = job,
        .layer = &base->image->layers[layer],
        .index = layer,
        .verify = base->verify,
        .share = cpu_share_whole(base->image),
        .err = err,
    };
    float_mode_set();
    if (kernels->begin)
        kernels->begin();
    enum status status = run_kind(&step, kind, row_begin, row_end);
    if (kernels->end)
        kernels->end();
    return status;
}

static enum status run_share(struct engine *base, const struct board_task *task, uint32_t layer, struct error *err)
{
    struct cpu_engine *engine = (struct cpu_engine *)base;
    const struct cpu_kernels *kernels = &engine->kernels;
    float_mode_set();
    if (kernels->begin)
        kernels->begin();
    enum status status = cpu_tensor_layer(engine, task, layer, err);
    if (kernels->end)
        kernels->end();
    return status;
}

static bool inject(struct engine *base, unsigned faults, uint64_t seed)
{
    return cpu_faults_arm((struct cpu_engine *)base, faults, seed);
}

const struct engine_ops cpu_engine = {
    .name = "cpu",
    .precision = IMAGE_INT8,
    .create = create,
    .destroy = destroy,
    .run = run,
    .exchange_size = cpu_tensor_exchange_size,
    .run_share = run_share,
    .inject = inject,
};
