#include "server/batch/invariants.h"

static bool has_board(const struct flight *flight, uint32_t board)
{
    for (uint32_t s = 0; s < flight->n_shards; s++)
        if (flight->shards[s].board == board)
            return true;
    return false;
}

static const char *broken_slots(const struct batch *batch, const struct flight *flight)
{
    for (uint32_t b = 0; b < batch->options.n_boards; b++) {
        bool named = batch->slots[b].flight == flight, on = has_board(flight, b);
        if (flight->state == FLIGHT_RUNNING && named != on)
            return "the slots that name a running flight are not those of its shards";
        if (flight->state == FLIGHT_ABANDONED && named && !on)
            return "a slot names an abandoned flight that has no shard there";
        if ((flight->state == FLIGHT_SUSPENDED || flight->state == FLIGHT_DELIVERING) && named)
            return "a slot names a flight that is on no board";
    }
    return NULL;
}

static const char *broken_slots_alone(const struct batch *batch)
{
    uint32_t usable = 0;
    for (uint32_t b = 0; b < batch->options.n_boards; b++) {
        const struct flight *flight = batch->oldest[FLIGHTS_ALL];
        while (flight && flight != batch->slots[b].flight)
            flight = flight->newer[FLIGHTS_ALL];
        if (batch->slots[b].flight != flight)
            return "a slot names a flight that there is not";
        const struct sched_slot *slot = &batch->slots[b];
        bool serves = slot->health.state == HEALTH_IN_SERVICE;
        usable += serves;
        if (board_set_has(&batch->usable, b) != serves)
            return "the boards in service are not those whose health says so";
        if (board_set_has(&batch->free, b) != (serves && !slot->flight && !slot->probing))
            return "the free boards are not those on which nothing runs";
    }
    return usable == batch->n_usable ? NULL : "the boards in service are miscounted";
}

static const char *broken_queue(const struct queue *queue)
{
    uint32_t items = 0;
    uint64_t tokens = 0;
    for (const struct batch_work *work = queue_first(queue); work; work = queue_after(queue, work)) {
        if (work->items_taken >= work->n_items)
            return "a work waits without an item that does";
        if (work->status != STATUS_OK)
            return "a work that failed waits";
        if (work->items_left < work->n_items - work->items_taken)
            return "a work has fewer items left than wait";
        items += work->n_items - work->items_taken;
        for (uint32_t i = work->items_taken; i < work->n_items; i++)
            tokens += work->items[i].n_tokens;
    }
    return items == queue->load.items && tokens == queue->load.tokens ? NULL : "a queue is miscounted";
}

/* Of a work: what waits, and its entries in flights. */
static uint32_t items_of(const struct batch *batch, const struct batch_work *work)
{
    uint32_t n = work->n_items - work->items_taken;
    for (const struct flight *flight = batch->oldest[FLIGHTS_ALL]; flight; flight = flight->newer[FLIGHTS_ALL])
        for (uint32_t i = 0; flight->state != FLIGHT_ABANDONED && i < flight->n_entries; i++)
            n += flight->entries[i].work == work;
    return n;
}

static const char *broken_entries(const struct batch *batch, const struct flight *flight)
{
    const struct batch_work *last = NULL; /* many entries in a row are of one work */
    uint32_t left = 0;
    for (uint32_t i = 0; i < flight->n_entries; i++) {
        const struct batch_work *work = flight->entries[i].work;
        left += work != NULL;
        if (!work || work == last)
            continue;
        if (work->items_left != items_of(batch, work))
            return "a work's items left are not those that wait or are in flight";
        if (work->status != STATUS_OK && flight->state != FLIGHT_DELIVERING)
            return "a failed work is in a flight that is not being delivered";
        last = work;
    }
    return left == flight->n_left ? NULL : "a flight's entries are miscounted";
}

static const char *broken_flights(const struct batch *batch)
{
    uint32_t flights = 0, items = 0;
    uint64_t begun_ns = 0;
    const struct flight *suspended = batch->oldest[FLIGHTS_SUSPENDED];
    for (const struct flight *flight = batch->oldest[FLIGHTS_ALL]; flight; flight = flight->newer[FLIGHTS_ALL]) {
        const char *broken = broken_slots(batch, flight);
        if (!broken && flight->state != FLIGHT_ABANDONED)
            broken = broken_entries(batch, flight);
        if (!broken && flight->shards == &flight->whole && flight->n_shards > 1)
            broken = "a flight has more shards than there are";
        if (!broken && flight->begun_ns < begun_ns)
            broken = "the flights are not in order";
        if (!broken && flight->state == FLIGHT_SUSPENDED && flight->n_left == 0)
            broken = "a suspended flight has no entry";
        if (!broken && flight->state == FLIGHT_SUSPENDED && flight != suspended)
            broken = "the suspended flights are not those of their list, oldest first";
        if (broken)
            return broken;
        if (flight->state == FLIGHT_SUSPENDED)
            suspended = flight->newer[FLIGHTS_SUSPENDED];
        begun_ns = flight->begun_ns;
        flights += flight->state != FLIGHT_ABANDONED;
        items += flight->state != FLIGHT_ABANDONED ? flight->n_left : 0;
    }
    if (suspended)
        return "a flight that is not suspended is among those that are";
    return flights == batch->n_flights && items == batch->running_items ? NULL : "the flights are miscounted";
}

const char *sched_broken_invariant(const struct batch *batch)
{
    const char *broken = broken_slots_alone(batch);
    for (int c = 0; c < BATCH_CLASSES && !broken; c++)
        broken = broken_queue(&batch->queues[c]);
    if (!broken && batch->sweep_due)
        broken = "a work failed and the flights were not swept";
    return broken ? broken : broken_flights(batch);
}
