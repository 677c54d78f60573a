/* HTTP requests and their answers, whatever carries them: HTTP/1.1 by libmicrohttpd or HTTP/2 by nghttp2, plain or in
 * TLS, on one port. It knows connections, not what is asked: handlers take the requests (server/http, server/rpc).
 *
 * Life: net_listen (early: tells whether an address is free), net_server_create (serves from then on),
 * net_server_drain, net_server_quiesce, net_server_newcomers and net_server_active until 0, net_server_destroy.
 *
 * An exchange is one request and its answer. Its handler is called, in this order:
 *
 *   on_head    the method, the path, all headers are there
 *   on_body    a piece of the body, any number of times
 *   on_end     the request is whole
 *   on_over    the answer is sent, or was given up: the exchange is freed after it
 *
 * The handler owes every exchange an answer: once, from on_head on, from any thread, even when the client has gone
 * meanwhile (on_gone): also when that was before on_end. It gives it whole (net_respond) or as a stream (net_begin,
 * net_write.., net_finish). After all of an answer before on_end (on HTTP/1.1: after net_begin already) the carrier
 * deals with the rest of the request by itself: no on_body, no on_end.
 *
 * What is done elsewhere comes back by net_wake: then on_wake runs on the event thread, which may encode the answer and
 * give it there, at no further change of threads.
 *
 * A head that breaks HTTP's rules comes to on_head, too, with net_exchange_error: the handler answers with that error,
 * and the connection ends.
 *
 * All callbacks of one exchange come on one thread, the event thread of its connection (but for on_over when the client
 * had gone before the answer was given: it may come on the thread that gives it). They must not block. What the other
 * functions say of threads stands with each.
 */
#ifndef BERTD_NET_NET_H
#define BERTD_NET_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/status.h"

struct net_server;
struct net_exchange;

/** Who takes requests. */
struct net_handler {
    /** True where this handler takes the request; called with its head, before on_head. NULL: it takes all. */
    bool (*takes)(const struct net_exchange *exchange);
    void (*on_head)(struct net_exchange *exchange);
    void (*on_body)(struct net_exchange *exchange, const char *bytes, size_t len);
    void (*on_end)(struct net_exchange *exchange);
    /** The client has gone or has given up this request before the answer was given: what is computed for it may be
     *  cancelled. The answer is owed all the same, and dropped. At most once. HTTP/1.1 notices it before on_end and
     * while a stream is written; between, net_exchange_socket can be watched. */
    void (*on_gone)(struct net_exchange *exchange);
    /** net_wake was called, once or several times since. NULL: it never is. */
    void (*on_wake)(struct net_exchange *exchange);
    /** Of what was written by net_write, less than NET_STREAM_LOW bytes wait to be sent: write more. Comes after
     *  net_write has returned false. NULL where the handler does not stream. */
    void (*on_writable)(struct net_exchange *exchange);
    void (*on_over)(struct net_exchange *exchange);
    size_t state_size; /* bytes of its own for each exchange, zeroed: net_exchange_state */
    void *cookie;      /* for the handler: net_exchange_cookie */
};

/** For whom a listening socket is. */
enum net_side {
    NET_PUBLIC,
    NET_LOCAL, /* as public, but never in TLS */
    NET_ADMIN, /* for operators; never in TLS */
    NET_SIDES
};

enum { NET_ID_SIZE = 129 };

struct net_listener {
    int fd; /* taken by net_server_create on success */
    enum net_side side;
    bool lent; /* another process listens on, too: it is closed here at the end, and goes on there */
};

