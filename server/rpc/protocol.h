/* What the protocols share: the stream behind stream.h, and how each protocol differs. Private to the room.
 *
 *   server.c    finds the method and the protocol, and hands the exchange's callbacks on
 *   content.c   what a content type says
 *   receive.c   bytes in, messages out to the service
 *   telemetry.c what is counted of how streams end
 *   stream.c    what a service may ask, times, and how streams begin and end
 *   answer.c    what goes out, whatever the protocol
 *   connect.c, connect_stream.c, grpc.c, grpc_web.c   a protocol each
 */
#ifndef BERTD_RPC_PROTOCOL_H
#define BERTD_RPC_PROTOCOL_H

#include <stdatomic.h>

#include "base/base64.h"
#include "server/net/coding.h"
#include "server/net/net.h"
#include "server/rpc/envelope.h"
#include "server/rpc/rpc.h"
#include "server/rpc/status.h"
#include "server/rpc/telemetry.h"
#include "server/rpc/timer.h"

struct rpc_server {
    struct rpc_options options; /* read-only */
    struct serve_server *serve;
    struct rpc_timers timers;
    struct rpc_telemetry telemetry;
};

/** How a protocol is spoken. */
struct rpc_protocol {
    const char *type;     /* of the content, without the codec: "application/grpc" */
    const char *timeout;  /* the header with the time limit */
    const char *coding;   /* the header with the coding of messages */
    const char *accepted; /* the header with the codings that an answer may have */
    bool (*read_timeout)(const char *text, uint64_t *ret_ns);
    bool envelopes; /* messages have heads; else the body is the message */
    bool text;      /* all of the body is in base64 */
    /** End the answer with `status`; of methods with one answer, it is in stream->answer where the status is OK. */
    void (*finish)(struct rpc_stream *stream, const struct rpc_status *status);
};

extern const struct rpc_protocol rpc_connect, rpc_connect_stream, rpc_grpc, rpc_grpc_web, rpc_grpc_web_text;

struct rpc_stream {
    struct net_exchange *exchange;
    struct rpc_server *server;
    const struct rpc_protocol *protocol;
    const struct rpc_method *method; /* NULL: there is none of that name */
    enum rpc_codec codec;
    bool codec_named;           /* in the content type; else it is proto */
    const char *request_coding; /* of messages that say that they are compressed; NULL: none */
    enum net_coding answer_coding;
    uint64_t deadline_ns; /* 0: none */
    uint64_t time_ns;     /* of rpc_set_time; 0: none */
    struct rpc_timer timer;
    atomic_bool woken;  /* by rpc_begin_wake */
    atomic_bool waking; /* by whoever set it: net_wake is called, or will be */
    /* Where it is: */
    bool started;     /* on_start was called */
    bool input_ended; /* all bytes of the request are there */
    bool half_closed; /* on_half_close was called */
    bool begun;       /* the head of the answer is sent */
    bool has_headers; /* rpc_add_header was called */
    bool cancel_due;  /* on_cancel is to be called */
    bool finished;
    bool settling;
    bool timed; /* the timer was set */
    /* What comes in: */
    struct rpc_envelopes in;
    struct base64_decoder base64;
    struct buf message;      /* decompressed */
    struct rpc_envelope one; /* the message of methods with one */
    uint32_t n_messages;     /* so far */
    uint32_t most;           /* in the service's hands; 0: any number */
    uint32_t in_hand;
    size_t unconsumed; /* bytes that the client must not yet replace */
    uint64_t counted;  /* bytes that it holds, as rpc_count_memory knew them */
    /* What goes out: */
    uint64_t outgoing;   /* bytes that a slow client has not read */
    struct buf trailers; /* name, NUL, value, NUL, .. */
    char *answer;        /* [answer_len], the message of methods with one answer; NULL: none yet */
    size_t answer_len;
    /* How it ends in spite of the service, which is given nothing any more; code 0: it does not. */
    rpc_code failure;
    char *failure_message;
};

/* content.c */

/** What a content type says. */
struct rpc_content {
    const struct rpc_protocol *protocol; /* NULL: it is of none */
    enum rpc_codec codec;
    bool codec_named; /* else it is proto */
    bool codec_known;
};

