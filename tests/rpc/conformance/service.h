/* The ConformanceService of the Connect project: it answers as each request asks, and says what it saw. */
#ifndef TESTS_RPC_CONFORMANCE_SERVICE_H
#define TESTS_RPC_CONFORMANCE_SERVICE_H

#include "server/rpc/stream.h"

extern const struct rpc_service conformance_service;
/** For rpc_codec_set_types: what its Any may hold. */
extern const ProtobufCMessageDescriptor *const conformance_types[];
extern const size_t conformance_n_types;

#endif