/** Everything pointed to is borrowed until net_server_destroy. */
struct net_options {
    const struct net_handler *handlers; /* [n_handlers], asked in this order; the last takes all */
    uint32_t n_handlers;
    uint32_t max_connections;
    uint32_t max_connections_per_ip; /* 0: no limit */
    uint32_t idle_timeout_s;         /* a connection without a request, or on which nothing moves */
    const char *cors_allow_origin;   /* NULL: none; "*", or origins with commas between */
    uint32_t cores;                  /* for the number of event threads */
    /** What HTTP/1.1's library cannot parse reaches no handler: write the answer's body, in JSON, and its x-request-id;
     *  `words` say what is wrong. Thread: any. */
    void (*write_refusal)(struct buf *out, char ret_id[NET_ID_SIZE], const char *words);
    const char *spare_body; /* JSON of a 500 when there is no memory for any other answer */
    uint64_t discard_limit; /* bytes of a body that was answered early and are read past, to keep the connection */
    /* HTTP/2: */
    uint32_t max_streams; /* at once on a connection */
    uint32_t keepalive_s; /* ping a silent connection after so long, end it when it does not answer; 0: never */
    uint32_t max_age_s;   /* ask clients to connect anew after so long; 0: never */
    struct net_tls *tls;  /* of public listeners; NULL: plain. See tls.h */
};

/** Bind a TCP socket without listening yet: others see the port taken, clients are refused.
 *  ret_fd    new; net_server_create takes it, else close it
 *  ret_port  the port, of use where `port` is 0
 *  Errors: USAGE (no such address), IO (taken, not allowed), naming address and port */
enum status net_listen(int *ret_fd, uint16_t *ret_port, const char *hostname, uint16_t port, struct error *err);
/** The same for a socket in the file system. An old one that nobody listens on is replaced. Errors: USAGE, IO */
enum status net_listen_unix(int *ret_fd, const char *path, struct error *err);

/** Make ready a socket that another process has bound and listens on. It may be in the file system.
 *  ret_port    0: it is no TCP socket
 *  ret_local   it is in the file system
 *  Errors: USAGE (`fd` is no socket that takes connections) */
enum status net_listen_lent(int fd, uint16_t *ret_port, bool *ret_local, struct error *err);

/** Begin to serve. `ret`: new; net_server_destroy. Errors: NO_MEMORY, IO, INTERNAL (threads, sockets) */
enum status net_server_create(struct net_server **ret, const struct net_options *options,
                              const struct net_listener *listeners, uint32_t n_listeners, struct error *err);
/** From now on every answer closes its connection, and HTTP/2 clients are told to go elsewhere (GOAWAY). Thread: any.
 */
void net_server_drain(struct net_server *server);
/** Accept no more connections; those that are open go on. Thread: one, once or more. */
void net_server_quiesce(struct net_server *server);
/** Requests that have begun and whose answer is not yet sent. Thread: any. */
uint32_t net_server_active(struct net_server *server);
/** Connections of which no request has begun; without `silent` only those of which bytes have come. It counts in
 *  net_server_active before it counts no more here. Thread: any. */
uint32_t net_server_newcomers(struct net_server *server, bool silent);
/** Wait until every exchange has been given its answer (the handlers' work is to see to that), cut what is being sent,
 *  free. Sets the pointer to NULL; NULL is fine. */
void net_server_destroy(struct net_server **server);

/** How many connections there are, and how many were taken and refused. Thread: any. */
struct net_stats {
    uint32_t connections_h1;
    uint32_t connections_h2;
    uint32_t streams; /* of HTTP/2, open now */
    uint64_t taken;   /* connections, ever */
    uint64_t refused; /* closed at once, over a limit */
};
void net_server_get_stats(struct net_server *server, struct net_stats *ret);

/** The version of libmicrohttpd that runs, "1.0.1"; static. Before 1.0 some malformed requests get no answer. */
const char *net_library_version(void);

/* The request. Thread: any, until the answer is given. Strings are borrowed until then. */

const char *net_exchange_method(const struct net_exchange *exchange); /* "POST" */
const char *net_exchange_path(const struct net_exchange *exchange);   /* decoded, without a query: "/embed" */
const char *net_exchange_query(const struct net_exchange *exchange);  /* as sent, after the '?'; NULL: none */
/** The value of a header, the first where there are several; NULL: none. `name` in any case. Before on_over. */
const char *net_exchange_header(const struct net_exchange *exchange, const char *name);
/** Call `visit` with every header, in their order, also where a name comes several times. Before on_over. */
void net_exchange_each_header(const struct net_exchange *exchange,
                              void (*visit)(void *cookie, const char *name, const char *value), void *cookie);
