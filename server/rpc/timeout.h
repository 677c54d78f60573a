/* How long a client is ready to wait, as its headers say it. Private to the room. */
#ifndef BERTD_RPC_TIMEOUT_H
#define BERTD_RPC_TIMEOUT_H

#include <stdbool.h>
#include <stdint.h>

/** A value of grpc-timeout, "100m": at most 8 digits and a unit out of H, M, S, m, u, n. In nanoseconds, UINT64_MAX
 *  where it is more. False: it is something else. */
bool rpc_timeout_grpc(const char *text, uint64_t *ret_ns);
/** A value of Connect-Timeout-Ms, at most 10 digits. */
bool rpc_timeout_connect(const char *text, uint64_t *ret_ns);
/** The time `after_ns` after `now_ns`; 0 (no deadline) where that is out of reach. */
uint64_t rpc_timeout_deadline(uint64_t now_ns, uint64_t after_ns);

#endif
