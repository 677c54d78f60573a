/* gRPC-Web: as gRPC, with the trailers at the end of the body, for browsers. As bytes, or all in base64. */
#include "server/rpc/protocol.h"
#include "server/rpc/timeout.h"

static void write_line(void *cookie, const char *name, const char *value)
{
    buf_printf(cookie, "%s: %s\r\n", name, value);
}

static void write_trailers(const struct rpc_stream *stream, const struct rpc_status *status, struct buf *out)
{
    struct buf lines = {0};
    rpc_grpc_each_trailer(stream, status, write_line, &lines);
    out->failed |= lines.failed;
    rpc_envelope_write(out, RPC_ENVELOPE_TRAILERS, lines.data, lines.len);
    buf_finish(&lines);
}

static void finish(struct rpc_stream *stream, const struct rpc_status *status)
{
    struct buf body = {0};
    if (stream->begun) {
        write_trailers(stream, status, &body);
        rpc_write_last(stream, &body);
        return;
    }
    rpc_begin_whole(stream, status, &body);
    if (!rpc_grpc_add_alone(stream, status))
        write_trailers(stream, status, &body);
    rpc_respond(stream, 200, &body);
}

const struct rpc_protocol rpc_grpc_web = {
    .type = "application/grpc-web",
    .timeout = "grpc-timeout",
    .coding = "grpc-encoding",
    .accepted = "grpc-accept-encoding",
    .read_timeout = rpc_timeout_grpc,
    .envelopes = true,
    .finish = finish,
};

const struct rpc_protocol rpc_grpc_web_text = {
    .type = "application/grpc-web-text",
    .timeout = "grpc-timeout",
    .coding = "grpc-encoding",
    .accepted = "grpc-accept-encoding",
    .read_timeout = rpc_timeout_grpc,
    .envelopes = true,
    .text = true,
    .finish = finish,
};
