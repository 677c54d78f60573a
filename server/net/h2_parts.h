/* The parts of HTTP/2: event threads, their connections, and the streams of those. Private to h2*.c.
 *
 * All of a connection and its streams is its event thread's alone, but for what is atomic: other threads post jobs.
 * A stream lives until its HTTP/2 stream is closed and its answer was given, and its connection as long as its streams.
 */
#ifndef BERTD_NET_H2_PARTS_H
#define BERTD_NET_H2_PARTS_H

#include <nghttp2/nghttp2.h>
#include <pthread.h>

#include "server/net/server.h"
#include "server/net/tls_session.h"

enum { H2_HEAD_LIMIT = 16384, H2_PIECE = 65536, H2_DATE_SIZE = 96 };

/** Something to be done on an event thread. */
struct h2_job {
    struct h2_job *next;
    void (*run)(struct h2_job *job); /* which frees it, where it is allocated */
};

/** An event thread. */
struct h2_loop {
    struct h2 *h2;
    pthread_t thread;
    bool runs;
    int epoll;
    int wake;                      /* eventfd */
    _Atomic(struct h2_job *) jobs; /* the last posted first */
    atomic_uint posting;           /* threads in h2_loop_post, which may outlast what they post */
    atomic_bool stop;
    atomic_uint n_connections; /* open ones */
    atomic_uint n_streams;     /* open ones */
    /* The thread's own: */
    bool drains;
    uint32_t owed;                     /* exchanges whose answer is not yet given */
    uint32_t alive;                    /* connections, open or not */
    struct h2_connection *connections; /* all of them */
    struct h2_connection *dirty;       /* may have something to send, by dirty_next */
    struct h2_stream *due;             /* need to be looked at, by due_next */
    uint64_t now_ns;                   /* at the begin of the round */
    uint64_t sweep_ns;
    uint64_t date_s;
    char date[H2_DATE_SIZE];
    char piece[H2_PIECE]; /* what is being read, or sent */
};

struct h2 {
    struct net_server *server;
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    atomic_uint next; /* loop for a connection */
    uint32_t n_loops;
    struct h2_loop loops[];
};

/** A limit on how often something comes: so much at once, then so much a second. It is a little less than nghttp2's own
 *  on resets, which ends connections with an INTERNAL_ERROR. */
struct h2_bucket {
    uint64_t since_ns;
    uint32_t left;
};

enum h2_phase {
    H2_HANDSHAKE, /* of TLS */
    H2_OPEN,
    H2_WARNED,  /* asked to open no more streams */
    H2_LEAVING, /* the last stream is named */
    H2_LINGERS, /* all is said; waits until the client has read it */
    H2_CLOSED   /* the socket is; there are streams whose answer is owed */
};

struct h2_connection {
    struct h2_job arrival;
    struct h2_loop *loop;
    struct h2_connection *next, *previous;
    struct h2_connection *dirty_next;
    bool is_dirty;
    bool warned; /* the client has read that it is */
    bool asked;  /* its first request has begun, or it cannot any more */
    enum h2_phase phase;
    enum net_side side;
    int fd;
    uint32_t events; /* of epoll */
    struct sockaddr_storage address;
    nghttp2_session *session;
    gnutls_session_t tls; /* NULL: plain */
    struct net_tls_keys *keys;
    struct h2_stream *streams;
    uint32_t n_streams; /* all of them */
    uint32_t n_open;    /* whose HTTP/2 stream is not closed */
    char *unsent;       /* [unsent_len], what the socket did not take, from `sent` on; NULL: nothing */
    size_t unsent_len, sent;
    uint64_t send_by_ns; /* 0: nothing waits */
    uint64_t phase_by_ns;
    uint64_t old_ns; /* when its age ends; 0: never */
    uint64_t heard_ns;
    uint64_t ping_ns; /* when the unanswered ping was sent; 0: none */
    uint64_t idle_ns; /* since when there is no stream */
    struct h2_bucket resets, others;
};

struct h2_stream {
    struct net_exchange base; /* first */
    struct h2_connection *connection;
    struct h2_stream *next, *previous;
    struct h2_stream *due_next;
    int32_t id;
    bool is_due;
    bool refused;        /* its head is malformed */
    bool begun;          /* the handler knows of it */
    bool ended;          /* the request is whole */
    bool closed;         /* the HTTP/2 stream is */
    bool given;          /* the handler is done */
    bool streams;        /* the answer comes in pieces */
    bool spare;          /* the answer is the one for which there is always memory */
    bool aborts;         /* net_abort was called */
    bool aborted;        /* reset by us */
    bool bodiless;       /* the answer's head is all of it */
    bool writable;       /* on_writable is to be called */
    bool lets_rest_come; /* it is answered, and the rest of the request is read past */
    struct buf head;     /* the request's fields, name and value with a NUL each, up to fields_len; then the path */
    size_t fields_len;
    size_t head_size; /* as RFC 9113 counts it, kept or not */
    struct error *malformed;
    size_t held;            /* bytes of the body that count against the windows */
    struct buf out;         /* what was written and not sent, from `read` on */
    size_t read;            /* of `out`, or of the whole body */
    uint64_t receive_by_ns; /* 0: nothing is waited for */
    uint64_t send_by_ns;    /* 0: nothing waits to be sent */
    uint32_t error;         /* of net_abort */
    atomic_bool answered;   /* all of the answer was given: what comes of the request is dropped */
    atomic_bool failed;     /* memory was short for a piece */
    atomic_bool stopped;    /* net_write said so */
    atomic_bool woken;
    atomic_size_t pending; /* bytes written and not sent */
    atomic_size_t consumed;
    atomic_uint posted; /* jobs */
    struct h2_job wake_job, consume_job, begin_job, end_job;
};

