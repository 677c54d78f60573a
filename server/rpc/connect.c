/* Connect's unary calls: the body is the message, an error has its HTTP status and is JSON. */
#include <string.h>

#include "base/hex.h"
#include "server/rpc/protocol.h"
#include "server/rpc/timeout.h"

/* Append what a value of a query stands for. */
static void unescape(struct buf *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = text[i] == '+' ? ' ' : text[i];
        int byte = base_hex_escape(text + i, len - i);
        if (byte >= 0) {
            c = (char)byte;
            i += 2;
        }
        buf_append(out, &c, 1);
    }
}

/* Have `out` hold the value of a parameter, and a NUL that does not count. False: there is none of that name. */
static bool find(const char *query, const char *name, struct buf *out)
{
    size_t name_len = strlen(name);
    out->len = 0;
    for (const char *at = query; at; at = strchr(at, '&')) {
        at += *at == '&';
        size_t len = strcspn(at, "&");
        if (len <= name_len || strncmp(at, name, name_len) != 0 || at[name_len] != '=')
            continue;
        unescape(out, at + name_len + 1, len - name_len - 1);
        buf_append(out, "", 1);
        out->len -= !out->failed;
        return true;
    }
    return false;
}

/* The value is `wanted`, or there is none. */
static bool is(const struct buf *value, const char *wanted)
{
    return !value->failed && value->len == strlen(wanted) && memcmp(value->data, wanted, value->len) == 0;
}

static void take_message(struct rpc_stream *stream, const char *query, struct buf *value)
{
    struct buf *message = &stream->in.bytes;
    struct base64_decoder base64 = {0};
    bool encoded = find(query, "base64", value) && is(value, "1");
    if (!find(query, "message", value))
        rpc_fail(stream, RPC_INVALID_ARGUMENT, "the query has no parameter message");
    else if (!encoded)
        buf_append(message, value->data, value->len);
    else if (!base64_decode_piece(&base64, message, value->data, value->len) || !base64_decode_end(&base64, message))
        rpc_fail(stream, RPC_INVALID_ARGUMENT, "the parameter message is not valid base64");
    if (value->failed || message->failed)
        rpc_fail(stream, RPC_RESOURCE_EXHAUSTED, "no memory for the message");
}

void rpc_connect_read_query(struct rpc_stream *stream)
{
    const char *query = net_exchange_query(stream->exchange);
    struct buf value = {0};
    stream->codec_named = true;
    if (find(query, "encoding", &value) && is(&value, "json"))
        stream->codec = RPC_JSON;
    else if (!is(&value, "proto"))
        rpc_fail(stream, RPC_INVALID_ARGUMENT, "the parameter encoding is neither proto nor json");
    if (find(query, "connect", &value) && !is(&value, "v1"))
        rpc_fail(stream, RPC_INVALID_ARGUMENT, "the parameter connect is not v1");
    if (find(query, "compression", &value) && !rpc_read_coding(stream, value.data))
        rpc_fail(stream, RPC_UNIMPLEMENTED, "the parameter compression is none of " RPC_CODINGS);
    if (!stream->finished)
        take_message(stream, query, &value);
    buf_finish(&value);
}

static void add_trailer(void *cookie, const char *name, const char *value)
{
    struct buf full = {0};
    buf_printf(&full, "trailer-%s", name);
    buf_append(&full, "", 1);
    if (!full.failed)
        net_add(cookie, full.data, value);
    buf_finish(&full);
}

static void finish(struct rpc_stream *stream, const struct rpc_status *status)
{
    struct net_exchange *exchange = stream->exchange;
    struct buf body = {0};
    rpc_each_trailer(stream, add_trailer, exchange);
    if (status->code == RPC_OK) {
        rpc_begin_whole(stream, status, &body);
        rpc_respond(stream, 200, &body);
        return;
    }
    net_add(exchange, "content-type", "application/json");
    rpc_status_write_json(&body, status);
    rpc_respond(stream, stream->method ? rpc_code_http(status->code) : 404, &body);
}

const struct rpc_protocol rpc_connect = {
    .type = "application",
    .timeout = "connect-timeout-ms",
    .coding = "content-encoding",
    .accepted = "accept-encoding",
    .read_timeout = rpc_timeout_connect,
    .finish = finish,
};
