#include "server/serve/watch.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { TICK_MS = 100, MAX_EVENTS = 64 };

/* Find the gone ones by number: the event may be older than the work at that address. */
static void note_gone(struct serve_watch *watch, const struct epoll_event *events, int n)
{
    pthread_mutex_lock(&watch->lock);
    for (int i = 0; i < n; i++) {
        struct serve_watched *watched = watch->first;
        while (watched && watched->id != events[i].data.u64)
            watched = watched->next;
        if (watched)
            watched->gone = true;
    }
    pthread_mutex_unlock(&watch->lock);
}

/* Cancelling calls back into the works' owners, so it happens without the lock, on a work that is pinned meanwhile.
 * It may come before the work is submitted, and then does nothing: so it is repeated until the work is done. */
static void cancel_gone(struct serve_watch *watch)
{
    uint64_t done_up_to = 0; /* newest first: numbers fall along the list */
    for (;;) {
        pthread_mutex_lock(&watch->lock);
        struct serve_watched *watched = watch->first;
        while (watched && ((done_up_to && watched->id >= done_up_to) || !(watched->gone || watch->give_up)))
            watched = watched->next;
        if (watched)
            watched->pinned = true;
        pthread_mutex_unlock(&watch->lock);
        if (!watched)
            return;
        done_up_to = watched->id;
        watched->cancel(watched);
        pthread_mutex_lock(&watch->lock);
        watched->pinned = false;
        bool removed = watched->removed;
        pthread_mutex_unlock(&watch->lock);
        if (removed)
            watched->on_released(watched);
    }
}

static void *run(void *cookie)
{
    struct serve_watch *watch = cookie;
    struct epoll_event events[MAX_EVENTS];
    while (!atomic_load(&watch->stop)) {
        int n = epoll_wait(watch->epoll, events, MAX_EVENTS, TICK_MS);
        if (n > 0)
            note_gone(watch, events, n);
        cancel_gone(watch);
    }
    return NULL;
}

enum status serve_watch_init(struct serve_watch *watch, struct error *err)
{
    *watch = (struct serve_watch){0};
    watch->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (watch->epoll < 0)
        return error_set(err, STATUS_INTERNAL, "epoll_create1: %s", strerror(errno));
    pthread_mutex_init(&watch->lock, NULL);
    int failed = pthread_create(&watch->thread, NULL, run, watch);
    if (failed) {
        pthread_mutex_destroy(&watch->lock);
        close(watch->epoll);
        return error_set(err, STATUS_INTERNAL, "the watching thread could not be started: %s", strerror(failed));
    }
    return STATUS_OK;
}

void serve_watch_finish(struct serve_watch *watch)
{
    atomic_store(&watch->stop, true);
    pthread_join(watch->thread, NULL);
    pthread_mutex_destroy(&watch->lock);
    close(watch->epoll);
}

void serve_watch_add(struct serve_watch *watch, struct serve_watched *watched)
{
    pthread_mutex_lock(&watch->lock);
    watched->gone = watched->pinned = watched->removed = false;
    watched->id = ++watch->last_id;
    watched->previous = NULL;
    watched->next = watch->first;
    if (watch->first)
        watch->first->previous = watched;
    watch->first = watched;
    if (watched->socket >= 0) {
        struct epoll_event event = {.events = EPOLLRDHUP | EPOLLONESHOT, .data.u64 = watched->id};
        if (epoll_ctl(watch->epoll, EPOLL_CTL_ADD, watched->socket, &event) != 0)
            watched->socket = -1; /* not worth failing for: the work is done in vain, at worst */
    }
    pthread_mutex_unlock(&watch->lock);
}

bool serve_watch_remove(struct serve_watch *watch, struct serve_watched *watched)
{
    pthread_mutex_lock(&watch->lock);
    if (watched->socket >= 0)
        epoll_ctl(watch->epoll, EPOLL_CTL_DEL, watched->socket, NULL);
    if (watched->next)
        watched->next->previous = watched->previous;
    if (watched->previous)
        watched->previous->next = watched->next;
    else
        watch->first = watched->next;
    watched->removed = true;
    bool free = !watched->pinned;
    pthread_mutex_unlock(&watch->lock);
    return free;
}

void serve_watch_give_up(struct serve_watch *watch)
{
    pthread_mutex_lock(&watch->lock);
    watch->give_up = true;
    pthread_mutex_unlock(&watch->lock);
}
