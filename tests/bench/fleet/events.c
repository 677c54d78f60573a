#include "tests/bench/fleet/events.h"

#include <stdio.h>
#include <stdlib.h>

static bool before(const struct event *a, const struct event *b)
{
    return a->at_ns < b->at_ns || (a->at_ns == b->at_ns && a->order < b->order);
}

void events_add(struct events *events, uint64_t at_ns, enum event_kind kind, uint32_t server, void *what)
{
    if (events->n == events->room) {
        events->room = events->room ? 2 * events->room : 1024;
        events->heap = realloc(events->heap, events->room * sizeof *events->heap);
        if (!events->heap) {
            perror("events");
            exit(1);
        }
    }
    struct event event = {at_ns, events->added++, kind, server, what};
    uint32_t at = events->n++;
    for (; at > 0 && before(&event, &events->heap[(at - 1) / 2]); at = (at - 1) / 2)
        events->heap[at] = events->heap[(at - 1) / 2];
    events->heap[at] = event;
}

bool events_next(struct events *events, struct event *ret)
{
    if (events->n == 0)
        return false;
    *ret = events->heap[0];
    struct event last = events->heap[--events->n];
    uint32_t at = 0;
    for (uint32_t child; (child = 2 * at + 1) < events->n; at = child) {
        child += child + 1 < events->n && before(&events->heap[child + 1], &events->heap[child]);
        if (!before(&events->heap[child], &last))
            break;
        events->heap[at] = events->heap[child];
    }
    events->heap[at] = last;
    return true;
}

void events_finish(struct events *events)
{
    free(events->heap);
    *events = (struct events){0};
}
