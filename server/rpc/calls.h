/* Messages of a stream as calls of the request core: how the methods of bertd are done. Private to the room.
 *
 * Each message is one call. The calls of a stream run beside each other and are answered in
 * order. The first that fails ends the stream; those behind it are cancelled. A stream that is cancelled takes its
 * calls with it, into the layer that computes.
 */
#ifndef BERTD_RPC_CALLS_H
#define BERTD_RPC_CALLS_H

#include "server/rpc/codec.h"
#include "server/serve/call.h"

enum { RPC_CALLS_AT_ONCE = 64 }; /* of a bidirectional stream; the client waits with the next */

/** How a method is done: the `detail` of its rpc_method. */
struct rpc_action {
    /** As serve_method.start, with the request decoded: it lives in the call's arena. Answers by rpc_calls_reply, or
     *  hands inputs to serve_infer_start. */
    enum serve_progress (*start)(struct serve_call *call, const ProtobufCMessage *request);
    /** As serve_method.encode, by rpc_calls_reply. NULL where start never gives PENDING. */
    void (*encode)(struct serve_call *call);
    bool immediate; /* as in serve_method */
};

/** The answer of a call that succeeds; the message is borrowed for the call. And how it is encoded. */
void rpc_calls_reply(struct serve_call *call, const ProtobufCMessage *message);
enum rpc_codec rpc_calls_codec(const struct serve_call *call);

/* The callbacks of such a method, and the size of its state. */
enum { RPC_CALLS_STATE = 320 };
void rpc_calls_on_start(struct rpc_stream *stream);
void rpc_calls_on_message(struct rpc_stream *stream, const char *bytes, size_t len);
void rpc_calls_on_half_close(struct rpc_stream *stream);
void rpc_calls_on_wake(struct rpc_stream *stream);
void rpc_calls_on_writable(struct rpc_stream *stream);
void rpc_calls_on_cancel(struct rpc_stream *stream);
void rpc_calls_on_over(struct rpc_stream *stream);

#endif
