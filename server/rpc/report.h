/* What an inference took, as clients of text-embeddings-inference are told. Private to the room. */
#ifndef BERTD_RPC_REPORT_H
#define BERTD_RPC_REPORT_H

#include "server/rpc/stream.h"
#include "server/serve/infer.h"
#include "tei.pb-c.h"

/** As a message; `ret` needs no freeing. */
void rpc_report_fill(const struct serve_infer *infer, Tei__V1__Metadata *ret);
/** As headers of a unary answer. */
void rpc_report_add_headers(struct rpc_stream *stream, const struct serve_infer *infer);

#endif
