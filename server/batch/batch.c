#include "server/batch/batch.h"

#include <pthread.h>
#include <stddef.h>

#include "server/base/clock.h"
#include "server/base/mem.h"
#include "server/batch/dispatch.h"
#include "server/batch/queue.h"

/* An emulated board reaches its full speed with a few hundred rows; larger batches would only make others wait. */
enum { TARGET_TOKENS = 2048, MAX_ENTRIES = 1024 };

struct batch {
    pthread_mutex_t lock; /* guards everything below, and the `room's own` part of every work */
    pthread_cond_t quiet; /* nothing queued, nothing running */
    struct batch_options options;
    struct queue queue;
    struct dispatch **running; /* [n_boards]; NULL: the board is idle */
    uint32_t n_running;
    uint32_t running_items;
    bool closing;
    struct queue_entry *entries; /* [MAX_ENTRIES] scratch of the planner */
    batch_on_dispatch *hook;
    void *hook_cookie;
};

/* Works whose last item was settled under the lock; told after it is released. */
struct settled {
    struct batch_work *first;
};

static void settle_items(struct settled *settled, struct batch_work *work, uint32_t n)
{
    work->items_left -= n;
    if (work->items_left > 0 || n == 0)
        return;
    work->next = settled->first;
    settled->first = work;
}

static void tell_settled(struct settled *settled)
{
    while (settled->first) {
        struct batch_work *work = settled->first;
        settled->first = work->next;
        struct error err = work->err;
        work->on_done(work, work->status, &err);
    }
}

/* The first failure is the work's; what of it still waits is not worth computing. */
static void fail_work(struct batch *batch, struct settled *settled, struct batch_work *work, enum status status,
                      const struct error *err)
{
    if (work->status == STATUS_OK) {
        work->status = status;
        if (err)
            work->err = *err;
        work->err.status = status;
    }
    settle_items(settled, work, queue_remove(&batch->queue, work));
}

static void drop_expired(struct batch *batch, struct settled *settled)
{
    uint64_t now = clock_now_ns();
    struct batch_work *work = batch->queue.first;
    while (work) {
        struct batch_work *next = work->next;
        if (work->deadline_ns && work->deadline_ns <= now) {
            struct error err;
            error_set(&err, STATUS_TIMEOUT, "the deadline passed while the request waited for a board");
            fail_work(batch, settled, work, STATUS_TIMEOUT, &err);
        }
        work = next;
    }
}

static uint64_t token_budget(const struct batch *batch)
{
    uint32_t idle = batch->options.n_boards - batch->n_running;
    uint64_t share = (batch->queue.tokens + idle - 1) / idle;
    uint64_t budget = share < TARGET_TOKENS ? share : TARGET_TOKENS;
    return budget < batch->options.max_tokens ? budget : batch->options.max_tokens;
}

static void on_task_done(struct board_task *task, enum status status, const struct error *err);

static void start(struct batch *batch, struct dispatch *dispatch, uint32_t board)
{
    dispatch->board = board;
    dispatch->started_ns = clock_now_ns();
    dispatch->task.on_done = on_task_done;
    dispatch->task.cookie = batch;
    batch->running[board] = dispatch;
    batch->n_running++;
    batch->running_items += dispatch->n_entries;
    if (batch->hook)
        batch->hook(batch->hook_cookie, dispatch->n_entries, dispatch->job.n_rows);
    board_submit(batch->options.boards[board], &dispatch->task);
}

/* Give every idle board its share of what waits. Called with the lock held whenever either changes. */
static void plan(struct batch *batch, struct settled *settled)
{
    drop_expired(batch, settled);
    uint32_t limit = batch->options.max_sequences;
    uint32_t max_entries = limit && limit < MAX_ENTRIES ? limit : MAX_ENTRIES;
    for (uint32_t b = 0; b < batch->options.n_boards && batch->queue.items > 0; b++) {
        if (batch->running[b])
            continue;
        uint32_t n = queue_take(&batch->queue, token_budget(batch), batch->entries, max_entries);
        struct dispatch *dispatch = dispatch_create(batch->options.image, batch->entries, n);
        if (dispatch) {
            start(batch, dispatch, b);
            continue;
        }
        struct error err;
        error_set(&err, STATUS_NO_MEMORY, "no memory for a batch of %u sequences", n);
        for (uint32_t i = 0; i < n; i++)
            fail_work(batch, settled, batch->entries[i].work, STATUS_NO_MEMORY, &err);
        for (uint32_t i = 0; i < n; i++)
            settle_items(settled, batch->entries[i].work, 1);
    }
    if (batch->n_running == 0 && batch->queue.items == 0)
        pthread_cond_broadcast(&batch->quiet);
}

static void on_task_done(struct board_task *task, enum status status, const struct error *err)
{
    struct batch *batch = task->cookie;
    struct dispatch *dispatch = (struct dispatch *)((char *)task - offsetof(struct dispatch, task));
    struct settled settled = {0};
    if (status == STATUS_OK)
        dispatch_deliver(dispatch, clock_now_ns());
    pthread_mutex_lock(&batch->lock);
    batch->running[dispatch->board] = NULL;
    batch->n_running--;
    batch->running_items -= dispatch->n_entries;
    if (status != STATUS_OK)
        for (uint32_t i = 0; i < dispatch->n_entries; i++)
            fail_work(batch, &settled, dispatch->entries[i].work, status, err);
    for (uint32_t i = 0; i < dispatch->n_entries; i++)
        settle_items(&settled, dispatch->entries[i].work, 1);
    plan(batch, &settled);
    pthread_mutex_unlock(&batch->lock);
    dispatch_destroy(&dispatch);
    tell_settled(&settled);
}