/* h2_loop.c */

/** This is the loop's thread. */
void h2_loop_enter(const struct h2_loop *loop);
/** Have it look at its jobs and flags. Thread: any. */
void h2_loop_wake(struct h2_loop *loop);
/** Have the job done on that loop, in the order of the posts of one thread. Thread: any. */
void h2_loop_post(struct h2_loop *loop, struct h2_job *job);
/** True on the loop's own thread. */
bool h2_loop_is_here(const struct h2_loop *loop);
/** Send, at the end of the round, what the connection has to send. */
void h2_loop_mark(struct h2_connection *connection);
/** Look, at the end of the round, whether the stream is over or writable. */
void h2_loop_mark_stream(struct h2_stream *stream);
/** The time by which the first of some bytes must move, an idle time from now. */
uint64_t h2_loop_expect(const struct h2_loop *loop);
/** The same when `n` have moved: 16 KiB a second must, and no more than one idle time can be saved up. */
uint64_t h2_loop_extend(const struct h2_loop *loop, uint64_t by_ns, size_t n);
const char *h2_loop_date(struct h2_loop *loop);
/** There is as much again as at first. */
void h2_bucket_fill(struct h2_bucket *bucket);
/** Take from a bucket. False: it is empty. */
bool h2_bucket_take(struct h2_bucket *bucket, uint64_t now_ns);

/* h2_connection.c */

/** Take over a connection that has just come. */
void h2_connection_arrive(struct h2_job *job);
/** The socket is ready for `events`. */
void h2_connection_handle(struct h2_connection *connection, uint32_t events);
/** Send as much as the socket takes, and end the connection where all is said. */
void h2_connection_flush(struct h2_connection *connection);
/** See to its time limits; loop->now_ns is the time. */
void h2_connection_sweep(struct h2_connection *connection);
/** Ask the client to open no more streams here. */
void h2_connection_warn(struct h2_connection *connection);
/** The client has had the time to hear that: name the last stream. */
void h2_connection_leave(struct h2_connection *connection);
/** Close the socket, and all streams. */
void h2_connection_close(struct h2_connection *connection);
/** Free it where it is closed and nothing has it. */
void h2_connection_release(struct h2_connection *connection);

/* h2_session.c */

/** New; NULL without memory. */
nghttp2_session_callbacks *h2_session_callbacks(void);
/** The session of a new connection, with its first frames to be sent. False: no memory. */
bool h2_session_start(struct h2_connection *connection);
/** The HTTP/2 stream is closed, or its connection. */
void h2_session_close_stream(struct h2_stream *stream);
/** The connection's first request has begun, or it can begin none any more. */
void h2_session_asked(struct h2_connection *connection);

/* h2_stream.c */

/** New, linked to its connection; NULL without memory. */
struct h2_stream *h2_stream_create(struct h2_connection *connection, int32_t id);
/** What was marked: on_writable, or the end and free. */
void h2_stream_look(struct h2_stream *stream);
/** `bytes` of the body are no longer held; the stream is not closed. */
void h2_stream_release(struct h2_stream *stream, size_t bytes);
/** Reset it with `error`; nothing more is sent on it. The stream is not closed. */
void h2_stream_reset(struct h2_stream *stream, uint32_t error);
/** It is closed: what was written is dropped. */
void h2_stream_drop(struct h2_stream *stream);

/* h2_head.c */

/** A field of the request's head has come. */
void h2_head_add(struct h2_stream *stream, const uint8_t *name, size_t name_len, const uint8_t *value,
                 size_t value_len);
/** The head is whole: fill in the exchange. `ended`: there is no body. False: no memory. */
bool h2_head_finish(struct h2_stream *stream, bool ended);
/** net_exchange_header. */
const char *h2_head_find(const struct net_exchange *exchange, const char *name);
/** net_exchange_each_header. */
void h2_head_each(const struct net_exchange *exchange, void (*visit)(void *cookie, const char *name, const char *value),
                  void *cookie);

#endif
