/* Connect's streams: the end is an envelope of its own, in JSON, with the error and the trailers. */
#include <string.h>

#include "server/rpc/protocol.h"
#include "server/rpc/timeout.h"

/* Trailers of one name come together: {"name":["value","value"]}. */
struct grouping {
    const struct rpc_stream *stream;
    struct buf *out;
    const char *name; /* whose values are being written; NULL: names are looked for */
    const char *self; /* the trailer that looks whether it is the first of its name */
    unsigned n;       /* written so far */
    bool earlier;     /* the name was there before `self` */
    bool passed;      /* `self` was seen */
};

static void write_value(void *cookie, const char *name, const char *value)
{
    struct grouping *group = cookie;
    if (strcmp(name, group->name) != 0)
        return;
    buf_puts(group->out, group->n++ > 0 ? "," : "");
    rpc_status_write_string(group->out, value);
}

static void look_back(void *cookie, const char *name, const char *value)
{
    struct grouping *group = cookie;
    (void)value;
    group->passed |= name == group->self;
    group->earlier |= !group->passed && strcmp(name, group->self) == 0;
}

static void write_name(void *cookie, const char *name, const char *value)
{
    struct grouping *all = cookie;
    struct grouping group = {.stream = all->stream, .out = all->out, .name = name, .self = name};
    (void)value;
    rpc_each_trailer(all->stream, look_back, &group);
    if (group.earlier)
        return;
    buf_puts(all->out, all->n++ > 0 ? "," : "");
    rpc_status_write_string(all->out, name);
    buf_puts(all->out, ":[");
    rpc_each_trailer(all->stream, write_value, &group);
    buf_puts(all->out, "]");
}

static void write_end(const struct rpc_stream *stream, const struct rpc_status *status, struct buf *out)
{
    struct buf json = {0};
    buf_puts(&json, "{");
    if (status->code != RPC_OK) {
        buf_puts(&json, "\"error\":");
        rpc_status_write_json(&json, status);
    }
    if (stream->trailers.len > 0) {
        struct grouping all = {.stream = stream, .out = &json};
        buf_puts(&json, status->code != RPC_OK ? ",\"metadata\":{" : "\"metadata\":{");
        rpc_each_trailer(stream, write_name, &all);
        buf_puts(&json, "}");
    }
    buf_puts(&json, "}");
    out->failed |= json.failed;
    rpc_envelope_write(out, RPC_ENVELOPE_END, json.data, json.len);
    buf_finish(&json);
}

static void finish(struct rpc_stream *stream, const struct rpc_status *status)
{
    struct buf body = {0};
    if (stream->begun) {
        write_end(stream, status, &body);
        rpc_write_last(stream, &body);
        return;
    }
    rpc_begin_whole(stream, status, &body);
    write_end(stream, status, &body);
    rpc_respond(stream, 200, &body);
}

const struct rpc_protocol rpc_connect_stream = {
    .type = "application/connect",
    .timeout = "connect-timeout-ms",
    .coding = "connect-content-encoding",
    .accepted = "connect-accept-encoding",
    .read_timeout = rpc_timeout_connect,
    .envelopes = true,
    .finish = finish,
};