/** `type` may be NULL. */
struct rpc_content rpc_read_content(const char *type);
/** The protocol is one that `method` (NULL: there is none) may be asked in. gRPC refuses unknown codecs by itself. */
bool rpc_content_suits(const struct rpc_content *content, const struct rpc_method *method);

/* receive.c */

/* What a client is told that sends another. */
#define RPC_CODINGS NET_CODINGS ", identity"
/** The coding of that name; NULL and "" are identity. False: it is not known. */
bool rpc_read_coding(struct rpc_stream *stream, const char *name);
bool rpc_one_request(const struct rpc_stream *stream); /**< of unary and server-stream methods */
/** End it with what a client is told that sends more than the limit of a message. */
void rpc_fail_too_long(struct rpc_stream *stream);
void rpc_receive(struct rpc_stream *stream, const char *bytes, size_t len);
void rpc_receive_end(struct rpc_stream *stream);
/** Give the service what it may have, after any of its callbacks. */
void rpc_settle(struct rpc_stream *stream);

/* stream.c */

/** New, for a request to `method` (NULL: there is none). NULL without memory. */
struct rpc_stream *rpc_stream_create(struct rpc_server *server, struct net_exchange *exchange,
                                     const struct rpc_protocol *protocol, const struct rpc_method *method);

bool rpc_one_answer(const struct rpc_stream *stream); /**< of unary and client-stream methods */
void rpc_start(struct rpc_stream *stream);
/** End it with this, whatever the service says; the first one counts. Where the service knows of the stream it is
 *  cancelled, in rpc_settle: this may be inside one of its callbacks. */
void rpc_fail(struct rpc_stream *stream, rpc_code code, const char *format, ...) __attribute__((format(printf, 3, 4)));
/** Have the exchange woken when its deadline or the time of rpc_set_time has come. */
void rpc_watch_time(struct rpc_stream *stream);
/** What it holds has become more or less: have it count against --max-request-memory. Errors: OVERLOADED, then it is
 *  counted as before; `err` NULL: never, it counts whatever the limit. */
enum status rpc_count_memory(struct rpc_stream *stream, struct error *err);
/** Free it, on_over first. */
void rpc_stream_destroy(struct rpc_stream *stream);

/* connect.c */

/** Take codec, coding and message out of the query of a GET. The stream fails where they are not there. */
void rpc_connect_read_query(struct rpc_stream *stream);

/* grpc.c */

/** Call `visit` with grpc-status, grpc-message, the details, and each trailer. */
void rpc_grpc_each_trailer(const struct rpc_stream *stream, const struct rpc_status *status,
                           void (*visit)(void *cookie, const char *name, const char *value), void *cookie);
/** An error alone is one block of headers: then have it told there. False: it stands behind the headers. */
bool rpc_grpc_add_alone(struct rpc_stream *stream, const struct rpc_status *status);

/* answer.c */

/** Call `visit` with each trailer. */
void rpc_each_trailer(const struct rpc_stream *stream, void (*visit)(void *cookie, const char *name, const char *value),
                      void *cookie);
/** Of a method's only answer, where `status` is OK: its headers of the content and, appended to `body`, itself as it
 *  goes on the wire, but for base64. Without an answer the headers alone. */
void rpc_begin_whole(struct rpc_stream *stream, const struct rpc_status *status, struct buf *body);
/** Choose answer_coding and add the headers of the content; `len`: bytes of the only message, SIZE_MAX: of streams. */
void rpc_add_content(struct rpc_stream *stream, size_t len);
/** Append a message as it goes on the wire, but for base64: in its envelope, compressed if that is worth it. */
void rpc_write_message(const struct rpc_stream *stream, struct buf *out, const char *bytes, size_t len);
/** Answer with a whole body, which is taken; in base64 where the protocol has it. Without memory, HTTP says so. */
void rpc_respond(struct rpc_stream *stream, unsigned code, struct buf *body);
/** Send a piece of a streamed answer, which is taken; in base64 likewise. False as net_write. */
bool rpc_write(struct rpc_stream *stream, struct buf *piece);
/** The client has read what waited, but for less than NET_STREAM_LOW bytes. */
void rpc_written(struct rpc_stream *stream);
/** Send the last piece, likewise. Without memory for it, the answer is broken off. */
void rpc_write_last(struct rpc_stream *stream, struct buf *piece);

#endif
