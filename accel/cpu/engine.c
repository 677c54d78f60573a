/* The fast engine: the bits of docs/numerics.md by whatever kernels this machine has. */
#include <string.h>

#include "accel/cpu/cpu_engine.h"
#include "accel/cpu/cpu_flags.h"
#include "accel/float_mode.h"
#include "base/mem.h"

enum {
    GROUP_ROWS = 128,  /* of sequences that RUN takes together */
    GROUP_BLOCKS = 64, /* that those sequences may have */
};

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
        status = cpu_sequences_reserve(engine, GROUP_ROWS, GROUP_ROWS / IMAGE_PANEL, err);
    if (status)
        destroy(&engine->base);
    else
        *ret = &engine->base;
    return status;
}

static size_t blocks_of(const struct board_job *job, uint32_t seq)
{
    return (job->cu_seqlens[seq + 1] - job->cu_seqlens[seq] + IMAGE_PANEL - 1) / IMAGE_PANEL;
}

/* The sequences from `seq` on that go together: as many as fit the limits, but at least one. Returns the last plus
 * one. */
static uint32_t group_end(const struct board_job *job, uint32_t seq, uint32_t row_end, size_t *ret_blocks)
{
    const uint32_t begin = job->cu_seqlens[seq];
    *ret_blocks = blocks_of(job, seq);
    for (seq++; job->cu_seqlens[seq] < row_end; seq++) {
        size_t blocks = *ret_blocks + blocks_of(job, seq);
        if (job->cu_seqlens[seq + 1] - begin > GROUP_ROWS || blocks > GROUP_BLOCKS)
            break;
        *ret_blocks = blocks;
    }
    return seq;
}

/* A layer over whole sequences: groups of them are projected, then finished, with keys and values kept here. */
static enum status run_sequences(const struct cpu_step *step, uint32_t row_begin, uint32_t row_end)
{
    const struct board_job *job = step->job;
    struct cpu_engine *engine = step->engine;
    for (uint32_t row = row_begin, next; row < row_end; row = next) {
        size_t blocks;
        uint32_t seq = cpu_segment_at(job, row, row_end).seq, end = group_end(job, seq, row_end, &blocks);
        next = job->cu_seqlens[end];
        enum status status = cpu_sequences_reserve(engine, next - row, blocks, step->err);
        if (status)
            return status;
        struct cpu_kv *kv = &engine->sequences.kv;
        kv->first_seq = seq;
        engine->sequences.block_begin[0] = 0;
        for (uint32_t s = seq; s < end; s++)
            engine->sequences.block_begin[s - seq + 1] =
                engine->sequences.block_begin[s - seq] + (uint32_t)blocks_of(job, s);
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
    const struct cpu_step step = {engine, job, &base->image->layers[layer], layer, base->verify, err};
    float_mode_set();
    if (kernels->begin)
        kernels->begin();
    enum status status = run_kind(&step, kind, row_begin, row_end);
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
    .inject = inject,
};
