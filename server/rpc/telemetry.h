/* What is counted and logged of how streams end. Private to the room. */
#ifndef BERTD_RPC_TELEMETRY_H
#define BERTD_RPC_TELEMETRY_H

#include <stdatomic.h>

#include "server/rpc/stream.h"

struct rpc_server;

enum { RPC_CODES = 17 };

struct rpc_telemetry {
    atomic_uint_fast64_t (*ended)[RPC_CODES]; /* [methods + 1], by method, then code; the last: no such method */
};

/** Add the transport's metrics to the registry of its request core, where there is one: they are read while the server
 *  lives. Errors: NO_MEMORY */
enum status rpc_telemetry_init(struct rpc_server *server, struct error *err);
void rpc_telemetry_finish(struct rpc_server *server);
/** A stream ended with `code`. */
void rpc_telemetry_count(struct rpc_stream *stream, rpc_code code);
/** It ended so in spite of its service, which has recorded nothing: a line in the log. */
void rpc_telemetry_refused(struct rpc_stream *stream, rpc_code code, const char *message);

#endif
