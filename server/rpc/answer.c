#include <string.h>

#include "base/base64.h"
#include "base/mem.h"
#include "server/rpc/protocol.h"

enum { CODED_LEAST = 1024 }; /* less than this is not worth compressing */

void rpc_each_trailer(const struct rpc_stream *stream, void (*visit)(void *cookie, const char *name, const char *value),
                      void *cookie)
{
    const struct buf *trailers = &stream->trailers;
    size_t at = 0;
    while (!trailers->failed && at < trailers->len) {
        const char *name = trailers->data + at;
        const char *value = name + strlen(name) + 1;
        at += strlen(name) + strlen(value) + 2;
        visit(cookie, name, value);
    }
}

/* Vectors in proto hardly get smaller, so proto is compressed for those who do so themselves. */
static enum net_coding choose(const struct rpc_stream *stream, size_t len)
{
    bool worth = len >= CODED_LEAST && (stream->request_coding || stream->codec == RPC_JSON);
    return worth ? net_coding_choose(net_exchange_header(stream->exchange, stream->protocol->accepted)) : NET_IDENTITY;
}

void rpc_add_content(struct rpc_stream *stream, size_t len)
{
    const struct rpc_protocol *protocol = stream->protocol;
    char type[64];
    size_t n = strlen(protocol->type);
    memcpy(type, protocol->type, n + 1);
    if (stream->codec_named)
        strcpy(type + n, stream->codec == RPC_JSON ? "json" : "proto");
    else if (protocol->envelopes)
        type[n - 1] = '\0'; /* the '+' */
    net_add(stream->exchange, "content-type", type);
    stream->answer_coding = choose(stream, len);
    if (stream->answer_coding != NET_IDENTITY)
        net_add(stream->exchange, protocol->coding, net_coding_name(stream->answer_coding));
}

void rpc_write_message(const struct rpc_stream *stream, struct buf *out, const char *bytes, size_t len)
{
    struct buf compressed = {0};
    unsigned flags = 0;
    if (stream->answer_coding != NET_IDENTITY && len >= CODED_LEAST) {
        net_encode(&compressed, stream->answer_coding, bytes, len);
        out->failed |= compressed.failed;
        bytes = compressed.data;
        len = compressed.len;
        flags = RPC_ENVELOPE_COMPRESSED;
    }
    if (stream->protocol->envelopes)
        rpc_envelope_write(out, flags, bytes, len);
    else
        buf_append(out, bytes, len);
    buf_finish(&compressed);
}

/* Put it in base64 where the protocol is text. */
static void encode(const struct rpc_stream *stream, struct buf *bytes)
{
    if (!stream->protocol->text)
        return;
    struct buf text = {.failed = bytes->failed};
    base64_encode(&text, bytes->data, bytes->len);
    buf_finish(bytes);
    *bytes = text;
}

void rpc_respond(struct rpc_stream *stream, struct buf *body)
{
    encode(stream, body);
    size_t len = 0;
    char *bytes = buf_take(body, &len);
    net_respond(stream->exchange, bytes ? 200 : 500, bytes, len);
}

bool rpc_write(struct rpc_stream *stream, struct buf *piece)
{
    encode(stream, piece);
    bool more = true;
    if (piece->failed)
        rpc_fail(stream, RPC_RESOURCE_EXHAUSTED, "no memory for the answer");
    else
        more = net_write(stream->exchange, piece->data, piece->len);
    buf_finish(piece);
    return more;
}
