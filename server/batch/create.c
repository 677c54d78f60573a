/* A scheduler's beginning and end. */
#include <string.h>

#include "base/cond.h"
#include "base/mem.h"
#include "server/batch/calibrate.h"
#include "server/batch/dispatch.h"
#include "server/batch/flights.h"
#include "server/batch/slots.h"
#include "server/batch/threads.h"

/* What one work may take of the queue's limit: a part of it, but no less than this. */
enum { QUEUE_PARTS = 4, MIN_SHARE = 32 };

static void free_batch(struct batch *batch)
{
    mem_free(batch->slots);
    mem_free(batch->loaded);
    mem_free(batch->kinds);
    mem_free(batch->options.boards);
    mem_free(batch);
}

/* Every board holds all layers, but in a pipeline, where they share them out. */
static enum status load_boards(struct batch *batch, struct error *err)
{
    uint32_t layers = batch->options.image->shape.layers, n = batch->options.n_boards;
    bool pipeline = batch->options.placement == BATCH_PIPELINE;
    if (pipeline && layers < n)
        return error_set(err, STATUS_USAGE, "a pipeline of %u boards needs as many layers; the model has %u", n,
                         layers);
    if (pipeline && n > ETA_MAX_BOARDS)
        return error_set(err, STATUS_USAGE, "%u boards: a pipeline has at most %d", n, ETA_MAX_BOARDS);
    if (pipeline && !(batch->loaded = mem_calloc(n, sizeof *batch->loaded)))
        return error_set(err, STATUS_NO_MEMORY, "no memory for a pipeline of %u boards", n);
    enum status status = STATUS_OK;
    for (uint32_t b = 0; b < n && status == STATUS_OK; b++) {
        if (pipeline)
            batch->loaded[b] = (struct planner_board){layers * b / n, layers * (b + 1) / n};
        struct planner_board loaded = sched_loaded(batch, b);
        status = board_load(batch->options.boards[b], batch->options.image, loaded.layer_begin, loaded.layer_end, err);
    }
    return status;
}

/* The kind of each board, and what a board of each costs, by its first one. */
static enum status measure_kinds(struct batch *batch, struct error *err)
{
    const char *names[PLANNER_MAX_KINDS];
    uint32_t n = batch->options.n_boards;
    bool any_teams = false;
    batch->kinds = mem_calloc(n, sizeof *batch->kinds);
    if (!batch->kinds)
        return error_set(err, STATUS_NO_MEMORY, "no memory for a pool of %u boards", n);
    for (uint32_t b = 0; b < n; b++) {
        struct board *board = batch->options.boards[b];
        uint32_t kind = 0;
        while (kind < batch->n_kinds && strcmp(names[kind], board_kind(board)) != 0)
            kind++;
        batch->kinds[b] = (uint8_t)kind;
        if (kind < batch->n_kinds)
            continue;
        if (kind == PLANNER_MAX_KINDS)
            return error_set(err, STATUS_USAGE, "boards of more than %d kinds", PLANNER_MAX_KINDS);
        names[batch->n_kinds++] = board_kind(board);
        cost_init(&batch->cost[kind]);
        batch->bandit[kind].teams = board_exchange_size(board, batch->options.image, 1, 2) > 0;
        any_teams |= batch->bandit[kind].teams;
        enum status status =
            calibrate_cost(&batch->cost[kind], batch->options.image, board, sched_loaded(batch, b), err);
        if (status != STATUS_OK)
            return status;
        batch->moves_rows |= batch->cost[kind].move_ns > 0;
    }
    if (batch->options.placement == BATCH_TENSOR && !any_teams)
        return error_set(err, STATUS_USAGE, "placement tensor needs boards that divide a layer's outputs: emu");
    if (batch->n_kinds == 1) {
        mem_free(batch->kinds);
        batch->kinds = NULL;
    }
    return STATUS_OK;
}

/* Where the planner is to choose: what it takes to share a batch, by boards of each kind. */
static enum status measure_sharing(struct batch *batch, struct error *err)
{
    uint32_t n = batch->options.n_boards;
    if (batch->options.placement != BATCH_AUTO)
        return STATUS_OK;
    struct board **boards = mem_calloc(n, sizeof *boards);
    if (!boards)
        return error_set(err, STATUS_NO_MEMORY, "no memory for a pool of %u boards", n);
    enum status status = STATUS_OK;
    for (uint32_t kind = 0; kind < batch->n_kinds && status == STATUS_OK; kind++) {
        uint32_t of_kind = 0;
        for (uint32_t b = 0; b < n; b++)
            if (planner_kind(batch->kinds, b) == kind)
                boards[of_kind++] = batch->options.boards[b];
        if (of_kind > 1)
            status =
                calibrate_sharing(&batch->bandit[kind], &batch->cost[kind], batch->options.image, boards, of_kind, err);
    }
    mem_free(boards);
    return status;
}

