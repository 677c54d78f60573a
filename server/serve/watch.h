/* Notices clients that left while their work waits for a board, and has it cancelled.
 *
 * A transport may not notice: a suspended connection does not see a disconnect. One thread; sockets are watched with
 * epoll for the other side's end. Deadlines are the scheduler's. Private to the room.
 */
#ifndef BERTD_SERVE_WATCH_H
#define BERTD_SERVE_WATCH_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

/** One work being watched; part of its call. */
struct serve_watched {
    int socket;                  /* -1: none */
    const atomic_bool *unwanted; /* becomes true when it shall be cancelled, see serve_watch_wake */
    /** Nobody wants it. Called from the watcher's thread, again and again until serve_watch_remove. */
    void (*cancel)(struct serve_watched *watched);
    /** Called from the watcher's thread when it has let go of a work for which serve_watch_remove returned false. */
    void (*on_released)(struct serve_watched *watched);
    /* The room's own: */
    struct serve_watched *next;
    struct serve_watched *previous;
    uint64_t id;
    bool gone;   /* the client has left */
    bool pinned; /* the watcher is about to cancel it: its memory must stay */
    bool removed;
};

struct serve_watch {
    pthread_mutex_t lock; /* guards the list and what hangs on it */
    struct serve_watched *first;
    uint64_t last_id;
    bool give_up; /* cancel all */
    int epoll;
    int event; /* wakes the thread */
    atomic_bool stop;
    pthread_t thread;
};

/** Start the thread. Errors: INTERNAL; then nothing is left to stop. */
enum status serve_watch_init(struct serve_watch *watch, struct error *err);
/** End the thread; nothing may be watched any more. */
void serve_watch_finish(struct serve_watch *watch);
/** Watch from now on. Before the work begins, so that it cannot be done first. */
void serve_watch_add(struct serve_watch *watch, struct serve_watched *watched);
/** The work is done: watch no longer. False: the watcher is just cancelling it and calls on_released when it has let
 *  go; until then the work's memory must stay. */
bool serve_watch_remove(struct serve_watch *watch, struct serve_watched *watched);
/** Look at once for works that are unwanted. Thread: any. */
void serve_watch_wake(struct serve_watch *watch);
/** Cancel all there are and all that come. */
void serve_watch_give_up(struct serve_watch *watch);

#endif
