/* A remote procedure call in progress, in whatever protocol it came: Connect, gRPC-Web or gRPC.
 *
 * A protocol file (connect.c, grpc_web.c, grpc.c) takes messages out of a net_exchange and puts messages, headers,
 * trailers and the final status into it. A service (a file each) sees a stream: messages as bytes in one of two codecs,
 * and functions to answer. Unary is a stream of one message each way; the protocol files see to "exactly one".
 *
 * Callbacks come on the event thread of the connection and must not block; answering functions may be called from any
 * thread, by one at a time. What is done elsewhere comes back by rpc_wake: then on_wake runs on the event thread, which
 * encodes and sends at no further change of threads. A service owes every stream rpc_finish, once, even when the client
 * has gone.
 */
#ifndef BERTD_RPC_STREAM_H
#define BERTD_RPC_STREAM_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

struct rpc_stream;
struct serve_server;

enum rpc_kind { RPC_UNARY, RPC_SERVER_STREAM, RPC_CLIENT_STREAM, RPC_BIDI_STREAM };

/** How messages are encoded. */
enum rpc_codec { RPC_PROTO, RPC_JSON };

/** Codes on the wire, as gRPC numbers them: 0 OK, 1 CANCELLED .. 16 UNAUTHENTICATED. */
typedef unsigned rpc_code;

/** One method of a service. */
struct rpc_method {
    const char *name; /* "Embed" */
    enum rpc_kind kind;
    const ProtobufCMessageDescriptor *request;
    const ProtobufCMessageDescriptor *response;
    bool public;          /* needs no API key */
    bool admin;           /* on the admin listener alone, where there is one */
    bool no_side_effects; /* Connect's GET may ask for it */
    size_t state_size;    /* bytes of the service's own for each stream, zeroed: rpc_state */
    /** The headers are there; before any message. NULL: nothing to do. */
    void (*on_start)(struct rpc_stream *stream);
    /** A whole message [len], decompressed, not decoded; borrowed until it returns. */
    void (*on_message)(struct rpc_stream *stream, const char *bytes, size_t len);
    /** The client sends no more. For unary and server-stream methods exactly one on_message came before. */
    void (*on_half_close)(struct rpc_stream *stream);
    /** rpc_wake was called, once or several times since. NULL: it never is. */
    void (*on_wake)(struct rpc_stream *stream);
    /** After rpc_send returned false: send more. NULL: not needed. */
    void (*on_writable)(struct rpc_stream *stream);
    /** The client has gone, reset the stream, or its deadline is over: cancel what runs. NULL: it does not matter. */
    void (*on_cancel)(struct rpc_stream *stream);
    /** The last: free what the state holds. NULL: nothing. */
    void (*on_over)(struct rpc_stream *stream);
    const void *detail; /* for the service: rpc_method_of(stream)->detail */
};

/** A service: its full name and its methods. */
struct rpc_service {
    const char *name;                 /* "tei.v1.Embed" */
    const struct rpc_method *methods; /* [n_methods] */
    uint32_t n_methods;
};

void *rpc_state(struct rpc_stream *stream);
struct rpc_stream *rpc_stream_of_state(void *state);
const struct rpc_method *rpc_method_of(const struct rpc_stream *stream);
struct serve_server *rpc_server_of(const struct rpc_stream *stream);
enum rpc_codec rpc_codec_of(const struct rpc_stream *stream);
/** A header of the request (metadata); NULL: none. Values of -bin headers as sent, in base64. */
const char *rpc_header(const struct rpc_stream *stream, const char *name);
/** When the client wants it over, on clock_now_ns; 0: it did not say. */
uint64_t rpc_deadline_ns(const struct rpc_stream *stream);
/** The underlying exchange, for what is the same in all protocols: address, side, socket to watch. */
struct net_exchange *rpc_exchange_of(struct rpc_stream *stream);

/** Add a header of the answer, before the first rpc_send or rpc_finish; a trailer, before rpc_finish. Copied. */
void rpc_add_header(struct rpc_stream *stream, const char *name, const char *value);
void rpc_add_trailer(struct rpc_stream *stream, const char *name, const char *value);
/** Send a message, encoded in the stream's codec already (codec.h); `bytes` are taken, to be freed by mem_free.
 *  False: the client reads slowly, stop until on_writable. */
bool rpc_send(struct rpc_stream *stream, char *bytes, size_t len);
/** A detail of an error: a message of google.rpc or any other. */
struct rpc_detail {
    const char *type;  /* "google.rpc.RetryInfo" */
    const void *bytes; /* [len], proto encoding; copied */
    size_t len;
};
/** Have on_wake called on the event thread, soon, but not inside of this call. Not after rpc_finish. Thread: any. */
void rpc_wake(struct rpc_stream *stream);
/** End the stream: `code` 0 after the messages that there were to send, else an error in words. Touch the stream no
 *  more. `message` may be NULL. Thread: any. */
void rpc_finish(struct rpc_stream *stream, rpc_code code, const char *message, const struct rpc_detail *details,
                uint32_t n_details);
/** The message that on_message brought is done with: more may come (flow control of streams). A service that never
 *  calls it is given messages without pause. Only for methods whose on_start called rpc_hold. Thread: any. */
void rpc_hold(struct rpc_stream *stream);
void rpc_consume(struct rpc_stream *stream, size_t message_len);

#endif
