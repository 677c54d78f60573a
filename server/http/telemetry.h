/* What the transport counts: responses by route and code. Private to the room. */
#ifndef BERTD_HTTP_TELEMETRY_H
#define BERTD_HTTP_TELEMETRY_H

#include <stdatomic.h>

#include "base/status.h"
#include "server/http/endpoints.h"

struct http_server;

enum { HTTP_CODES = 19 };

struct http_telemetry {
    atomic_uint_fast64_t responses[HTTP_ROUTES][HTTP_CODES];
};

/** Add the transport's metrics to the registry of its request core: they are read while the server lives.
 *  Errors: NO_MEMORY. */
enum status http_telemetry_init(struct http_server *server, struct error *err);
/** Count a response. Thread: any. */
void http_telemetry_count(struct http_telemetry *telemetry, uint32_t route, unsigned code);

#endif
