/* What an endpoint needs of the server. Private to the room. */
#ifndef BERTD_HTTP_SERVER_H
#define BERTD_HTTP_SERVER_H

#include <stdatomic.h>

#include "server/http/http.h"
#include "server/http/pool.h"
#include "server/http/prompts.h"
#include "server/http/telemetry.h"
#include "server/http/watch.h"

struct http_transport;

struct http_server {
    struct http_options options; /* read-only */
    struct http_prompts prompts; /* read-only */
    struct http_telemetry telemetry;
    struct http_pool pool;
    struct http_watch watch;
    uint64_t seed;      /* of the numbers for clients: they tell nothing about a key, and nobody can aim at another's */
    atomic_uint active; /* calls admitted and not yet answered */
    atomic_uint open;   /* requests whose answer is not yet sent */
    atomic_uint away;   /* of these, suspended in the transport */
    atomic_uint_fast64_t memory;              /* bytes reserved by calls */
    atomic_bool draining;                     /* /health says 503 */
    atomic_bool closing;                      /* nothing is taken any more */
    struct http_transport *_Atomic transport; /* NULL before it runs and after */
};

/** True when a request would be served: not shutting down, and a board is ready. */
bool http_server_healthy(struct http_server *server);

#endif
