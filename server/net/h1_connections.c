#include "server/net/h1_connections.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cond.h"
#include "base/mem.h"
#include "server/net/h1.h"

enum { LEAST_BYTES_PER_SECOND = 16384, MAX_EVENTS = 64 };

static const uint64_t second_ns = 1000000000u, tick_ns = 100000000u;

/* The other side has sent its last byte. libmicrohttpd waits for edges, and takes a read that does not fill its buffer
 * for the last of one: an end that came together with bytes is never seen. To shut down our reading side loses no byte,
 * and makes another edge. It is made again until the connection is closed: it may come before the read, too. */
static void tell_ends(struct h1_connections *connections)
{
    struct epoll_event events[MAX_EVENTS];
    int n = epoll_wait(connections->epoll, events, MAX_EVENTS, 0);
    for (int i = 0; i < n; i++) {
        struct h1_connection *connection = events[i].data.ptr;
        shutdown(connection->socket, SHUT_RD);
        if (connection->stream)
            connections->on_left(connection->stream);
    }
}

static void sweep(struct h1_connections *connections)
{
    uint64_t now = clock_now_ns();
    tell_ends(connections);
    h1_linger_sweep(&connections->linger);
    for (struct h1_connection *c = connections->first; c; c = c->next) {
        uint64_t deadline = atomic_load(&c->deadline_ns);
        if (deadline && deadline < now)
            shutdown(c->socket, SHUT_RDWR);
    }
}

/* The lock is given up for each: what is woken may end. */
static void call_woken(struct h1_connections *connections)
{
    struct h1_exchange *x;
    while ((x = connections->woken)) {
        connections->woken = x->next;
        pthread_mutex_unlock(&connections->lock);
        connections->on_woken(x);
        pthread_mutex_lock(&connections->lock);
    }
}

static void *sweep_on(void *cookie)
{
    struct h1_connections *connections = cookie;
    pthread_mutex_lock(&connections->lock);
    while (!connections->stop) {
        sweep(connections);
        call_woken(connections);
        cond_wait_until(&connections->wake, &connections->lock, clock_now_ns() + tick_ns);
    }
    pthread_mutex_unlock(&connections->lock);
    return NULL;
}

enum status h1_connections_start(struct h1_connections *connections, uint32_t idle_seconds,
                                 void (*on_left)(struct h1_exchange *exchange),
                                 void (*on_woken)(struct h1_exchange *exchange), struct error *err)
{
    *connections =
        (struct h1_connections){.idle_ns = idle_seconds * second_ns, .on_left = on_left, .on_woken = on_woken};
    connections->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (connections->epoll < 0)
        return error_set(err, STATUS_INTERNAL, "epoll_create1: %s", strerror(errno));
    pthread_mutex_init(&connections->lock, NULL);
    cond_init(&connections->wake);
    int failed = pthread_create(&connections->sweeper, NULL, sweep_on, connections);
    if (!failed)
        return STATUS_OK;
    pthread_cond_destroy(&connections->wake);
    pthread_mutex_destroy(&connections->lock);
    close(connections->epoll);
    return error_set(err, STATUS_INTERNAL, "the thread that closes idle connections could not be started: %s",
                     strerror(failed));
}

void h1_connections_finish(struct h1_connections *connections)
{
    pthread_mutex_lock(&connections->lock);
    connections->stop = true;
    pthread_cond_signal(&connections->wake);
    pthread_mutex_unlock(&connections->lock);
    pthread_join(connections->sweeper, NULL);
    while (connections->first)
        h1_connection_close(connections, connections->first);
    pthread_cond_destroy(&connections->wake);
    pthread_mutex_destroy(&connections->lock);
    h1_linger_finish(&connections->linger);
    close(connections->epoll);
}

struct h1_connection *h1_connection_open(struct h1_connections *connections, int socket)
{
    struct h1_connection *connection = mem_calloc(1, sizeof *connection);
    if (!connection)
        return NULL;
    connection->socket = socket;
    h1_connection_expect(connections, connection, 0);
    pthread_mutex_lock(&connections->lock);
    connection->next = connections->first;
    if (connections->first)
        connections->first->previous = connection;
    connections->first = connection;
    struct epoll_event event = {.events = EPOLLRDHUP, .data.ptr = connection};
    epoll_ctl(connections->epoll, EPOLL_CTL_ADD, socket, &event); /* without it, the deadline is still kept */
    pthread_mutex_unlock(&connections->lock);
    return connection;
}

void h1_connection_close(struct h1_connections *connections, struct h1_connection *connection)
{
    if (!connection)
        return;
    pthread_mutex_lock(&connections->lock);
    epoll_ctl(connections->epoll, EPOLL_CTL_DEL, connection->socket, NULL);
    h1_linger_add(&connections->linger, connection->socket);
    if (connection->next)
        connection->next->previous = connection->previous;
    if (connection->previous)
        connection->previous->next = connection->next;
    else
        connections->first = connection->next;
    pthread_mutex_unlock(&connections->lock);
    mem_free(connection);
}

void h1_connection_expect(const struct h1_connections *connections, struct h1_connection *connection, uint64_t bytes)
{
    uint64_t moving = bytes / LEAST_BYTES_PER_SECOND * second_ns;
    if (connection)
        atomic_store(&connection->deadline_ns, clock_now_ns() + connections->idle_ns + moving);
}

void h1_connection_stream(struct h1_connections *connections, struct h1_connection *connection,
                          struct h1_exchange *exchange)
{
    if (!connection || (!exchange && !connection->stream))
        return;
    pthread_mutex_lock(&connections->lock);
    connection->stream = exchange;
    pthread_mutex_unlock(&connections->lock);
}

void h1_connections_wake(struct h1_connections *connections, struct h1_exchange *exchange)
{
    pthread_mutex_lock(&connections->lock);
    exchange->next = connections->woken;
    connections->woken = exchange;
    pthread_cond_signal(&connections->wake);
    pthread_mutex_unlock(&connections->lock);
}

void h1_connection_rest(struct h1_connection *connection)
{
    if (connection)
        atomic_store(&connection->deadline_ns, 0);
}
