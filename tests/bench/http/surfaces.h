/* A raw client of every surface on loopback: HTTP/1.1 over a socket, HTTP/2 by nghttp2, messages by protobuf-c. It does
 * as little as a client can, so that what is measured is the server.
 */
#ifndef TESTS_BENCH_SURFACES_H
#define TESTS_BENCH_SURFACES_H

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/** How a text is asked for. */
struct surface {
    const char *name;
    const char *path;
    const char *type;    /* of the content */
    bool h2;             /* else HTTP/1.1 */
    bool json;           /* else protobuf */
    bool enveloped;      /* a message has a head of five bytes */
    bool batch;          /* EmbedBatch: many texts in a call */
    bool needs_trailers; /* the status comes in trailers of HTTP/2 */
};

/** NULL: there is none of that name. */
const struct surface *surface_find(const char *name);
extern const struct surface surface_stream; /* EmbedStream by gRPC */

/** What texts are made of. */
struct texts {
    char *words[64]; /* one token each */
    int n_words;
    int lengths[4096]; /* tokens of the texts in turn, [CLS] and [SEP] among them */
    int n_lengths;
};

struct request {
    const struct surface *surface;
    char *body; /* of HTTP/2; of HTTP/1.1, head and body */
    size_t len;
};

/** `texts` of those texts, from the `first` on. Kept until the program ends. */
void request_make(struct request *ret, const struct surface *surface, const struct texts *texts, int first,
                  int n_texts);
/** The message of EmbedStream for a text of so many tokens, in its envelope. */
void request_write_stream(struct buf *out, const struct texts *texts, int tokens, uint64_t seed);

struct answer {
    int code;         /* of HTTP */
    int grpc_status;  /* -1: none came */
    uint32_t tokens;  /* x-compute-tokens */
    char timing[192]; /* Server-Timing */
    struct buf body;
};

/** What the server says of its time, microseconds. */
struct times {
    double total, queue, inference; /* in total, for a board, on it */
};

/** False: it is no answer to the request, or an error. */
bool answer_check(const struct surface *surface, const struct answer *answer, struct times *ret);
/** Read every value, as a client has to. Returns their number. */
size_t answer_read(const struct surface *surface, const struct answer *answer);
/** The tokens of each answer in the messages of a stream. Returns the number of messages. */
int answer_stream_tokens(const struct answer *answer, uint32_t *ret, int most);

/** Exits where it cannot. */
int socket_open(int port);
__attribute__((format(printf, 1, 2), noreturn)) void fail(const char *format, ...);

/** A connection of HTTP/1.1, and how far its answer has come. */
struct h1 {
    int fd;
    char head[8192];
    size_t have, left; /* of the head, with what came of the body behind it; of the body */
    bool in_body;
};

/** False: the connection ended, here and below. */
bool h1_ask(struct h1 *h1, const struct request *request);
/** Wait for the server once. `*ret_done`: the answer is whole. */
bool h1_hear(struct h1 *h1, struct answer *answer, bool *ret_done);

struct h2 {
    nghttp2_session *session;
    int fd;
    bool has_settings, has_pong;
    struct buf out;
};

struct h2_stream {
    int32_t id;
    struct answer answer;
    struct buf out; /* what is to be sent, from `sent` on */
    size_t sent;
    bool ends; /* the request ends with it */
    bool closed;
    uint32_t error;
};

/** Connected, its settings exchanged. */
struct h2 *h2_open(int port);
void h2_close(struct h2 *h2);
/** Open a stream; what is in stream->out is its body. */
void h2_begin(struct h2 *h2, struct h2_stream *stream, const struct surface *surface);
/** Send what was added to stream->out. */
void h2_resume(struct h2 *h2, const struct h2_stream *stream);
/** Write all there is to be written. False: the connection ended. */
bool h2_flush(struct h2 *h2);
/** The same, then wait for the server once. */
bool h2_turn(struct h2 *h2);
/** Wait until the server has seen all that was sent. */
void h2_meet(struct h2 *h2);
/** As those of HTTP/1.1; the request and its answer are `stream`, cleared but for the memory of the body. */
bool h2_ask(struct h2 *h2, struct h2_stream *stream, const struct request *request);
bool h2_hear(struct h2 *h2, const struct h2_stream *stream, bool *ret_done);

struct calls {
    int port, pid; /* pid: of the server, for its processor time; 0: not asked */
    const struct surface *surface;
    const struct texts *texts;
    int connections, n_texts;
    double warmup, seconds;
    int pause_us; /* that a client sleeps before each call */
    bool reads;   /* the client reads all values */
};

/** A closed loop on each connection, all on this thread; the figures as JSON on stdout. */
void calls_run(const struct calls *calls);
/** Open so many streams of EmbedStream, ask for two texts on each, end them; the figures as JSON on stdout. */
void streams_run(int port, int pid, int n_streams, const struct texts *texts);

#endif
