#include "server/batch/slots.h"

#include <stdio.h>

/* How busy a board is follows from samples this far apart. */
#define SAMPLE_NS 5000000000ull

void sched_slot_changed(struct batch *batch, uint32_t board)
{
    const struct sched_slot *slot = &batch->slots[board];
    bool serves = slot->health.state == HEALTH_IN_SERVICE;
    batch->n_usable += serves - board_set_has(&batch->usable, board);
    board_set_put(&batch->usable, board, serves);
    board_set_put(&batch->free, board, serves && !slot->flight && !slot->probing);
}

void sched_note_error(struct sched_slot *slot, uint64_t now_ns, const struct error *why)
{
    snprintf(slot->last_error, sizeof slot->last_error, "%.*s", (int)sizeof slot->last_error - 1, why->message);
    slot->last_error_ns = now_ns;
}

void sched_quarantine(struct batch *batch, uint32_t board, uint64_t now_ns, const struct error *why)
{
    struct sched_slot *slot = &batch->slots[board];
    bool served = slot->health.state == HEALTH_IN_SERVICE;
    sched_note_error(slot, now_ns, why);
    health_failed(&slot->health, now_ns);
    sched_slot_changed(batch, board);
    if (served)
        slot->announced = false;
    if (served && batch->n_usable == 0)
        batch->none_usable_since_ns = now_ns;
    pthread_cond_broadcast(&batch->wake);
}

void sched_sample_boards(struct batch *batch, uint64_t now_ns)
{
    if (now_ns - batch->slots[0].sampled_ns[1] < SAMPLE_NS)
        return;
    for (uint32_t b = 0; b < batch->options.n_boards; b++) {
        struct sched_slot *slot = &batch->slots[b];
        struct board_stats stats;
        board_stats(batch->options.boards[b], &stats);
        slot->sampled_ns[0] = slot->sampled_ns[1];
        slot->busy_ns[0] = slot->busy_ns[1];
        slot->sampled_ns[1] = now_ns;
        slot->busy_ns[1] = stats.busy_ns;
    }
}

double sched_busy_share(const struct sched_slot *slot, uint64_t busy_ns, uint64_t now_ns)
{
    int from = slot->sampled_ns[0] == 0;
    if (slot->sampled_ns[from] == 0 || now_ns <= slot->sampled_ns[from])
        return 0;
    double share = (double)(busy_ns - slot->busy_ns[from]) / (double)(now_ns - slot->sampled_ns[from]);
    return share < 1 ? share : 1; /* a task counts when it ends */
}
