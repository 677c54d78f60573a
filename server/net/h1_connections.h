/* Open connections, each with the time by which something has to have happened: a client that sends or reads byte by
 * byte resets libmicrohttpd's timeout for ever, but not this one. And the end of what a client sends, which the library
 * may miss. Private to the room. */
#ifndef BERTD_NET_H1_CONNECTIONS_H
#define BERTD_NET_H1_CONNECTIONS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "server/net/h1_linger.h"

struct h1_exchange;
struct net_tls_keys;

struct h1_connection {
    struct h1_connection *next;
    struct h1_connection *previous;
    int socket;
    bool asked;                       /* its first request has begun. The event thread's */
    struct net_tls_keys *keys;        /* of its TLS; NULL: plain */
    struct h1_exchange *stream;       /* to be told when the client ends; NULL: none. Guarded by the lock */
    atomic_uint_fast64_t deadline_ns; /* 0: none, the request's own holds */
};

struct h1_connections {
    pthread_mutex_t lock;
    struct h1_connection *first;
    uint64_t idle_ns;
    pthread_t sweeper;
    pthread_cond_t wake; /* the sweeper, to end */
    bool stop;
    int epoll; /* level-triggered, over all sockets */
    struct h1_linger linger;
    void (*on_left)(struct h1_exchange *exchange);
    void (*on_woken)(struct h1_exchange *exchange);
    struct h1_exchange *woken; /* the library is done with them: nobody else calls on_wake */
};

/** Begin, with the thread that looks at all connections ten times a second: it shuts down those whose time is over,
 *  and tells the library of those whose client has ended, and with `on_left` the exchange that writes a stream to it.
 *  With `on_woken` it wakes those that the library is done with. Errors: INTERNAL (file descriptors, threads); then
 * there is nothing to finish. */
enum status h1_connections_start(struct h1_connections *connections, uint32_t idle_seconds,
                                 void (*on_left)(struct h1_exchange *exchange),
                                 void (*on_woken)(struct h1_exchange *exchange), struct error *err);
/** End that thread and forget the connections. */
void h1_connections_finish(struct h1_connections *connections);
/** New, owned by the list; NULL when out of memory, which the functions below take. */
struct h1_connection *h1_connection_open(struct h1_connections *connections, int socket);
/** The library is about to close the socket. */
void h1_connection_close(struct h1_connections *connections, struct h1_connection *connection);
/** Expect `bytes` to move from now on, at 16 KiB a second on average, after one idle time. */
void h1_connection_expect(const struct h1_connections *connections, struct h1_connection *connection, uint64_t bytes);
/** A stream is being written, whose exchange is told of the client's end; NULL: no longer. */
void h1_connection_stream(struct h1_connections *connections, struct h1_connection *connection,
                          struct h1_exchange *exchange);
/** Have the sweeper call on_woken, soon. */
void h1_connections_wake(struct h1_connections *connections, struct h1_exchange *exchange);
/** Expect nothing: the request is being worked on. */
void h1_connection_rest(struct h1_connection *connection);

#endif
