/* How many threads serve connections. Private to the room. */
#ifndef BERTD_NET_EVENT_THREADS_H
#define BERTD_NET_EVENT_THREADS_H

#include <stdint.h>

enum { NET_CORES_PER_EVENT_THREAD = 4, NET_MAX_EVENT_THREADS = 8 };

/** One to 8: they move bytes, and leave the cores to the boards. */
static inline uint32_t net_count_event_threads(uint32_t cores)
{
    uint32_t n = cores / NET_CORES_PER_EVENT_THREAD;
    return n < 1 ? 1 : n > NET_MAX_EVENT_THREADS ? NET_MAX_EVENT_THREADS : n;
}

#endif
