#include "server/http/connections.h"

#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/cond.h"
#include "base/mem.h"

enum { LEAST_BYTES_PER_SECOND = 16384 };

static const uint64_t second_ns = 1000000000u;

void http_connections_init(struct http_connections *connections, uint32_t idle_seconds)
{
    *connections = (struct http_connections){.idle_ns = idle_seconds * second_ns};
    pthread_mutex_init(&connections->lock, NULL);
    cond_init(&connections->wake);
}

static void sweep(struct http_connections *connections)
{
    uint64_t now = clock_now_ns();
    for (struct http_connection *c = connections->first; c; c = c->next) {
        uint64_t deadline = atomic_load(&c->deadline_ns);
        if (deadline && deadline < now)
            shutdown(c->socket, SHUT_RDWR);
    }
}

static void *sweep_on(void *cookie)
{
    struct http_connections *connections = cookie;
    pthread_mutex_lock(&connections->lock);
    for (uint64_t at = clock_now_ns() + second_ns; !connections->stop;) {
        cond_wait_until(&connections->wake, &connections->lock, at);
        if (clock_now_ns() < at)
            continue;
        sweep(connections);
        at = clock_now_ns() + second_ns;
    }
    pthread_mutex_unlock(&connections->lock);
    return NULL;
}

enum status http_connections_start(struct http_connections *connections, struct error *err)
{
    int failed = pthread_create(&connections->sweeper, NULL, sweep_on, connections);
    if (failed)
        return error_set(err, STATUS_INTERNAL, "the thread that closes idle connections could not be started: %s",
                         strerror(failed));
    connections->sweeping = true;
    return STATUS_OK;
}

void http_connections_finish(struct http_connections *connections)
{
    pthread_mutex_lock(&connections->lock);
    connections->stop = true;
    pthread_cond_signal(&connections->wake);
    pthread_mutex_unlock(&connections->lock);
    if (connections->sweeping)
        pthread_join(connections->sweeper, NULL);
    while (connections->first)
        http_connection_close(connections, connections->first);
    pthread_cond_destroy(&connections->wake);
    pthread_mutex_destroy(&connections->lock);
}

struct http_connection *http_connection_open(struct http_connections *connections, int socket)
{
    struct http_connection *connection = mem_calloc(1, sizeof *connection);
    if (!connection)
        return NULL;
    connection->socket = socket;
    http_connection_expect(connections, connection, 0);
    pthread_mutex_lock(&connections->lock);
    connection->next = connections->first;
    if (connections->first)
        connections->first->previous = connection;
    connections->first = connection;
    pthread_mutex_unlock(&connections->lock);
    return connection;
}

void http_connection_close(struct http_connections *connections, struct http_connection *connection)
{
    if (!connection)
        return;
    pthread_mutex_lock(&connections->lock);
    if (connection->next)
        connection->next->previous = connection->previous;
    if (connection->previous)
        connection->previous->next = connection->next;
    else
        connections->first = connection->next;
    pthread_mutex_unlock(&connections->lock);
    mem_free(connection);
}

void http_connection_expect(const struct http_connections *connections, struct http_connection *connection,
                            uint64_t bytes)
{
    uint64_t moving = bytes / LEAST_BYTES_PER_SECOND * second_ns;
    if (connection)
        atomic_store(&connection->deadline_ns, clock_now_ns() + connections->idle_ns + moving);
}

void http_connection_rest(struct http_connection *connection)
{
    if (connection)
        atomic_store(&connection->deadline_ns, 0);
}

void http_connections_sweep(struct http_connections *connections)
{
    pthread_mutex_lock(&connections->lock);
    sweep(connections);
    pthread_mutex_unlock(&connections->lock);
}
