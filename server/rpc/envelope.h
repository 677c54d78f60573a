/* Messages with a head of five bytes, as gRPC, gRPC-Web and Connect's streams send them: flags, then the length in four
 * bytes, the highest first. Private to the room. */
#ifndef BERTD_RPC_ENVELOPE_H
#define BERTD_RPC_ENVELOPE_H

#include <stdint.h>

#include "base/buf.h"

enum {
    RPC_ENVELOPE_HEAD = 5,
    RPC_ENVELOPE_COMPRESSED = 0x01,
    RPC_ENVELOPE_END = 0x02,      /* Connect: the end of the stream, in JSON */
    RPC_ENVELOPE_TRAILERS = 0x80, /* gRPC-Web */
};

/** What came and is not yet read. Zeroed: nothing. */
struct rpc_envelopes {
    struct buf bytes;
    size_t read; /* of these */
};

struct rpc_envelope {
    unsigned flags;
    const char *bytes; /* [len]; borrowed until the next call */
    size_t len;
};

enum rpc_envelope_next { RPC_ENVELOPE_NONE, RPC_ENVELOPE_WHOLE, RPC_ENVELOPE_TOO_LONG };

/** Keep what came. Sets bytes.failed where memory is short. */
void rpc_envelopes_add(struct rpc_envelopes *envelopes, const char *bytes, size_t len);
/** Take the next one if all of it is there. TOO_LONG: it says that it has more than `limit` bytes. */
enum rpc_envelope_next rpc_envelopes_next(struct rpc_envelopes *envelopes, uint64_t limit, struct rpc_envelope *ret);
/** Move what is left to the front; give memory back that only a long message needed. */
void rpc_envelopes_compact(struct rpc_envelopes *envelopes);
/** Bytes that are there and not yet read. */
size_t rpc_envelopes_left(const struct rpc_envelopes *envelopes);
void rpc_envelopes_finish(struct rpc_envelopes *envelopes);

/** Append an envelope. */
void rpc_envelope_write(struct buf *out, unsigned flags, const char *bytes, size_t len);

#endif
