/* What is to happen, soonest first; of one moment in the order it was added. */
#ifndef TESTS_BENCH_FLEET_EVENTS_H
#define TESTS_BENCH_FLEET_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

enum event_kind {
    EVENT_ASK,        /* a client sends a request */
    EVENT_ARRIVE,     /* it has passed a balancer: it reaches its server */
    EVENT_SUBMIT,     /* its server has read it */
    EVENT_TASK_ENDS,  /* a board is done */
    EVENT_LOCK_FREE,  /* a scheduler's lock */
    EVENT_COMPUTED,   /* a request has its vectors */
    EVENT_LEAVE,      /* its server has written the answer */
    EVENT_IS_ANSWERED /* it has passed the balancer again */
};

struct event {
    uint64_t at_ns;
    uint64_t order;
    enum event_kind kind;
    uint32_t server;
    void *what; /* a request; TASK_ENDS: a board */
};

struct events {
    struct event *heap;
    uint32_t n, room;
    uint64_t added;
};

void events_add(struct events *events, uint64_t at_ns, enum event_kind kind, uint32_t server, void *what);
/** False: nothing is to happen any more. */
bool events_next(struct events *events, struct event *ret);
void events_finish(struct events *events);

#endif
