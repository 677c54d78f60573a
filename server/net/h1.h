/* HTTP/1.1 by libmicrohttpd: exchanges whose answers and bodies pass through its handler. Private to the room. */
#ifndef BERTD_NET_H1_H
#define BERTD_NET_H1_H

#include <microhttpd.h>
#include <pthread.h>

#include "server/net/carrier.h"
#include "server/net/h1_connections.h"

/** One daemon of the library: connections of one side. */
struct h1_daemon {
    struct net_server *server;
    struct MHD_Daemon *library;
    enum net_side side;
    bool tls;
};

/** What HTTP/1.1 adds to a server. */
struct h1 {
    struct h1_daemon daemons[NET_SIDES]; /* by side; library NULL: there is none */
    struct h1_connections connections;
    struct MHD_Response *spare; /* the answer when there is no memory for one; queued any number of times */
    atomic_uint owed;           /* exchanges whose answer is not yet given */
    atomic_uint open;           /* connections */
    atomic_uint resuming;       /* threads inside MHD_resume_connection, which may outlast what it resumes */
};

/** Begin with a daemon for each side that has a listener. Errors: NO_MEMORY, INTERNAL; then there is nothing to finish
 */
enum status h1_start(struct net_server *server, const bool sides[NET_SIDES], struct error *err);
/** A new connection, of which nothing was read yet; its socket is taken even on failure. False: refused, and closed.
 *  When it ends it leaves server->visitors, after a failure too. Thread: any. */
bool h1_take(struct net_server *server, int fd, const struct sockaddr *address, socklen_t len, enum net_side side);
uint32_t h1_count_connections(const struct net_server *server);
/** Wait until no answer is owed, then end. */
void h1_finish(struct net_server *server);

/* What happened to an exchange. */
enum {
    H1_WOKEN = 1,    /* net_wake was called; on_wake is to come */
    H1_LEFT = 2,     /* the client has gone while a stream was written */
    H1_BEGUN = 4,    /* there is an answer, or the head of a stream */
    H1_GIVEN = 8,    /* the handler is done with the exchange */
    H1_OVER = 16,    /* the library is done with it. Who comes second of these two frees it */
    H1_AWAY = 32,    /* suspended in the library */
    H1_STIRRED = 64, /* something happened since the event thread looked: it does not stay suspended */
    H1_CALLED = 128  /* on_wake is being called after H1_OVER: who calls it frees it */
};

/** The body of an answer that comes in pieces. */
struct h1_stream {
    pthread_mutex_t lock;
    struct buf pending; /* what is written and not yet read, from `read` on */
    size_t read;
    bool stopped; /* net_write said so: on_writable is to come */
    bool finished;
    bool aborted;
};

/** One request on a connection, from its first header to the last byte of the answer. */
struct h1_exchange {
    struct net_exchange base; /* first */
    struct h1 *h1;            /* NULL: the handler does not know of it */
    struct MHD_Connection *connection;
    bool tls;
    struct h1_connection *timer; /* of the connection; NULL when memory was short */
    atomic_uint flags;
    /* Copies, which outlive the connection when the client goes before the answer is given. */
    char method[32]; /* cut */
    char *path;
    char *query; /* NULL: none */
    struct sockaddr_storage address;
    uint64_t received; /* bytes of the body since the answer */
    struct error malformed;
    bool ended;               /* the request is whole */
    bool early;               /* answered before its body was read */
    struct h1_stream *stream; /* NULL: the answer is whole */
    struct h1_exchange *next; /* of those that were woken when the library was done with them */
};

/** libmicrohttpd's handlers; `cls` is the daemon. Called with the target as it was sent, before all else. */
void *h1_see_target(void *cls, const char *target, struct MHD_Connection *connection);
enum MHD_Result h1_handle(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
                          const char *version, const char *data, size_t *data_size, void **state);
/** The library is done with the exchange, however it ended. */
void h1_end(void *cls, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode reason);

/** Call on_wake of an exchange that the library is done with, on another thread than its connection's. */
void h1_wake_late(struct h1_exchange *exchange);

/** Note that these flags' events happened: the event thread looks again. */
void h1_stir(struct h1_exchange *exchange, unsigned flags);
/** On the event thread, when it is about to look: what happens from now on stirs. Returns the flags before. */
unsigned h1_look(struct h1_exchange *exchange);
/** Nothing to do until the next stir: suspend. */
void h1_rest(struct h1_exchange *exchange);

/** Hand the answer to the library. NO: the connection must be closed. */
enum MHD_Result h1_queue(struct h1_exchange *exchange);

/* Streams, h1_stream.c. */

/** New; NULL without memory. */
struct h1_stream *h1_stream_create(void);
void h1_stream_destroy(struct h1_stream *stream);
/** The library's response that reads from exchange->stream; NULL without memory. */
struct MHD_Response *h1_stream_response(struct h1_exchange *exchange);
bool h1_stream_write(struct h1_exchange *exchange, const char *bytes, size_t len);
/** There is no more to come; `aborted`: not all came. */
void h1_stream_end(struct h1_exchange *exchange, bool aborted);
/** True where that was said; false without a stream. */
bool h1_stream_is_ended(struct h1_exchange *exchange);

/** How refusals of the library's own are written: net_options. */
void h1_library_set_refusals(void (*write_refusal)(struct buf *out, char ret_id[NET_ID_SIZE], const char *words));

#endif
