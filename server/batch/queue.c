#include "server/batch/queue.h"

static uint32_t flow_of(uint64_t key)
{
    key ^= key >> 32;
    return (uint32_t)((key * 0x9E3779B97F4A7C15u) >> 58);
}

static void count(struct queue *queue, uint32_t flow, const struct batch_item *item, int by)
{
    struct queue_load *loads[] = {&queue->load, &queue->flows[flow]};
    uint64_t sign = (uint64_t)(int64_t)by, tokens = item->n_tokens;
    for (int i = 0; i < 2; i++) {
        loads[i]->items += sign;
        loads[i]->tokens += sign * tokens;
        loads[i]->pairs += sign * tokens * tokens;
    }
}

void queue_init(struct queue *queue, uint32_t share)
{
    *queue = (struct queue){.share = share};
}

uint32_t queue_space(const struct queue *queue, uint32_t items)
{
    return items < queue->share ? items : queue->share;
}

void queue_push(struct queue *queue, struct batch_work *work)
{
    struct queue_cursor *cursor = &queue->cursor;
    uint32_t flow = flow_of(work->key);
    work->next = NULL;
    work->items_taken = 0;
    if (cursor->work[flow]) {
        queue->last[flow]->next = work;
    } else {
        cursor->work[flow] = work;
        cursor->item[flow] = 0;
        cursor->credit[flow] = 0;
        cursor->waiting |= 1ull << flow;
    }
    queue->last[flow] = work;
    queue->space += queue_space(queue, work->n_items);
    for (uint32_t i = 0; i < work->n_items; i++)
        count(queue, flow, &work->items[i], 1);
}

static uint32_t next_flow(const struct queue_cursor *cursor)
{
    uint32_t from = cursor->flow + 1;
    uint64_t behind = from < QUEUE_FLOWS ? cursor->waiting >> from << from : 0;
    return (uint32_t)__builtin_ctzll(behind ? behind : cursor->waiting);
}

/* The flow whose item is next; gives credit to those it passes. Some flow must be waiting. */
static uint32_t ready_flow(struct queue_cursor *cursor)
{
    while (!(cursor->waiting >> cursor->flow & 1) ||
           cursor->credit[cursor->flow] < cursor->work[cursor->flow]->items[cursor->item[cursor->flow]].n_tokens) {
        cursor->flow = next_flow(cursor);
        cursor->credit[cursor->flow] += QUEUE_QUANTUM_TOKENS;
    }
    return cursor->flow;
}

/* Step over the flow's next item and return it. A flow that runs dry keeps no credit. */
static struct queue_entry advance(struct queue_cursor *cursor, uint32_t flow)
{
    struct batch_work *work = cursor->work[flow];
    struct queue_entry entry = {work, &work->items[cursor->item[flow]]};
    cursor->credit[flow] -= entry.item->n_tokens;
    if (++cursor->item[flow] < work->n_items)
        return entry;
    cursor->work[flow] = work->next;
    cursor->item[flow] = 0;
    if (!work->next) {
        cursor->waiting &= ~(1ull << flow);
        cursor->credit[flow] = 0;
    }
    return entry;
}

uint32_t queue_peek(const struct queue *queue, uint32_t *lengths, uint32_t max, uint32_t batches, uint32_t tokens)
{
    if (queue->load.items == 0)
        return 0;
    struct queue_cursor cursor = queue->cursor;
    uint64_t enough = (uint64_t)batches * tokens, seen = 0;
    uint32_t n = 0;
    while (n < max && n < queue->load.items && seen <= enough) {
        uint32_t length = advance(&cursor, ready_flow(&cursor)).item->n_tokens;
        seen += length < tokens ? length : tokens;
        lengths[n++] = length;
    }
    return n;
}

uint32_t queue_take(struct queue *queue, struct queue_entry *entries, uint32_t n)
{
    n = n < queue->load.items ? n : (uint32_t)queue->load.items;
    for (uint32_t i = 0; i < n; i++) {
        entries[i] = advance(&queue->cursor, ready_flow(&queue->cursor));
        queue->space -= entries[i].work->n_items - entries[i].work->items_taken <= queue->share;
        entries[i].work->items_taken++;
        count(queue, flow_of(entries[i].work->key), entries[i].item, -1);
    }
    return n;
}

uint32_t queue_remove(struct queue *queue, struct batch_work *work)
{
    struct queue_cursor *cursor = &queue->cursor;
    for (uint64_t left = cursor->waiting; left; left &= left - 1) {
        uint32_t flow = (uint32_t)__builtin_ctzll(left);
        struct batch_work *before = NULL, *at = cursor->work[flow];
        while (at && at != work) {
            before = at;
            at = at->next;
        }
        if (!at)
            continue;
        uint32_t removed = work->n_items - work->items_taken;
        for (uint32_t i = work->items_taken; i < work->n_items; i++)
            count(queue, flow, &work->items[i], -1);
        queue->space -= queue_space(queue, removed);
        work->items_taken = work->n_items;
        if (before) {
            before->next = work->next;
        } else {
            cursor->work[flow] = work->next;
            cursor->item[flow] = 0;
        }
        if (queue->last[flow] == work)
            queue->last[flow] = before;
        if (!cursor->work[flow])
            cursor->waiting &= ~(1ull << flow);
        work->next = NULL;
        return removed;
    }
    return 0;
}

struct queue_load queue_ahead(const struct queue *queue, uint64_t key, uint64_t tokens)
{
    uint32_t mine = flow_of(key);
    struct queue_load ahead = queue->flows[mine];
    double served = (double)(ahead.tokens + tokens + QUEUE_QUANTUM_TOKENS);
    for (uint32_t f = 0; f < QUEUE_FLOWS; f++) {
        const struct queue_load *flow = &queue->flows[f];
        if (f == mine || flow->tokens == 0)
            continue;
        double part = served < (double)flow->tokens ? served / (double)flow->tokens : 1;
        ahead.items += (uint64_t)((double)flow->items * part + 0.5);
        ahead.tokens += (uint64_t)((double)flow->tokens * part + 0.5);
        ahead.pairs += (uint64_t)((double)flow->pairs * part + 0.5);
    }
    return ahead;
}

static struct batch_work *first_from(const struct queue *queue, uint32_t flow)
{
    uint64_t left = flow < QUEUE_FLOWS ? queue->cursor.waiting >> flow << flow : 0;
    return left ? queue->cursor.work[__builtin_ctzll(left)] : NULL;
}

struct batch_work *queue_first(const struct queue *queue)
{
    return first_from(queue, 0);
}

struct batch_work *queue_after(const struct queue *queue, const struct batch_work *work)
{
    return work->next ? work->next : first_from(queue, flow_of(work->key) + 1);
}
