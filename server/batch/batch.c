#include "server/batch/batch.h"

#include "base/clock.h"
#include "base/cond.h"
#include "base/mem.h"
#include "server/batch/calibrate.h"
#include "server/batch/sched.h"

enum { BULK_ITEMS = 8, BULK_TOKENS = 2048 };
/* What one work may take of the queue's limit: a part of it, but no less than this. */
enum { QUEUE_PARTS = 4, MIN_SHARE = 32 };

enum batch_class batch_class_of(uint32_t n_items, uint64_t tokens)
{
    return n_items >= BULK_ITEMS || tokens >= BULK_TOKENS ? BATCH_BULK : BATCH_INTERACTIVE;
}

/* What a new work of this class must wait for, roughly: rows only. */
static struct cost_load load_ahead(const struct batch *batch, enum batch_class class)
{
    struct cost_load ahead = {.rows = (uint32_t)batch->queues[BATCH_INTERACTIVE].tokens};
    if (class == BATCH_BULK)
        ahead.rows += (uint32_t)batch->queues[BATCH_BULK].tokens;
    return ahead;
}

static double predict_eta_ns(const struct batch *batch, const struct batch_work *work)
{
    struct cost_load load = {0};
    for (uint32_t i = 0; i < work->n_items; i++)
        load = cost_add(load, work->items[i].n_tokens);
    return planner_eta(&batch->cost, batch->options.image->shape.layers, load, load_ahead(batch, work->class),
                       batch->usable);
}

static enum status admit(struct batch *batch, const struct batch_work *work, struct error *err)
{
    if (batch->closing)
        return error_set(err, STATUS_UNHEALTHY, "the server is shutting down");
    if (sched_is_dead(batch, clock_now_ns()))
        return sched_say_dead(err);
    uint32_t taken = batch->queues[BATCH_INTERACTIVE].space + batch->queues[BATCH_BULK].space;
    if (queue_space(&batch->queues[work->class], work->n_items) > batch->options.max_queued_items - taken)
        return error_set(err, STATUS_OVERLOADED, "%u texts are waiting and the limit is %u: try again later",
                         sched_queued_items(batch), batch->options.max_queued_items);
    if (work->deadline_ns) {
        uint64_t now = clock_now_ns();
        double left = work->deadline_ns > now ? (double)(work->deadline_ns - now) : 0;
        double need = predict_eta_ns(batch, work);
        if (need > left)
            return error_set(err, STATUS_TIMEOUT, "about %.0f ms are needed and %.0f ms are left of the time limit",
                             need / 1e6, left / 1e6);
    }
    return STATUS_OK;
}

enum status batch_submit(struct batch *batch, struct batch_work *work, struct error *err)
{
    struct sched_completions completions = {0};
    pthread_mutex_lock(&batch->lock);
    enum status status = admit(batch, work, err);
    if (status == STATUS_OK) {
        work->submitted_ns = clock_now_ns();
        work->items_left = work->n_items;
        work->status = STATUS_OK;
        work->err = (struct error){0};
        queue_push(&batch->queues[work->class], work);
        if (work->class == BATCH_INTERACTIVE)
            batch->last_interactive_ns = work->submitted_ns;
        sched_plan(batch, &completions);
    }
    pthread_mutex_unlock(&batch->lock);
    sched_run_completions(&completions);
    return status;
}

static bool waits(const struct batch *batch, const struct batch_work *work)
{
    for (int c = 0; c < BATCH_CLASSES; c++)
        for (struct batch_work *w = queue_first(&batch->queues[c]); w; w = queue_after(&batch->queues[c], w))
            if (w == work)
                return true;
    return false;
}

static bool has_work(const struct flight *flight, const struct batch_work *work)
{
    for (uint32_t i = 0; i < flight->n_entries; i++)
        if (flight->entries[i].work == work)
            return true;
    return false;
}

static bool in_flight(const struct batch *batch, const struct batch_work *work)
{
    for (uint32_t b = 0; b < batch->options.n_boards; b++)
        if (batch->slots[b].flight && !batch->slots[b].flight->abandoned && has_work(batch->slots[b].flight, work))
            return true;
    for (const struct flight *flight = batch->suspended; flight; flight = flight->next)
        if (has_work(flight, work))
            return true;
    return false;
}

void batch_cancel(struct batch *batch, struct batch_work *work)
{
    struct sched_completions completions = {0};
    struct error err;
    error_set(&err, STATUS_CANCELLED, "the client has gone");
    pthread_mutex_lock(&batch->lock);
    if (waits(batch, work) || in_flight(batch, work)) {
        sched_fail_work(batch, &completions, work, STATUS_CANCELLED, &err);
        for (uint32_t b = 0; b < batch->options.n_boards; b++)
            if (batch->slots[b].flight)
                sched_cancel_unwanted(batch, batch->slots[b].flight);
        sched_plan(batch, &completions);
    }
    pthread_mutex_unlock(&batch->lock);
    sched_run_completions(&completions);
}

void batch_set_on_dispatch(struct batch *batch, batch_on_dispatch *hook, void *cookie)
{
    pthread_mutex_lock(&batch->lock);
    batch->hook = hook;
    batch->hook_cookie = cookie;
    pthread_mutex_unlock(&batch->lock);
}

static void free_batch(struct batch *batch)
{
    mem_free(batch->slots);
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
    enum status status = STATUS_OK;
    for (uint32_t b = 0; b < n && status == STATUS_OK; b++) {
        struct sched_slot *slot = &batch->slots[b];
        slot->layer_begin = pipeline ? layers * b / n : 0;
        slot->layer_end = pipeline ? layers * (b + 1) / n : layers;
        status = board_load(batch->options.boards[b], batch->options.image, slot->layer_begin, slot->layer_end, err);
    }
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
    for (uint32_t b = 0; b < options->n_boards; b++) {
        batch->options.boards[b] = options->boards[b];
        batch->slots[b].batch = batch;
    }
    uint32_t limit = options->max_queued_items;
    uint32_t share = limit / QUEUE_PARTS > MIN_SHARE ? limit / QUEUE_PARTS : MIN_SHARE;
    for (int c = 0; c < BATCH_CLASSES; c++)
        queue_init(&batch->queues[c], share < limit ? share : limit);
    batch->usable = options->n_boards;
    batch->bulk_quantum_ns = 1e6;
    watchdog_init(&batch->watchdog, options->timeout_scale);
    cost_init(&batch->cost);
    enum status status = load_boards(batch, err);
    if (status == STATUS_OK)
        status = calibrate_cost(&batch->cost, batch->options.image, batch->options.boards[0], err);
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
    for (uint32_t b = 0; b < batch->options.n_boards; b++) {
        struct flight *flight = batch->slots[b].flight;
        if (!flight || flight->abandoned)
            continue;
        for (uint32_t i = 0; i < flight->n_entries; i++)
            sched_fail_work(batch, completions, flight->entries[i].work, STATUS_CANCELLED, &err);
        sched_cancel_unwanted(batch, flight);
    }
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
