/* gRPC over HTTP/2: the status comes in trailers. */
#include <stdio.h>

#include "server/rpc/protocol.h"
#include "server/rpc/timeout.h"

typedef void visitor(void *cookie, const char *name, const char *value);

/* Visit with what a buf holds. */
static void visit_text(visitor *visit, void *cookie, const char *name, struct buf *text)
{
    buf_append(text, "", 1);
    if (!text->failed)
        visit(cookie, name, text->data);
    buf_finish(text);
}

void rpc_grpc_each_trailer(const struct rpc_stream *stream, const struct rpc_status *status, visitor *visit,
                           void *cookie)
{
    char code[12];
    snprintf(code, sizeof code, "%u", status->code);
    visit(cookie, "grpc-status", code);
    if (status->message && *status->message) {
        struct buf message = {0};
        rpc_status_write_percent(&message, status->message);
        visit_text(visit, cookie, "grpc-message", &message);
    }
    if (status->n_details > 0) {
        struct buf proto = {0}, text = {0};
        rpc_status_write_proto(&proto, status);
        text.failed = proto.failed;
        base64_encode_bare(&text, proto.data, proto.len);
        buf_finish(&proto);
        visit_text(visit, cookie, "grpc-status-details-bin", &text);
    }
    rpc_each_trailer(stream, visit, cookie);
}

static void add_header(void *cookie, const char *name, const char *value)
{
    net_add(cookie, name, value);
}

bool rpc_grpc_add_alone(struct rpc_stream *stream, const struct rpc_status *status)
{
    if (status->code == RPC_OK || stream->has_headers)
        return false;
    rpc_grpc_each_trailer(stream, status, add_header, stream->exchange);
    return true;
}

static void add_trailer(void *cookie, const char *name, const char *value)
{
    net_add_trailer(cookie, name, value);
}

static void finish(struct rpc_stream *stream, const struct rpc_status *status)
{
    struct net_exchange *exchange = stream->exchange;
    if (stream->begun) {
        rpc_grpc_each_trailer(stream, status, add_trailer, exchange);
        net_finish(exchange);
        return;
    }
    struct buf body = {0};
    rpc_begin_whole(stream, status, &body);
    if (!rpc_grpc_add_alone(stream, status))
        rpc_grpc_each_trailer(stream, status, add_trailer, exchange);
    rpc_respond(stream, 200, &body);
}

const struct rpc_protocol rpc_grpc = {
    .type = "application/grpc",
    .timeout = "grpc-timeout",
    .coding = "grpc-encoding",
    .accepted = "grpc-accept-encoding",
    .read_timeout = rpc_timeout_grpc,
    .envelopes = true,
    .finish = finish,
};
