/* Things that are to happen at a time, on one thread for all. Private to the room. */
#ifndef BERTD_RPC_TIMER_H
#define BERTD_RPC_TIMER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

/** One thing; zeroed: not set. */
struct rpc_timer {
    uint64_t at_ns;                           /* on clock_now_ns */
    void (*on_time)(struct rpc_timer *timer); /* with the lock held: only pass it on */
    struct rpc_timer *next;
    struct rpc_timer *previous;
    bool set;
};

struct rpc_timers {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    struct rpc_timer *first; /* in no order */
    uint64_t next_ns;        /* when the thread looks again */
    bool stop;
};

/** Start the thread. Errors: INTERNAL; then there is nothing to finish. */
enum status rpc_timers_start(struct rpc_timers *timers, struct error *err);
/** End it; what is still set never happens. */
void rpc_timers_finish(struct rpc_timers *timers);
/** Call on_time once it is `at_ns`, in place of any time set before. Thread: any but on_time. */
void rpc_timer_set(struct rpc_timers *timers, struct rpc_timer *timer, uint64_t at_ns,
                   void (*on_time)(struct rpc_timer *timer));
/** Not any more: after it on_time neither comes nor runs. Thread: any but on_time. */
void rpc_timer_clear(struct rpc_timers *timers, struct rpc_timer *timer);

#endif
