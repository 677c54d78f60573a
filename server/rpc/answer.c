#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "base/mem.h"
#include "server/rpc/protocol.h"

enum { HTTP2_INTERNAL_ERROR = 2 };
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
    const char *codec = stream->codec == RPC_JSON ? "json" : "proto";
    bool named = stream->codec_named;
    snprintf(type, sizeof type, "%s%s%s", protocol->type,
             !named                ? ""
             : protocol->envelopes ? "+"
                                   : "/",
             named ? codec : "");
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

/* What the client has not read counts until it is known to have. An answer is not refused for it. */
static void hold(struct rpc_stream *stream, uint64_t bytes)
{
    stream->outgoing = bytes;
    rpc_count_memory(stream, NULL);
}

void rpc_written(struct rpc_stream *stream)
{
    hold(stream, 0);
}

void rpc_respond(struct rpc_stream *stream, unsigned code, struct buf *body)
{
    encode(stream, body);
    size_t len = 0;
    char *bytes = buf_take(body, &len);
    mem_free(stream->answer);
    stream->answer = NULL;
    hold(stream, len);
    if (bytes)
        net_respond(stream->exchange, code, bytes, len);
    else
        net_respond_spare(stream->exchange);
}

bool rpc_write(struct rpc_stream *stream, struct buf *piece)
{
    encode(stream, piece);
    bool more = true;
    if (piece->failed)
        rpc_fail(stream, RPC_RESOURCE_EXHAUSTED, "no memory for the answer");
    else
        more = net_write(stream->exchange, piece->data, piece->len);
    if (!more)
        hold(stream, NET_STREAM_HIGH + piece->len);
    buf_finish(piece);
    return more;
}

void rpc_begin_whole(struct rpc_stream *stream, const struct rpc_status *status, struct buf *body)
{
    bool has_answer = rpc_one_answer(stream) && status->code == RPC_OK;
    rpc_add_content(stream, has_answer ? stream->answer_len : 0);
    if (has_answer)
        rpc_write_message(stream, body, stream->answer, stream->answer_len);
}

void rpc_write_last(struct rpc_stream *stream, struct buf *piece)
{
    encode(stream, piece);
    if (piece->failed) {
        net_abort(stream->exchange, HTTP2_INTERNAL_ERROR);
    } else {
        net_write(stream->exchange, piece->data, piece->len);
        net_finish(stream->exchange);
    }
    buf_finish(piece);
}

/* From the service. */

void rpc_add_header(struct rpc_stream *stream, const char *name, const char *value)
{
    stream->has_headers = true;
    net_add(stream->exchange, name, value);
}

void rpc_add_trailer(struct rpc_stream *stream, const char *name, const char *value)
{
    buf_append(&stream->trailers, name, strlen(name) + 1);
    buf_append(&stream->trailers, value, strlen(value) + 1);
}

void rpc_send_headers(struct rpc_stream *stream)
{
    if (stream->begun || rpc_one_answer(stream))
        return;
    stream->begun = true;
    rpc_add_content(stream, SIZE_MAX);
    net_begin(stream->exchange, 200);
}

bool rpc_send(struct rpc_stream *stream, char *bytes, size_t len)
{
    bool more = true;
    if (!bytes) {
        rpc_fail(stream, RPC_RESOURCE_EXHAUSTED, "no memory for the answer");
    } else if (stream->failure) {
        mem_free(bytes);
    } else if (rpc_one_answer(stream)) {
        mem_free(stream->answer);
        stream->answer = bytes;
        stream->answer_len = len;
        hold(stream, len);
    } else {
        rpc_send_headers(stream);
        struct buf piece = {0};
        rpc_write_message(stream, &piece, bytes, len);
        mem_free(bytes);
        more = rpc_write(stream, &piece);
    }
    return more;
}
