/* Calls over HTTP/1.1 by libmicrohttpd, which no endpoint knows. Private to the room. */
#ifndef BERTD_HTTP_TRANSPORT_H
#define BERTD_HTTP_TRANSPORT_H

#include <microhttpd.h>
#include <stdatomic.h>

#include "server/http/connections.h"
#include "server/http/endpoints.h"
#include "server/http/http.h"
#include "server/http/telemetry.h"
#include "server/serve/call.h"
#include "server/serve/request_id.h"

struct http_server {
    struct http_options options; /* read-only */
    struct serve_server *serve;
    struct MHD_Daemon *daemon;
    struct http_connections connections;
    struct http_telemetry telemetry;
    int quiesced_fd;            /* the listening socket after http_server_quiesce; -1 */
    atomic_uint open;           /* requests whose answer is not yet sent */
    atomic_uint away;           /* of these, suspended in libmicrohttpd */
    atomic_uint resuming;       /* threads inside MHD_resume_connection, which may outlast what it resumes */
    struct MHD_Response *spare; /* the answer when there is no memory for one; queued any number of times */
};

/** One request on a connection, from its first header to the last byte of the answer. */
struct http_exchange {
    struct serve_call call;
    char id[SERVE_ID_SIZE];
    uint32_t route;                       /* see http_route_index */
    const struct http_endpoint *endpoint; /* NULL: none, it was refused or is OPTIONS */
    struct http_server *server;
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

/** libmicrohttpd's handler of requests, `cls` is the server. */
enum MHD_Result http_exchange_handle(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
                                     const char *version, const char *data, size_t *data_size, void **state);
/** The exchange is over, however it ended. */
void http_exchange_end(void *cls, struct MHD_Connection *connection, void **state,
                       enum MHD_RequestTerminationCode reason);
/** Queue the answer: the call's reply, or its error in JSON, or the spare answer. NO: the connection must be closed. */
enum MHD_Result http_exchange_respond(struct http_exchange *exchange);
/** The status code of the answer to a call that has its result. */
unsigned http_exchange_code(const struct http_exchange *exchange);
/** Count and log an answer with so many bytes of body. */
void http_exchange_record(struct http_exchange *exchange, size_t len);
/** New: the spare answer, 500 and an error in JSON. NULL when there is no memory. */
struct MHD_Response *http_spare_response(void);

#endif
