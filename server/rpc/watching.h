/* Streams that tell of something now and whenever it is due again. Private to the room. */
#ifndef BERTD_RPC_WATCHING_H
#define BERTD_RPC_WATCHING_H

#include "server/rpc/codec.h"

struct rpc_watching;

/** What such a method tells: the `detail` of its rpc_method. */
struct rpc_watch_action {
    /** Read the request. Errors: VALIDATION; the stream ends with it */
    enum status (*begin)(struct rpc_watching *watching, const ProtobufCMessage *request, struct error *err);
    /** Whether to tell again; asked a few times a second. */
    bool (*is_due)(const struct rpc_watching *watching);
    /** Append the message. Errors: NO_MEMORY; the stream ends with it */
    enum status (*write)(struct rpc_watching *watching, struct buf *out, struct error *err);
    bool tells_end; /* one more message when the server drains, before the stream ends */
};

/** The state of the stream. */
struct rpc_watching {
    struct rpc_stream *stream;
    bool slow;     /* the client reads slowly: until on_writable */
    bool finished; /* rpc_finish was called */
    /* For the action: */
    uint64_t interval_ns;
    uint64_t next_ns;
    int told;
    int fixed; /* tell this, whatever is so; 0: nothing is fixed */
};

void rpc_watching_on_message(struct rpc_stream *stream, const char *bytes, size_t len);
void rpc_watching_on_half_close(struct rpc_stream *stream);
void rpc_watching_on_time(struct rpc_stream *stream);
void rpc_watching_on_writable(struct rpc_stream *stream);
void rpc_watching_on_cancel(struct rpc_stream *stream);

#endif
