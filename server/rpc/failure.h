/* Errors of the request core as what a client of RPC is told. Private to the room. */
#ifndef BERTD_RPC_FAILURE_H
#define BERTD_RPC_FAILURE_H

#include "server/rpc/stream.h"

/** End the stream with an error: its code and words, google.rpc.ErrorInfo with its name, and where it is worth trying
 *  again after `retry_s` seconds, google.rpc.RetryInfo. 0: it is not. */
void rpc_failure_finish(struct rpc_stream *stream, const struct error *err, uint64_t retry_s);

#endif
