/* A call of the request core in an exchange of server/net. Private to the room. */
#ifndef BERTD_HTTP_EXCHANGE_H
#define BERTD_HTTP_EXCHANGE_H

#include "server/http/endpoints.h"
#include "server/http/http.h"
#include "server/http/telemetry.h"
#include "server/net/coding.h"
#include "server/serve/call.h"
#include "server/serve/request_id.h"

struct http_server {
    struct http_options options; /* read-only */
    struct serve_server *serve;
    struct http_telemetry telemetry;
};

/** The state of an exchange. */
struct http_exchange {
    struct serve_call call;
    struct http_request request;
    char id[SERVE_ID_SIZE];
    uint32_t route;                       /* see http_route_index */
    const struct http_endpoint *endpoint; /* NULL: none, it was refused or is OPTIONS */
    struct http_server *server;
    struct net_exchange *net;
    struct net_decoder *decoder; /* of the body; NULL: it is as it is */
    size_t decoder_size;         /* reserved for it */
    enum wire_error_form error_form;
    enum net_coding accepted; /* what the client would have */
    enum net_coding coding;   /* of the answer */
    bool codable;             /* it is one of those that are coded when the client takes that */
    bool running;             /* handed to the core, which makes it ready */
    bool gone;                /* the client has */
    const char *allow;        /* for the Allow header, NULL: none; static */
};

/** Answer with the call's reply, or its error in JSON. */
void http_exchange_respond(struct http_exchange *exchange);
/** The status code of the answer to a call that has its result. */
unsigned http_exchange_code(const struct http_exchange *exchange);
/** Count and log an answer with so many bytes of body. */
void http_exchange_record(struct http_exchange *exchange, size_t len);

#endif
