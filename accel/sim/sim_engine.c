#include "accel/sim/sim_engine.h"

#include "accel/card/card.h"
#include "accel/float_mode.h"
#include "accel/ref/ref.h"
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

/* A command's work: layers of sequences, or half a layer of a part of one. */
struct span {
    const struct board_job *job;
    struct card_command command;
    uint32_t seq;        /* the first of them */
    uint32_t first;      /* row of its token 0 */
    uint32_t begin, end; /* rows of mine, from `first` on */
    const atomic_bool *stop;
};

static enum status embed(const struct sim *sim, const struct span *span, struct error *err)
{
    const struct board_job *job = span->job;
    uint32_t seq = span->seq;
    for (uint32_t row = span->first + span->begin; row < span->first + span->end; row++) {
        while (row >= job->cu_seqlens[seq + 1])
            seq++;
        float *x = job->hidden + (size_t)row * sim->base.image->shape.hidden;
        uint32_t type = job->type_ids ? job->type_ids[row] : 0;
        if (!ref_embed(x, sim->base.image, job->ids[row], row - job->cu_seqlens[seq], type))
            return error_set(err, STATUS_BACKEND, "layer 0, row %u: a value is not finite", row);
    }
    return STATUS_OK;
}

/* Until the engine is done, or nobody wants it to be. */
static enum status await_done(struct sim *sim, const struct span *span, struct error *err)
{
    for (uint64_t cycles = 0; cycles < MAX_CYCLES; cycles += LOOK_CYCLES) {
        if (sim_model_run(sim->model, LOOK_CYCLES))
            return STATUS_OK;
        if ((span->stop && atomic_load(span->stop)) || atomic_load(&span->job->cancelled)) {
            sim_model_reset(sim->model);
            return error_set(err, STATUS_CANCELLED, "the job was cancelled");
        }
    }
    sim_model_reset(sim->model);
    return error_set(err, STATUS_BACKEND, "layers %u to %u: the engine did not finish within %d cycles",
                     span->command.layer_begin, span->command.layer_end, MAX_CYCLES);
}

static enum status work(struct sim *sim, const struct span *span, struct error *err)
{
    static const char *const troubles[] = {"nothing", "the command is malformed", "the memory answered with an error",
                                           "a checksum of a product is wrong", "a value is not finite"};
    card_put_command(&sim->card, sim_model_memory(sim->model), 0, &span->command);
    card_clear_record(&sim->card, sim_model_memory(sim->model));
    sim_model_start(sim->model, sim->card.list, 1);
    enum status status = await_done(sim, span, err);
    if (status)
        return status;
    struct card_record record = {.status = ACCEL_ENGINE_BUS}; /* what keeps a record from coming */
    card_get_record(&sim->card, sim_model_memory(sim->model), &record);
    uint32_t trouble = record.status;
    if (trouble == ACCEL_ENGINE_OK)
        return STATUS_OK;
    return error_set(err, STATUS_BACKEND, "layer %u, rows %u to %u: %s", span->command.layer_begin + record.layer,
                     span->first + span->begin, span->first + span->end,
                     trouble < sizeof troubles / sizeof troubles[0] ? troubles[trouble] : "unknown status");
}

static enum status run_span(struct sim *sim, const struct span *span, struct error *err)
{
    const struct card_command *command = &span->command;
    enum status status = STATUS_OK;
    if (command->layer_begin == 0 && command->kind != BOARD_FINISH)
        status = embed(sim, span, err);
    if (status)
        return status;
    const struct board_job *job = span->job;
    void *memory = sim_model_memory(sim->model);
    float *rows = job->hidden + (size_t)(span->first + span->begin) * sim->base.image->shape.hidden;
    uint32_t set = command->layer_begin % 2;
    card_put_rows(&sim->card, memory, rows, span->begin, span->end);
    if (command->kind == BOARD_FINISH)
        card_put_kv(&sim->card, memory, job->kv, set, span->seq, 0, command->cu_seqlens[1] - command->cu_seqlens[0]);
    status = work(sim, span, err);
    if (status)
        return status;
    if (command->kind == BOARD_PROJECT)
        card_get_kv(&sim->card, memory, job->kv, set, span->seq, span->begin, span->end);
    else
        card_get_rows(&sim->card, memory, rows, span->begin, span->end);
    return STATUS_OK;
}

static enum status too_long(const struct board_job *job, uint32_t seq, struct error *err)
{
    return error_set(err, STATUS_BACKEND, "sequence %u has %u tokens; the engine takes up to %d", seq,
                     job->cu_seqlens[seq + 1] - job->cu_seqlens[seq], CARD_MAX_TOKENS);
}

static enum status sim_run_layers(struct engine *engine, const struct board_task *task, const atomic_bool *stop,
                                  struct error *err)
{
    const struct board_job *job = task->job;
    enum status status = STATUS_OK;
    float_mode_set(); /* for the embedding */
    uint32_t s = 0;
    while (job->cu_seqlens[s] < task->row_begin)
        s++;
    while (!status && job->cu_seqlens[s] < task->row_end) {
        uint32_t n = card_sequences(job->cu_seqlens, s, job->n_seqs), first = job->cu_seqlens[s];
        while (n > 0 && job->cu_seqlens[s + n] > task->row_end)
            n--;
        if (n == 0)
            return too_long(job, s, err);
        struct span span = {.job = job, .seq = s, .first = first, .end = job->cu_seqlens[s + n] - first, .stop = stop};
        span.command = (struct card_command){.kind = BOARD_RUN,
                                             .layer_begin = task->layer_begin,
                                             .layer_end = task->layer_end,
                                             .cu_seqlens = job->cu_seqlens + s,
                                             .n_seqs = n};
        status = run_span((struct sim *)engine, &span, err);
        s += n;
    }
    return status;
}

/* A part of a sequence. */
static enum status run_part(struct sim *sim, const struct board_task *task, uint32_t seq, struct error *err)
{
    const struct board_job *job = task->job;
    uint32_t first = job->cu_seqlens[seq], end = job->cu_seqlens[seq + 1];
    uint32_t mine = task->row_begin > first ? task->row_begin : first,
             mine_end = task->row_end < end ? task->row_end : end;
    if (mine >= mine_end)
        return STATUS_OK;
    if (end - first > CARD_MAX_TOKENS)
        return too_long(job, seq, err);
    struct span span = {.job = job, .seq = seq, .first = first, .begin = mine - first, .end = mine_end - first};
    span.command = (struct card_command){.kind = task->kind,
                                         .layer_begin = task->layer_begin,
                                         .layer_end = task->layer_end,
                                         .cu_seqlens = job->cu_seqlens + seq,
                                         .n_seqs = 1,
                                         .begin = span.begin,
                                         .end = span.end};
    return run_span(sim, &span, err);
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
    if (kind == BOARD_RUN)
        return sim_run_layers(engine, &task, NULL, err);
    enum status status = STATUS_OK;
    float_mode_set(); /* for the embedding */
    for (uint32_t s = 0; s < job->n_seqs && !status; s++)
        status = run_part((struct sim *)engine, &task, s, err);
    return status;
}

const struct engine_ops sim_engine = {"rtl-sim", IMAGE_INT8, sim_create, sim_destroy, sim_run, sim_run_layers, NULL};
