#include "server/rpc/envelope.h"

#include <string.h>

enum { KEPT_CAPACITY = 16 << 10 };

void rpc_envelopes_compact(struct rpc_envelopes *envelopes)
{
    struct buf *bytes = &envelopes->bytes;
    if (envelopes->read == 0)
        return;
    bytes->len -= envelopes->read;
    if (bytes->len > 0)
        memmove(bytes->data, bytes->data + envelopes->read, bytes->len);
    else if (bytes->capacity > KEPT_CAPACITY)
        buf_finish(bytes);
    envelopes->read = 0;
}

void rpc_envelopes_add(struct rpc_envelopes *envelopes, const char *bytes, size_t len)
{
    rpc_envelopes_compact(envelopes);
    buf_append(&envelopes->bytes, bytes, len);
}

static uint32_t length_of(const unsigned char *head)
{
    return (uint32_t)head[1] << 24 | (uint32_t)head[2] << 16 | (uint32_t)head[3] << 8 | head[4];
}

enum rpc_envelope_next rpc_envelopes_next(struct rpc_envelopes *envelopes, uint64_t limit, struct rpc_envelope *ret)
{
    size_t left = rpc_envelopes_left(envelopes);
    if (left < RPC_ENVELOPE_HEAD)
        return RPC_ENVELOPE_NONE;
    const char *head = envelopes->bytes.data + envelopes->read;
    uint32_t len = length_of((const unsigned char *)head);
    if (len > limit)
        return RPC_ENVELOPE_TOO_LONG;
    if (left - RPC_ENVELOPE_HEAD < len)
        return RPC_ENVELOPE_NONE;
    *ret = (struct rpc_envelope){(unsigned char)head[0], head + RPC_ENVELOPE_HEAD, len};
    envelopes->read += RPC_ENVELOPE_HEAD + (size_t)len;
    return RPC_ENVELOPE_WHOLE;
}

size_t rpc_envelopes_left(const struct rpc_envelopes *envelopes)
{
    return envelopes->bytes.len - envelopes->read;
}

void rpc_envelopes_finish(struct rpc_envelopes *envelopes)
{
    buf_finish(&envelopes->bytes);
    envelopes->read = 0;
}

void rpc_envelope_write(struct buf *out, unsigned flags, const char *bytes, size_t len)
{
    if (len > UINT32_MAX) {
        out->failed = true;
        return;
    }
    const unsigned char head[RPC_ENVELOPE_HEAD] = {(unsigned char)flags, (unsigned char)(len >> 24),
                                                   (unsigned char)(len >> 16), (unsigned char)(len >> 8),
                                                   (unsigned char)len};
    buf_append(out, head, sizeof head);
    buf_append(out, bytes, len);
}
