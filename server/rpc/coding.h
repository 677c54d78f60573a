/* How messages are compressed: not at all (identity), or gzip by zlib. Private to the room. */
#ifndef BERTD_RPC_CODING_H
#define BERTD_RPC_CODING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/status.h"

enum rpc_coding { RPC_IDENTITY, RPC_GZIP };

/* What a client is told that sends another. */
#define RPC_CODINGS "gzip, identity"

/** The coding of that name; NULL and "" are identity. False: it is not known. */
bool rpc_coding_read(const char *name, enum rpc_coding *ret);
/** True where gzip is in a list of codings with commas between, not refused by ";q=0". NULL: an empty list. */
bool rpc_coding_takes_gzip(const char *list);

/** Append what `bytes` [len] in gzip stand for. Errors: TOO_LARGE (more than `limit` bytes), MALFORMED, NO_MEMORY */
enum status rpc_gunzip(struct buf *out, const char *bytes, size_t len, uint64_t limit, struct error *err);
/** Append `bytes` [len] in gzip, fast rather than small. Sets out->failed where memory is short. */
void rpc_gzip(struct buf *out, const char *bytes, size_t len);

#endif
