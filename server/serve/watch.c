#include "server/serve/watch.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { TICK_MS = 100, MAX_EVENTS = 64 };
enum { WAKING = 0 }; /* the number of no work */

/* Find the gone ones by number: the event may be older than the work at that address, or than its connection's. */
static void note_gone(struct serve_watch *watch, const struct epoll_event *events, int n)
{
    pthread_mutex_lock(&watch->lock);
    for (int i = 0; i < n; i++) {
        uint64_t count;
        if (events[i].data.u64 == WAKING && read(watch->event, &count, sizeof count) != sizeof count)
            continue; /* another event took it; there is nothing to do */
        struct serve_watched *watched = watch->first;
        while (watched && watched->id != events[i].data.u64)
            watched = watched->next;
        if (watched)
            watched->gone = true;
    }
    pthread_mutex_unlock(&watch->lock);
}

static bool is_unwanted(const struct serve_watch *watch, const struct serve_watched *watched)
{
    return watched->gone || watch->give_up || (watched->unwanted && atomic_load(watched->unwanted));
}

/* Cancelling calls back into the works' owners, so it happens without the lock, on a work that is pinned meanwhile.
 * It may come before the work is submitted, and then does nothing: so it is repeated until the work is done. */
static void cancel_gone(struct serve_watch *watch)
{
    uint64_t done_up_to = 0; /* newest first: numbers fall along the list */
    for (;;) {
        pthread_mutex_lock(&watch->lock);
        struct serve_watched *watched = watch->first;
        while (watched && ((done_up_to && watched->id >= done_up_to) || !is_unwanted(watch, watched)))
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

static enum status open_files(struct serve_watch *watch, struct error *err)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = WAKING};
    watch->epoll = epoll_create1(EPOLL_CLOEXEC);
    watch->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (watch->epoll >= 0 && watch->event >= 0 && epoll_ctl(watch->epoll, EPOLL_CTL_ADD, watch->event, &event) == 0)
        return STATUS_OK;
    return error_set(err, STATUS_INTERNAL, "epoll or eventfd: %s", strerror(errno));
}

static void end(struct serve_watch *watch)
{
    if (watch->epoll >= 0)
        close(watch->epoll);
    if (watch->event >= 0)
        close(watch->event);
    pthread_mutex_destroy(&watch->lock);
}

enum status serve_watch_init(struct serve_watch *watch, struct error *err)
{
    *watch = (struct serve_watch){0};
    pthread_mutex_init(&watch->lock, NULL);
    enum status status = open_files(watch, err);
    int failed = status == STATUS_OK ? pthread_create(&watch->thread, NULL, run, watch) : 0;
    if (failed)
        status = error_set(err, STATUS_INTERNAL, "the watching thread could not be started: %s", strerror(failed));
    if (status != STATUS_OK)
        end(watch);
    return status;
}

void serve_watch_finish(struct serve_watch *watch)
{
    atomic_store(&watch->stop, true);
    serve_watch_wake(watch);
    pthread_join(watch->thread, NULL);
    end(watch);
}

void serve_watch_wake(struct serve_watch *watch)
{
    static const uint64_t one = 1;
    if (write(watch->event, &one, sizeof one) != sizeof one)
        return; /* its counter is full: it is awake */
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
        /* The connection's socket is known from its second request on. Failing is not worth failing for: at worst, the
         * work is done in vain. */
        if (epoll_ctl(watch->epoll, EPOLL_CTL_MOD, watched->socket, &event) != 0)
            epoll_ctl(watch->epoll, EPOLL_CTL_ADD, watched->socket, &event);
    }
    pthread_mutex_unlock(&watch->lock);
}

bool serve_watch_remove(struct serve_watch *watch, struct serve_watched *watched)
{
    pthread_mutex_lock(&watch->lock);
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