/** 10, 11 or 20. */
unsigned net_exchange_version(const struct net_exchange *exchange);
enum net_side net_exchange_side(const struct net_exchange *exchange);
/** Bytes of the body as its head declares them, 0: none; NET_LENGTH_UNKNOWN. */
uint64_t net_exchange_length(const struct net_exchange *exchange);
#define NET_LENGTH_UNKNOWN UINT64_MAX
/** To be watched for the client's end while the answer is being made; -1: on_gone tells. */
int net_exchange_socket(const struct net_exchange *exchange);
/** The client's address without a port, [*ret_len]; borrowed. */
const void *net_exchange_address(const struct net_exchange *exchange, size_t *ret_len);
enum { NET_ADDRESS_SIZE = 64 };
/** The same for the log, "127.0.0.1"; "unix". */
void net_exchange_address_text(const struct net_exchange *exchange, char ret[NET_ADDRESS_SIZE]);

/** What is wrong with the head, as a status and words; NULL: nothing. */
const struct error *net_exchange_error(const struct net_exchange *exchange);

void *net_exchange_state(struct net_exchange *exchange);
void *net_exchange_cookie(const struct net_exchange *exchange);

/* Receiving slowly (HTTP/2 alone): the client may send so much as was consumed, and no more. */

/** From on_head: pieces of the body count against the client's window until net_consume. */
void net_exchange_hold(struct net_exchange *exchange);
/** `bytes` of the body are done with. Thread: any. */
void net_consume(struct net_exchange *exchange, size_t bytes);

/** Have on_wake called on the event thread, soon. Not after the answer was given. Thread: any, at any time. */
void net_wake(struct net_exchange *exchange);

/* The answer. Given by one thread at a time. */

/** Add a header, before net_respond or net_begin. Both strings are copied. Where memory is short the answer becomes an
 *  error. `name` in lower case. Content-Length, Connection, Date, and CORS are the carrier's. */
void net_add(struct net_exchange *exchange, const char *name, const char *value);
void net_add_number(struct net_exchange *exchange, const char *name, uint64_t value);
/** Add a trailer, before net_respond or net_finish. HTTP/2 alone; elsewhere it does nothing. */
void net_add_trailer(struct net_exchange *exchange, const char *name, const char *value);
/** Close the connection after the answer (HTTP/1.1). */
void net_close_after(struct net_exchange *exchange);
/** Answer with all of a body: `body` [len] is taken, to be freed by mem_free; NULL: none. After it the exchange may be
 *  over: touch it no more (inside one of its callbacks: until that returns). Thread: any. */
void net_respond(struct net_exchange *exchange, unsigned code, char *body, size_t len);
/** Answer that there was no memory for an answer: 500 with net_options.spare_body, without the headers that were added.
 *  As net_respond otherwise. */
void net_respond_spare(struct net_exchange *exchange);
/** Answer with a body that comes in pieces. Thread: any. */
void net_begin(struct net_exchange *exchange, unsigned code);
enum { NET_STREAM_HIGH = 64 << 10, NET_STREAM_LOW = 16 << 10 };
/** Add a piece, copied. False: more than NET_STREAM_HIGH bytes wait to be sent, stop until on_writable. What is written
 *  to a client that has gone is dropped. Thread: any. */
bool net_write(struct net_exchange *exchange, const char *bytes, size_t len);
/** The body is whole. As with net_respond, touch the exchange no more. Thread: any. */
void net_finish(struct net_exchange *exchange);
/** In place of net_finish: the answer cannot be ended well. HTTP/2: RST_STREAM with `error` (RFC 9113, 7); HTTP/1.1:
 * the connection is closed. Thread: any. */
void net_abort(struct net_exchange *exchange, uint32_t error);

#endif
