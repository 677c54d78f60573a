/* Base64 as RPC has it: without padding in what is written, piece by piece in what is read. Private to the room. */
#ifndef BERTD_RPC_BASE64_H
#define BERTD_RPC_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/** Append `bytes` [len] in the standard alphabet, without padding. */
void rpc_base64_write(struct buf *out, const void *bytes, size_t len);

/** A text being decoded piece by piece. Zeroed: at its beginning. */
struct rpc_base64 {
    uint32_t bits; /* of the group so far */
    unsigned n;    /* characters of the group so far */
    unsigned pads; /* '=' among them */
};

/** Append what a further piece of a text decodes to. Both alphabets are known; after '=' another text may follow.
 *  False: it is not base64. */
bool rpc_base64_decode(struct rpc_base64 *state, struct buf *out, const char *text, size_t len);
/** The text is over: append what its last group stands for, which may lack its '='. False: it ends inside a group. */
bool rpc_base64_end(struct rpc_base64 *state, struct buf *out);

#endif
