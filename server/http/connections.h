/* Open connections, each with the time by which something has to have happened: a client that sends or reads byte by
 * byte resets libmicrohttpd's timeout for ever, but not this one. And the end of what a client sends, which the library
 * may miss. Private to the room. */
#ifndef BERTD_HTTP_CONNECTIONS_H
#define BERTD_HTTP_CONNECTIONS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "server/http/linger.h"

struct http_connection {
    struct http_connection *next;
    struct http_connection *previous;
    int socket;
    atomic_uint_fast64_t deadline_ns; /* 0: none, the request's own holds */
};

struct http_connections {
    pthread_mutex_t lock;
    struct http_connection *first;
    uint64_t idle_ns;
    pthread_t sweeper;
    pthread_cond_t wake; /* the sweeper, to end */
    bool stop;
    int epoll; /* level-triggered, over all sockets */
    struct http_linger linger;
};

/** Begin, with the thread that looks at all connections ten times a second: it shuts down those whose time is over,
 *  and tells the library of those whose client has ended. Errors: INTERNAL (file descriptors, threads); then there is
 *  nothing to finish. */
enum status http_connections_start(struct http_connections *connections, uint32_t idle_seconds, struct error *err);
/** End that thread and forget the connections. */
void http_connections_finish(struct http_connections *connections);
/** New, owned by the list; NULL when out of memory, which the functions below take. */
struct http_connection *http_connection_open(struct http_connections *connections, int socket);
/** The library is about to close the socket. */
void http_connection_close(struct http_connections *connections, struct http_connection *connection);
/** Expect `bytes` to move from now on, at 16 KiB a second on average, after one idle time. */
void http_connection_expect(const struct http_connections *connections, struct http_connection *connection,
                            uint64_t bytes);
/** Expect nothing: the request is being worked on. */
void http_connection_rest(struct http_connection *connection);

#endif
