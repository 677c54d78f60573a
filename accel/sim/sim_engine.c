#include "accel/sim/sim_engine.h"

#include "accel/card/card.h"
#include "accel/float_mode.h"
#include "accel/ref/ref.h"
#include "accel/sim/sim_model.h"
#include "base/mem.h"

/* Cycles after which the engine is taken to hang: many times what the largest layer needs. */
enum { MAX_CYCLES = 500 * 1000 * 1000, READ_LATENCY = 60 };

struct sim {
    struct engine base;
    struct card card;
    struct sim_model *model;
};

static void sim_destroy(struct engine *engine)
{
    struct sim *sim = (struct sim *)engine;
    sim_model_destroy(&sim->model);
    card_finish(&sim->card);
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
    struct sim_model_options options = {.memory = sim->card.size,
                                        .record = sim->card.record,
                                        .read_latency = READ_LATENCY,
                                        .seed = 1};
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

/* What a task asks of one sequence. */
struct span {
    const struct board_job *job;
    enum board_task_kind kind;
    uint32_t layer;
    uint32_t seq, tokens;
    uint32_t first;      /* row of the sequence's token 0 */
    uint32_t begin, end; /* my tokens */
};

static enum status embed(const struct sim *sim, const struct span *span, struct error *err)
{
    const struct board_job *job = span->job;
    for (uint32_t token = span->begin; token < span->end; token++) {
        uint32_t row = span->first + token;
        float *x = job->hidden + (size_t)row * sim->base.image->shape.hidden;
        if (!ref_embed(x, sim->base.image, job->ids[row], token, job->type_ids ? job->type_ids[row] : 0))
            return error_set(err, STATUS_BACKEND, "layer 0, row %u: a value is not finite", row);
    }
    return STATUS_OK;
}

static enum status work(struct sim *sim, const struct span *span, struct error *err)
{
    static const char *const troubles[] = {"nothing", "the command is malformed", "the memory answered with an error",
                                           "a checksum of a product is wrong", "a value is not finite"};
    card_clear_record(&sim->card, sim_model_memory(sim->model));
    sim_model_start(sim->model, sim->card.list, 1);
    if (!sim_model_run(sim->model, MAX_CYCLES)) {
        sim_model_reset(sim->model);
        return error_set(err, STATUS_BACKEND, "layer %u: the engine did not finish within %d cycles", span->layer,
                         MAX_CYCLES);
    }
    struct card_record record = {.status = ACCEL_ENGINE_BUS}; /* what keeps a record from coming */
    card_get_record(&sim->card, sim_model_memory(sim->model), &record);
    uint32_t trouble = record.status;
    if (trouble == ACCEL_ENGINE_OK)
        return STATUS_OK;
    return error_set(err, STATUS_BACKEND, "layer %u, rows %u to %u: %s", span->layer, span->first + span->begin,
                     span->first + span->end,
                     trouble < sizeof troubles / sizeof troubles[0] ? troubles[trouble] : "unknown status");
}

static enum status run_span(struct sim *sim, const struct span *span, struct error *err)
{
    if (span->tokens > CARD_MAX_TOKENS)
        return error_set(err, STATUS_BACKEND, "sequence %u has %u tokens; the engine takes up to %d", span->seq,
                         span->tokens, CARD_MAX_TOKENS);
    enum status status = STATUS_OK;
    if (span->layer == 0 && span->kind != BOARD_FINISH)
        status = embed(sim, span, err);
    if (status)
        return status;
    const struct board_job *job = span->job;
    void *memory = sim_model_memory(sim->model);
    float *rows = job->hidden + (size_t)(span->first + span->begin) * sim->base.image->shape.hidden;
    card_put_rows(&sim->card, memory, rows, span->begin, span->end);
    if (span->kind == BOARD_FINISH)
        card_put_kv(&sim->card, memory, job->kv, span->layer % 2, span->seq, 0, span->tokens);
    struct card_command command = {.kind = span->kind,
                                   .layer = span->layer,
                                   .tokens = span->tokens,
                                   .row_begin = span->begin,
                                   .rows = span->end - span->begin,
                                   .load = true,
                                   .store = span->kind != BOARD_PROJECT};
    card_put_command(&sim->card, memory, 0, &command);
    status = work(sim, span, err);
    if (status)
        return status;
    card_get_rows(&sim->card, memory, rows, span->begin, span->end);
    if (span->kind == BOARD_PROJECT)
        card_get_kv(&sim->card, memory, job->kv, span->layer % 2, span->seq, span->begin, span->end);
    return STATUS_OK;
}

static enum status sim_run(struct engine *engine, const struct board_job *job, enum board_task_kind kind,
                           uint32_t layer, uint32_t row_begin, uint32_t row_end, struct error *err)
{
    enum status status = STATUS_OK;
    float_mode_set(); /* for the embedding */
    for (uint32_t s = 0; s < job->n_seqs && !status; s++) {
        uint32_t first = job->cu_seqlens[s], end = job->cu_seqlens[s + 1];
        uint32_t mine = row_begin > first ? row_begin : first, mine_end = row_end < end ? row_end : end;
        if (mine >= mine_end)
            continue;
        struct span span = {.job = job, .kind = kind, .layer = layer, .seq = s, .tokens = end - first, .first = first};
        span.begin = mine - first;
        span.end = mine_end - first;
        status = run_span((struct sim *)engine, &span, err);
    }
    return status;
}

const struct engine_ops sim_engine = {"rtl-sim", IMAGE_INT8, sim_create, sim_destroy, sim_run, NULL};
