/* Looks after works that wait for a board: cancels those whose client has gone or whose deadline has passed.
 *
 * The transport cannot: a suspended connection neither times out nor notices a disconnect. One thread; sockets are
 * watched with epoll for the other side's end. Private to the room.
 */
#ifndef BERTD_HTTP_WATCH_H
#define BERTD_HTTP_WATCH_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "server/batch/batch.h"

/** One work being watched; part of its call. */
struct http_watched {
    struct batch_work *work;
    int socket;           /* -1: none */
    uint64_t deadline_ns; /* 0: none */
    /** Told instead of the caller when http_watch_remove returned false. */
    void (*on_released)(struct http_watched *watched);
    enum status reason; /* CANCELLED or TIMEOUT when the watcher gave the work up, else OK */
    /* The room's own: */
    struct http_watched *next;
    struct http_watched *previous;
    uint64_t id;
    bool pinned; /* the watcher is about to cancel it: its memory must stay */
    bool removed;
};

struct http_watch {
    pthread_mutex_t lock; /* guards the list and what hangs on it */
    struct http_watched *first;
    uint64_t last_id;
    bool give_up; /* cancel all */
    struct batch *batch;
    int epoll;
    atomic_bool stop;
    pthread_t thread;
    void (*on_tick)(void *cookie); /* called ten times a second or more often, from the thread; may be NULL */
    void *cookie;
};

/** Start the thread. Errors: INTERNAL; then nothing is left to stop. */
enum status http_watch_init(struct http_watch *watch, struct batch *batch, void (*on_tick)(void *cookie), void *cookie,
                            struct error *err);
void http_watch_finish(struct http_watch *watch);
/** Watch from now on. Before batch_submit, so that the work cannot be done first. */
void http_watch_add(struct http_watch *watch, struct http_watched *watched);
/** The work is done: watch no longer. False: the watcher is just cancelling it and calls on_released when it has let
 *  go; until then the work's memory must stay. */
bool http_watch_remove(struct http_watch *watch, struct http_watched *watched);
/** Cancel all there are and all that come. */
void http_watch_give_up(struct http_watch *watch);

#endif