enum status batch_submit(struct batch *batch, struct batch_work *work, struct error *err)
{
    struct settled settled = {0};
    pthread_mutex_lock(&batch->lock);
    uint32_t queued = batch->queue.items;
    if (batch->closing || work->n_items > batch->options.max_queued_items - queued) {
        bool closing = batch->closing;
        pthread_mutex_unlock(&batch->lock);
        if (closing)
            return error_set(err, STATUS_UNHEALTHY, "the server is shutting down");
        return error_set(err, STATUS_OVERLOADED, "%u texts are waiting and the limit is %u: try again later", queued,
                         batch->options.max_queued_items);
    }
    work->submitted_ns = clock_now_ns();
    work->items_left = work->n_items;
    work->items_taken = 0;
    work->status = STATUS_OK;
    work->err = (struct error){0};
    queue_push(&batch->queue, work);
    plan(batch, &settled);
    pthread_mutex_unlock(&batch->lock);
    tell_settled(&settled);
    return STATUS_OK;
}

static bool all_settled(const struct dispatch *dispatch)
{
    for (uint32_t i = 0; i < dispatch->n_entries; i++)
        if (dispatch->entries[i].work->status == STATUS_OK)
            return false;
    return true;
}

static bool has_work(const struct dispatch *dispatch, const struct batch_work *work)
{
    for (uint32_t i = 0; i < dispatch->n_entries; i++)
        if (dispatch->entries[i].work == work)
            return true;
    return false;
}

void batch_cancel(struct batch *batch, struct batch_work *work)
{
    struct settled settled = {0};
    struct error err;
    error_set(&err, STATUS_CANCELLED, "the client has gone");
    pthread_mutex_lock(&batch->lock);
    bool queued = false;
    for (struct batch_work *w = batch->queue.first; w && !queued; w = w->next)
        queued = w == work;
    if (queued)
        fail_work(batch, &settled, work, STATUS_CANCELLED, &err);
    for (uint32_t b = 0; b < batch->options.n_boards; b++) {
        struct dispatch *dispatch = batch->running[b];
        if (!dispatch || !has_work(dispatch, work))
            continue;
        fail_work(batch, &settled, work, STATUS_CANCELLED, &err);
        if (all_settled(dispatch))
            board_cancel(batch->options.boards[b], &dispatch->job);
    }
    plan(batch, &settled);
    pthread_mutex_unlock(&batch->lock);
    tell_settled(&settled);
}

void batch_get_stats(struct batch *batch, struct batch_stats *ret)
{
    struct batch_stats stats = {.boards = batch->options.n_boards};
    for (uint32_t b = 0; b < batch->options.n_boards; b++) {
        struct board_stats board;
        board_stats(batch->options.boards[b], &board);
        stats.boards_ready += board.state == BOARD_READY || board.state == BOARD_BUSY;
    }
    pthread_mutex_lock(&batch->lock);
    stats.queued_items = batch->queue.items;
    stats.queued_tokens = batch->queue.tokens;
    stats.running_items = batch->running_items;
    pthread_mutex_unlock(&batch->lock);
    *ret = stats;
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
    mem_free(batch->entries);
    mem_free(batch->running);
    mem_free(batch->options.boards);
    mem_free(batch);
}

enum status batch_create(struct batch **ret, const struct batch_options *options, struct error *err)
{
    struct batch *batch = mem_calloc(1, sizeof *batch);
    if (!batch)
        return error_set(err, STATUS_NO_MEMORY, "no memory for the batch room");
    batch->options = *options;
    batch->options.boards = mem_calloc(options->n_boards, sizeof *options->boards);
    batch->running = mem_calloc(options->n_boards, sizeof(struct dispatch *));
    batch->entries = mem_calloc(MAX_ENTRIES, sizeof *batch->entries);
    if (!batch->options.boards || !batch->running || !batch->entries) {
        free_batch(batch);
        return error_set(err, STATUS_NO_MEMORY, "no memory for a pool of %u boards", options->n_boards);
    }
    for (uint32_t b = 0; b < options->n_boards; b++)
        batch->options.boards[b] = options->boards[b];
    image_retain(batch->options.image);
    queue_init(&batch->queue);
    pthread_mutex_init(&batch->lock, NULL);
    pthread_cond_init(&batch->quiet, NULL);
    *ret = batch;
    return STATUS_OK;
}

static void cancel_all(struct batch *batch, struct settled *settled)
{
    struct error err;
    error_set(&err, STATUS_CANCELLED, "the server is shutting down");
    while (batch->queue.first)
        fail_work(batch, settled, batch->queue.first, STATUS_CANCELLED, &err);
    for (uint32_t b = 0; b < batch->options.n_boards; b++)
        if (batch->running[b])
            board_cancel(batch->options.boards[b], &batch->running[b]->job);
}

void batch_destroy(struct batch **ref, bool drain)
{
    struct batch *batch = *ref;
    if (!batch)
        return;
    struct settled settled = {0};
    pthread_mutex_lock(&batch->lock);
    batch->closing = true;
    if (!drain)
        cancel_all(batch, &settled);
    while (batch->n_running > 0 || batch->queue.items > 0)
        pthread_cond_wait(&batch->quiet, &batch->lock);
    pthread_mutex_unlock(&batch->lock);
    tell_settled(&settled);
    for (uint32_t b = 0; b < batch->options.n_boards; b++)
        board_close(&batch->options.boards[b]);
    pthread_mutex_destroy(&batch->lock);
    pthread_cond_destroy(&batch->quiet);
    image_release(&batch->options.image);
    free_batch(batch);
    *ref = NULL;
}
