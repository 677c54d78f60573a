/* What is kept of a call: lines in the log, and spans. Private to the room. */
#ifndef BERTD_RPC_RECORD_H
#define BERTD_RPC_RECORD_H

#include "server/rpc/stream.h"
#include "server/serve/call.h"

/** After serve_call_answer, with the reply still there. */
void rpc_record(struct rpc_stream *stream, const struct serve_call *call);

#endif
