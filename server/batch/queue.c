#include "server/batch/queue.h"

void queue_init(struct queue *queue)
{
    *queue = (struct queue){0};
    queue->end = &queue->first;
}

void queue_push(struct queue *queue, struct batch_work *work)
{
    work->next = NULL;
    *queue->end = work;
    queue->end = &work->next;
    queue->items += work->n_items;
    for (uint32_t i = 0; i < work->n_items; i++)
        queue->tokens += work->items[i].n_tokens;
}

static void unlink_work(struct queue *queue, struct batch_work **link)
{
    struct batch_work *work = *link;
    *link = work->next;
    if (!work->next)
        queue->end = link;
    work->next = NULL;
}

uint32_t queue_take(struct queue *queue, uint64_t max_tokens, struct queue_entry *entries, uint32_t max_entries)
{
    uint32_t n = 0;
    uint64_t tokens = 0;
    while (queue->first && n < max_entries) {
        struct batch_work *work = queue->first;
        struct batch_item *item = &work->items[work->items_taken];
        if (n > 0 && tokens + item->n_tokens > max_tokens)
            break;
        entries[n++] = (struct queue_entry){work, item};
        tokens += item->n_tokens;
        if (++work->items_taken == work->n_items)
            unlink_work(queue, &queue->first);
    }
    queue->items -= n;
    queue->tokens -= tokens;
    return n;
}

uint32_t queue_remove(struct queue *queue, struct batch_work *work)
{
    struct batch_work **link = &queue->first;
    while (*link && *link != work)
        link = &(*link)->next;
    if (!*link)
        return 0;
    uint32_t removed = work->n_items - work->items_taken;
    for (uint32_t i = work->items_taken; i < work->n_items; i++)
        queue->tokens -= work->items[i].n_tokens;
    queue->items -= removed;
    unlink_work(queue, link);
    work->items_taken = work->n_items;
    return removed;
}
