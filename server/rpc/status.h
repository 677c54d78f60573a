/* How a call ended, in the words of each protocol. Private to the room. */
#ifndef BERTD_RPC_STATUS_H
#define BERTD_RPC_STATUS_H

#include "base/buf.h"
#include "server/rpc/stream.h"

/* X(name, number in gRPC, name in Connect, HTTP status in Connect) */
#define RPC_CODE_MAP(X)                                                                                                \
    X(OK, 0, "ok", 200)                                                                                                \
    X(CANCELLED, 1, "canceled", 499)                                                                                   \
    X(UNKNOWN, 2, "unknown", 500)                                                                                      \
    X(INVALID_ARGUMENT, 3, "invalid_argument", 400)                                                                    \
    X(DEADLINE_EXCEEDED, 4, "deadline_exceeded", 504)                                                                  \
    X(NOT_FOUND, 5, "not_found", 404)                                                                                  \
    X(ALREADY_EXISTS, 6, "already_exists", 409)                                                                        \
    X(PERMISSION_DENIED, 7, "permission_denied", 403)                                                                  \
    X(RESOURCE_EXHAUSTED, 8, "resource_exhausted", 429)                                                                \
    X(FAILED_PRECONDITION, 9, "failed_precondition", 400)                                                              \
    X(ABORTED, 10, "aborted", 409)                                                                                     \
    X(OUT_OF_RANGE, 11, "out_of_range", 400)                                                                           \
    X(UNIMPLEMENTED, 12, "unimplemented", 501)                                                                         \
    X(INTERNAL, 13, "internal", 500)                                                                                   \
    X(UNAVAILABLE, 14, "unavailable", 503)                                                                             \
    X(DATA_LOSS, 15, "data_loss", 500)                                                                                 \
    X(UNAUTHENTICATED, 16, "unauthenticated", 401)

enum {
#define X(name, number, connect, http) RPC_##name = number,
    RPC_CODE_MAP(X)
#undef X
};

/** How a call ended. Everything pointed to is borrowed. */
struct rpc_status {
    rpc_code code;
    const char *message;              /* NULL: none */
    const struct rpc_detail *details; /* [n_details] */
    uint32_t n_details;
};

/* Static; those of UNKNOWN where there is no such code: */
const char *rpc_code_name(rpc_code code);         /**< "INVALID_ARGUMENT" */
const char *rpc_code_connect_name(rpc_code code); /**< "invalid_argument" */
unsigned rpc_code_http(rpc_code code);            /**< 400 */

/** Append {"code":..,"message":..,"details":[{"type":..,"value":..}]}, as Connect has it. */
void rpc_status_write_json(struct buf *out, const struct rpc_status *status);
/** Append a google.rpc.Status, in proto encoding. */
void rpc_status_write_proto(struct buf *out, const struct rpc_status *status);
/** Append a message as grpc-message has it: what is outside of 0x20..0x7e, and '%', in %HH. */
void rpc_status_write_percent(struct buf *out, const char *message);
/** Append a string of JSON, quoted. Bytes that are not UTF-8 become U+FFFD. */
void rpc_status_write_string(struct buf *out, const char *text);

#endif
