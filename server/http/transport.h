/* The calls' carrier over HTTP/1.1: libmicrohttpd. Only transport.c, exchange.c and respond.c know it.
 * Private to the room. */
#ifndef BERTD_HTTP_TRANSPORT_H
#define BERTD_HTTP_TRANSPORT_H

#include <microhttpd.h>

#include "server/http/call.h"
#include "server/http/connections.h"
#include "server/http/server.h"

struct http_transport {
    struct http_server *server;
    struct MHD_Daemon *daemon;
    struct http_connections connections;
    int quiesced_fd; /* the listening socket after http_transport_quiesce; -1 */
};

/** One request on a connection, from its first header to the last byte of the answer. */
struct http_exchange {
    struct http_call call;
    struct http_transport *transport;
    struct MHD_Connection *connection;
    struct http_connection *timer; /* of the connection; NULL when memory was short */
    struct buf body;
    uint64_t received; /* bytes of the body, kept or not */
    bool ran;          /* handed to the core: the next time it is called, there is an answer */
    bool away;         /* suspended, and not yet back */
    bool early;        /* answered before its body was read */
    bool closes;       /* the connection ends with the answer */
    const char *method;
    const char *allow;        /* for the Allow header, NULL: none; static */
    const char *allow_origin; /* for CORS; NULL: none */
};

/** Serve on `fd`, which listens from then on. `ret`: new. Errors: NO_MEMORY, IO, INTERNAL. */
enum status http_transport_create(struct http_transport **ret, struct http_server *server, int fd, struct error *err);
/** Accept no more. */
void http_transport_quiesce(struct http_transport *transport);
/** Close all connections; no call may be running. Sets the pointer to NULL; NULL is fine. */
void http_transport_destroy(struct http_transport **transport);

/** libmicrohttpd's handler of requests, `cls` is the transport. */
enum MHD_Result http_exchange_handle(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
                                     const char *version, const char *data, size_t *data_size, void **state);
/** The exchange is over, however it ended. */
void http_exchange_end(void *cls, struct MHD_Connection *connection, void **state,
                       enum MHD_RequestTerminationCode reason);
/** Queue the call's reply. NO: the connection must be closed. */
enum MHD_Result http_exchange_respond(struct http_exchange *exchange);

#endif
