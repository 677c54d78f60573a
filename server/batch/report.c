/* What the scheduler is doing, for metrics, health and whoever looks. */
#include <string.h>

#include "base/clock.h"
#include "server/batch/forecast.h"
#include "server/batch/sched.h"
#include "server/batch/slots.h"

/* Until the next board is tested that is out of service. */
static double next_test_ns(const struct batch *batch)
{
    uint64_t now = clock_now_ns(), least = HEALTH_MAX_WAIT_NS;
    for (uint32_t b = 0; b < batch->options.n_boards; b++) {
        uint64_t due_ns = health_due_ns(&batch->slots[b].health, true);
        uint64_t left = due_ns != UINT64_MAX && due_ns > now ? due_ns - now : 0;
        least = left < least ? left : least;
    }
    return (double)least;
}

void batch_get_stats(struct batch *batch, struct batch_stats *ret)
{
    *ret = (struct batch_stats){0};
    pthread_mutex_lock(&batch->lock);
    for (int c = 0; c < BATCH_CLASSES; c++) {
        ret->queued_items_of[c] = (uint32_t)batch->queues[c].load.items;
        ret->queued_tokens_of[c] = batch->queues[c].load.tokens;
        ret->queued_items += ret->queued_items_of[c];
        ret->queued_tokens += ret->queued_tokens_of[c];
    }
    double wait_ns = batch->n_usable ? sched_backlog_ns(batch) : next_test_ns(batch);
    ret->retry_after_ms = (uint32_t)(wait_ns / 1e6) + 1;
    ret->running_items = batch->running_items;
    ret->boards_ready = batch->n_usable;
    ret->boards = batch->options.n_boards;
    memcpy(ret->flights, batch->begun, sizeof ret->flights);
    ret->scrubs = batch->scrubs;
    ret->scrub_failures = batch->scrub_failures;
    pthread_mutex_unlock(&batch->lock);
}

bool batch_has_backlog(const struct batch *batch)
{
    return atomic_load_explicit(&batch->backlog, memory_order_relaxed);
}

uint64_t batch_damages(const struct batch *batch)
{
    return atomic_load(&batch->scrub_failures);
}

static const char *state_of(const struct sched_slot *slot)
{
    if (slot->health.state == HEALTH_QUARANTINED)
        return "quarantined";
    if (slot->health.state == HEALTH_TESTING)
        return "testing";
    return slot->flight || slot->probing ? "busy" : "idle";
}

void batch_get_boards(struct batch *batch, struct batch_board_info *ret)
{
    uint64_t now = clock_now_ns();
    pthread_mutex_lock(&batch->lock);
    for (uint32_t b = 0; b < batch->options.n_boards; b++) {
        const struct sched_slot *slot = &batch->slots[b];
        struct board *board = batch->options.boards[b];
        struct planner_board loaded = sched_loaded(batch, b);
        ret[b] = (struct batch_board_info){.name = board_name(board),
                                           .kind = board_kind(board),
                                           .state = state_of(slot),
                                           .last_error_ns = slot->last_error_ns,
                                           .faults = slot->faults,
                                           .flights = slot->flights,
                                           .splits = slot->splits,
                                           .quarantined = slot->health.quarantined,
                                           .readmitted = slot->health.readmitted,
                                           .layer_begin = loaded.layer_begin,
                                           .layer_end = loaded.layer_end};
        memcpy(ret[b].last_error, slot->last_error, sizeof ret[b].last_error);
        board_stats(board, &ret[b].stats);
        ret[b].busy_share = sched_busy_share(slot, ret[b].stats.busy_ns, now);
    }
    pthread_mutex_unlock(&batch->lock);
}

enum status batch_inject(struct batch *batch, uint32_t board, const struct board_fault *fault, struct error *err)
{
    if (board >= batch->options.n_boards)
        return error_set(err, STATUS_USAGE, "there is no board %u: there are %u", board, batch->options.n_boards);
    struct board *target = batch->options.boards[board];
    enum status status = board_inject(target, fault, err);
    if (status != STATUS_OK)
        return status;
    pthread_mutex_lock(&batch->lock);
    batch->slots[board].faults++;
    pthread_mutex_unlock(&batch->lock);
    sched_announce(batch, BATCH_FAULT, board_name(target), board_fault_name(fault->kind));
    return STATUS_OK;
}
