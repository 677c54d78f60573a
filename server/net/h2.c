/* HTTP/2 by nghttp2: its event threads. */
#include "server/net/h2.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "server/net/event_threads.h"
#include "server/net/h2_parts.h"

enum { MAX_EVENTS = 64, SWEEP_MS = 100 };

static void run_jobs(struct h2_loop *loop)
{
    struct h2_job *last = atomic_exchange(&loop->jobs, NULL), *first = NULL;
    while (last) {
        struct h2_job *before = last->next;
        last->next = first;
        first = last;
        last = before;
    }
    while (first) {
        struct h2_job *job = first;
        first = job->next;
        job->run(job);
    }
}

/* What the events have brought about, until nothing is left of it. */
static void settle(struct h2_loop *loop)
{
    while (loop->dirty || loop->due || atomic_load(&loop->jobs)) {
        run_jobs(loop);
        while (loop->dirty) {
            struct h2_connection *connection = loop->dirty;
            loop->dirty = connection->dirty_next;
            connection->is_dirty = false;
            h2_connection_flush(connection);
            h2_connection_release(connection);
        }
        while (loop->due) {
            struct h2_stream *stream = loop->due;
            loop->due = stream->due_next;
            stream->is_due = false;
            h2_stream_look(stream);
        }
    }
}

static void sweep(struct h2_loop *loop)
{
    struct h2_connection *next = NULL;
    for (struct h2_connection *connection = loop->connections; connection; connection = next) {
        next = connection->next;
        h2_connection_sweep(connection);
    }
    loop->sweep_ns = loop->now_ns + SWEEP_MS * 1000000ull;
}

static void drain(struct h2_loop *loop)
{
    if (loop->drains || !atomic_load(&loop->h2->server->draining))
        return;
    loop->drains = true;
    for (struct h2_connection *connection = loop->connections; connection; connection = connection->next)
        h2_connection_warn(connection);
}

/* Requests that wait in sockets are refused, and clients told which was the last one: they may send the others
 * elsewhere. */
static void end_all(struct h2_loop *loop)
{
    loop->now_ns = clock_now_ns();
    for (struct h2_connection *connection = loop->connections; connection; connection = connection->next) {
        h2_connection_handle(connection, EPOLLIN);
        h2_connection_leave(connection);
    }
    settle(loop);
    for (struct h2_connection *connection = loop->connections; connection; connection = connection->next)
        h2_connection_close(connection);
    settle(loop);
}

static void *run(void *cookie)
{
    struct h2_loop *loop = cookie;
    struct epoll_event events[MAX_EVENTS];
    h2_loop_enter(loop);
    while (!atomic_load(&loop->stop) || loop->owed > 0) {
        int n = epoll_wait(loop->epoll, events, MAX_EVENTS, loop->alive > 0 ? SWEEP_MS : -1);
        loop->now_ns = clock_now_ns();
        drain(loop);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr)
                h2_connection_handle(events[i].data.ptr, events[i].events);
        }
        if (loop->now_ns >= loop->sweep_ns)
            sweep(loop);
        settle(loop);
    }
    settle(loop); /* the last connections that came */
    end_all(loop);
    return NULL;
}

static enum status start_loop(struct h2_loop *loop, struct error *err)
{
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    loop->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET}; /* never read */
    if (loop->epoll < 0 || loop->wake < 0 || epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->wake, &event) != 0)
        return error_set(err, STATUS_INTERNAL, "epoll or eventfd: %s", strerror(errno));
    int failed = pthread_create(&loop->thread, NULL, run, loop);
    if (failed)
        return error_set(err, STATUS_INTERNAL, "an event thread could not be started: %s", strerror(failed));
    loop->runs = true;
    return STATUS_OK;
}

static enum status set_library(struct h2 *h2, struct error *err)
{
    h2->callbacks = h2_session_callbacks();
    if (!h2->callbacks || nghttp2_option_new(&h2->option) != 0)
        return error_set(err, STATUS_NO_MEMORY, "no memory for HTTP/2");
    nghttp2_option_set_no_auto_window_update(h2->option, 1);
    nghttp2_option_set_no_closed_streams(h2->option, 1);
    return STATUS_OK;
}

enum status h2_start(struct net_server *server, struct error *err)
{
    uint32_t n = net_count_event_threads(server->options.cores);
    struct h2 *h2 = mem_calloc(1, sizeof *h2 + n * sizeof h2->loops[0]);
    if (!h2)
        return error_set(err, STATUS_NO_MEMORY, "no memory for HTTP/2");
    h2->server = server;
    h2->n_loops = n;
    for (uint32_t i = 0; i < n; i++) {
        h2->loops[i].h2 = h2;
        h2->loops[i].epoll = h2->loops[i].wake = -1;
    }
    server->h2 = h2;
    enum status status = set_library(h2, err);
    for (uint32_t i = 0; i < n && status == STATUS_OK; i++)
        status = start_loop(&h2->loops[i], err);
    if (status != STATUS_OK)
        h2_stop(server);
    return status;
}

bool h2_take(struct net_server *server, int fd, const struct sockaddr *address, socklen_t len, enum net_side side)
{
    struct h2 *h2 = server->h2;
    struct h2_connection *connection = mem_calloc(1, sizeof *connection);
    if (!connection) {
        close(fd);
        net_visitors_leave(&server->visitors, address);
        return false;
    }
    atomic_fetch_add(&server->asking, 1);
    connection->loop = &h2->loops[atomic_fetch_add(&h2->next, 1) % h2->n_loops];
    connection->fd = fd;
    connection->side = side;
    memcpy(&connection->address, address, len);
    connection->arrival.run = h2_connection_arrive;
    h2_loop_post(connection->loop, &connection->arrival);
    return true;
}

void h2_drain(struct net_server *server)
{
    for (uint32_t i = 0; i < server->h2->n_loops; i++)
        h2_loop_wake(&server->h2->loops[i]);
}

static void stop_loop(struct h2_loop *loop)
{
    if (loop->runs) {
        atomic_store(&loop->stop, true);
        h2_loop_wake(loop);
        pthread_join(loop->thread, NULL);
    }
    while (atomic_load(&loop->posting) > 0)
        usleep(1000);
    if (loop->epoll >= 0)
        close(loop->epoll);
    if (loop->wake >= 0)
        close(loop->wake);
}

void h2_stop(struct net_server *server)
{
    struct h2 *h2 = server->h2;
    if (!h2)
        return;
    for (uint32_t i = 0; i < h2->n_loops; i++)
        stop_loop(&h2->loops[i]);
    nghttp2_option_del(h2->option);
    nghttp2_session_callbacks_del(h2->callbacks);
    server->h2 = NULL;
    mem_free(h2);
}

void h2_get_stats(const struct net_server *server, struct net_stats *ret)
{
    for (uint32_t i = 0; i < server->h2->n_loops; i++) {
        ret->connections_h2 += atomic_load(&server->h2->loops[i].n_connections);
        ret->streams += atomic_load(&server->h2->loops[i].n_streams);
    }
}