enum status batch_create(struct batch **ret, const struct batch_options *options, struct error *err)
{
    if (options->n_boards == 0 || options->n_boards > PLANNER_MAX_BOARDS)
        return error_set(err, STATUS_USAGE, "%u boards: a pool has 1 to %d", options->n_boards, PLANNER_MAX_BOARDS);
    bool whole_only = options->image->precision == IMAGE_FP32;
    if (whole_only && options->placement == BATCH_SPLIT)
        return error_set(err, STATUS_USAGE, "fp32 boards compute whole sequences: placement split needs int8");
    struct batch *batch = mem_calloc(1, sizeof *batch);
    if (!batch)
        return error_set(err, STATUS_NO_MEMORY, "no memory for the scheduler");
    batch->options = *options;
    if (whole_only && options->placement == BATCH_AUTO)
        batch->options.placement = BATCH_REPLICATE;
    batch->options.boards = mem_calloc(options->n_boards, sizeof *options->boards);
    batch->slots = mem_calloc(options->n_boards, sizeof *batch->slots);
    if (!batch->options.boards || !batch->slots) {
        free_batch(batch);
        return error_set(err, STATUS_NO_MEMORY, "no memory for a pool of %u boards", options->n_boards);
    }
    batch->usable = batch->free = board_set_of(options->n_boards);
    for (uint32_t b = 0; b < options->n_boards; b++) {
        batch->options.boards[b] = options->boards[b];
        batch->slots[b].batch = batch;
        sched_slot_changed(batch, b);
    }
    uint32_t limit = options->max_queued_items;
    uint32_t share = limit / QUEUE_PARTS > MIN_SHARE ? limit / QUEUE_PARTS : MIN_SHARE;
    for (int c = 0; c < BATCH_CLASSES; c++)
        queue_init(&batch->queues[c], share < limit ? share : limit);
    batch->bulk_quantum_ns = 1e6;
    batch->belief = 1;
    watchdog_init(&batch->watchdog, options->timeout_scale);
    enum status status = load_boards(batch, err);
    if (status == STATUS_OK)
        status = measure_kinds(batch, err);
    if (status == STATUS_OK)
        status = measure_sharing(batch, err);
    if (status != STATUS_OK) {
        free_batch(batch);
        return status;
    }
    pthread_mutex_init(&batch->lock, NULL);
    pthread_rwlock_init(&batch->repair, NULL);
    pthread_cond_init(&batch->quiet, NULL);
    cond_init(&batch->wake);
    status = sched_start_threads(batch, err);
    if (status != STATUS_OK) {
        free_batch(batch);
        return status;
    }
    image_retain(batch->options.image);
    *ret = batch;
    return STATUS_OK;
}

static void cancel_all(struct batch *batch, struct sched_completions *completions)
{
    struct error err;
    error_set(&err, STATUS_CANCELLED, "the server is shutting down");
    sched_fail_waiting(batch, completions, STATUS_CANCELLED, &err);
    for (struct flight *flight = batch->oldest[FLIGHTS_ALL]; flight; flight = flight->newer[FLIGHTS_ALL])
        if (flight->state == FLIGHT_RUNNING)
            sched_fail_entries(batch, completions, flight, STATUS_CANCELLED, &err);
    sched_dispatch(batch, completions);
}

void batch_destroy(struct batch **ref, bool drain)
{
    struct batch *batch = *ref;
    if (!batch)
        return;
    struct sched_completions completions = {0};
    pthread_mutex_lock(&batch->lock);
    batch->closing = true;
    if (!drain)
        cancel_all(batch, &completions);
    while (!sched_is_idle(batch))
        pthread_cond_wait(&batch->quiet, &batch->lock);
    pthread_mutex_unlock(&batch->lock);
    sched_run_completions(&completions);
    sched_stop_threads(batch);
    for (uint32_t b = 0; b < batch->options.n_boards; b++)
        board_close(&batch->options.boards[b]);
    pthread_mutex_destroy(&batch->lock);
    pthread_rwlock_destroy(&batch->repair);
    pthread_cond_destroy(&batch->quiet);
    pthread_cond_destroy(&batch->wake);
    image_release(&batch->options.image);
    free_batch(batch);
    *ref = NULL;
}
