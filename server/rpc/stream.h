/* A remote procedure call in progress, in whatever protocol it came: Connect, gRPC-Web or gRPC.
 *
 * A protocol file (connect.c, grpc.c, grpc_web.c) takes messages out of a net_exchange and puts messages, headers,
 * trailers and the final status into it. A service (a file each) sees a stream: messages as bytes in one of two codecs,
 * and functions to answer. Unary is a stream of one message each way; the protocols see to "exactly one".
 *
 * All callbacks of a stream come on one thread, one at a time, and must not block. The functions below are for
 * callbacks; rpc_begin_wake and rpc_end_wake alone are for other threads: what is done elsewhere comes back by them,
 * and on_wake answers.
 *
 * A service owes every stream rpc_finish, once, soon after on_cancel at the latest: also when the client has gone, its
 * deadline is over, or it broke the protocol. What the client is told then is seen to: the first of these counts.
 */
#ifndef BERTD_RPC_STREAM_H
#define BERTD_RPC_STREAM_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

struct net_exchange;
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
    /** The stream begins: when its headers are there; of unary and server-stream methods, when its message is. NULL:
     *  nothing to do. */
    void (*on_start)(struct rpc_stream *stream);
    /** A whole message [len], decompressed, not decoded; borrowed until it returns. */
    void (*on_message)(struct rpc_stream *stream, const char *bytes, size_t len);
    /** The client sends no more. Of unary and server-stream methods exactly one on_message came just before. */
    void (*on_half_close)(struct rpc_stream *stream);
    /** It was woken, once or several times since. NULL: it never is. */
    void (*on_wake)(struct rpc_stream *stream);
    /** The time of rpc_set_time has come. NULL: it is never set. */
    void (*on_time)(struct rpc_stream *stream);
    /** After rpc_send returned false: send more. NULL: not needed. */
    void (*on_writable)(struct rpc_stream *stream);
    /** The client has gone or reset the stream, its deadline is over, or what it sends is no good: cancel what runs. At
     *  most once; no on_message and no on_half_close come after it. NULL: it does not matter, rpc_finish comes anyway.
     */
    void (*on_cancel)(struct rpc_stream *stream);
    /** The last, after rpc_finish: free what the state holds. On any thread. NULL: nothing. */
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
/** A header of the request (metadata), the first of its name; NULL: none. Values of -bin headers as sent, in base64. */
const char *rpc_header(const struct rpc_stream *stream, const char *name);
/** When the client wants it over, on clock_now_ns; 0: it did not say. */
uint64_t rpc_deadline_ns(const struct rpc_stream *stream);
/** The underlying exchange, for what is the same in all protocols: headers, address, side, socket to watch. */
struct net_exchange *rpc_exchange_of(struct rpc_stream *stream);

/** Have on_wake called, soon, but not inside of this call. From any thread, at any time before rpc_finish. True: the
 *  caller owes rpc_end_wake, and until on_wake comes the stream must not be finished. It is two calls so that a lock
 *  which on_wake takes can be let go between them: else the thread that is woken would run into it. */
bool rpc_begin_wake(struct rpc_stream *stream);
void rpc_end_wake(struct rpc_stream *stream);
/** A wake is on its way, whoever sent it, and on_wake will come with it. For callbacks. */
bool rpc_is_waking(struct rpc_stream *stream);
/** Have on_time called once clock_now_ns is `at_ns`, in place of any time set before; 0: not at all. */
void rpc_set_time(struct rpc_stream *stream, uint64_t at_ns);

/** Add a header of the answer, before the first rpc_send_headers, rpc_send or rpc_finish; a trailer, before rpc_finish.
 *  Copied. `name` in lower case. */
void rpc_add_header(struct rpc_stream *stream, const char *name, const char *value);
void rpc_add_trailer(struct rpc_stream *stream, const char *name, const char *value);
/** Send the headers without waiting for the first message; of methods with one answer they come with it, always. */
void rpc_send_headers(struct rpc_stream *stream);
/** Send a message, encoded in the stream's codec already (codec.h); `bytes` are taken, to be freed by mem_free. NULL:
 *  there was no memory for it, the stream ends with that error.
 *  False: the client reads slowly, stop until on_writable. */
bool rpc_send(struct rpc_stream *stream, char *bytes, size_t len);
/** A detail of an error: a message of google.rpc or any other. */
struct rpc_detail {
    const char *type;  /* "google.rpc.RetryInfo" */
    const void *bytes; /* [len], proto encoding; copied */
    size_t len;
};
/** End the stream: `code` 0 after the messages that there were to send, else an error in words. Touch the stream no
 *  more, and its state only in on_over: in a callback that comes after the callback returns. `message` may be NULL. */
void rpc_finish(struct rpc_stream *stream, rpc_code code, const char *message, const struct rpc_detail *details,
                uint32_t n_details);

/** From on_start of client-stream and bidi methods: on_message comes only while fewer than `most` messages are in the
 *  service's hands; the client may send little more than that. A service that never calls it gets all at once. */
void rpc_hold(struct rpc_stream *stream, uint32_t most);
/** One of the messages that on_message brought is done with. */
void rpc_consume(struct rpc_stream *stream);

#endif
