/* A call: one request on its way, whatever carried it here. Endpoints see this and server.h, no transport.
 *
 *   transport: http_call_init, then fills `body`; http_call_run
 *   endpoint:  start reads the body and answers at once, or hands texts to http_infer_start
 *   anywhere:  on_ready, once
 *   transport: http_call_answer gives the reply; http_call_finish when it is sent
 *
 * Short work is done where it stands (the transport's thread), so that a lone short request changes threads only for
 * the board; long decoding and encoding goes to the workers.
 */
#ifndef BERTD_HTTP_CALL_H
#define BERTD_HTTP_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"
#include "server/http/pool.h"
#include "server/http/watch.h"

struct http_server;
struct http_call;
struct http_infer;

/** How one endpoint works. */
struct http_endpoint {
    bool open;  /* needs no key */
    bool light; /* answers at once without a body, even when the server is full */
    /** Read the body; answer by writing call->reply.body, or submit with http_infer_start and set `*ret_pending`:
     *  from then on the call is no longer yours. A failure becomes the answer. */
    enum status (*start)(struct http_call *call, bool *ret_pending, struct error *err);
    /** Write call->reply.body from the results of call->infer. NULL where start always answers. */
    enum status (*encode)(struct http_call *call, struct error *err);
};

struct http_reply {
    int code;
    const char *content_type; /* NULL: JSON */
    struct buf body;
};

struct http_call {
    struct http_server *server;
    const struct http_endpoint *endpoint;
    const char *body; /* [body_len], the transport's */
    size_t body_len;
    uint64_t started_ns;
    uint64_t deadline_ns; /* on clock_now_ns; 0: none */
    uint64_t client;      /* who asks, for fairness between clients; 0: not known */
    bool has_class;       /* the request says what it is: `class`; else its size does */
    enum batch_class class;
    int socket;                               /* watched for the client going away; -1: none */
    void (*on_ready)(struct http_call *call); /* the transport's; must not block; the call may end in it */
    struct arena *arena;                      /* NULL until http_call_run */
    void *request;                            /* the endpoint's own, in the arena */
    struct http_infer *infer;                 /* set by http_infer_start */
    struct http_reply reply;
    enum status status; /* how it went; with `err`'s words where not OK */
    struct error err;
    /* The core's own: */
    bool admitted; /* counts against --max-concurrent-requests */
    bool answered;
    uint64_t memory; /* reserved bytes */
    struct http_task task;
    struct http_watched watched;
};

/** Begin; the caller fills in the transport's members before http_call_run. */
void http_call_init(struct http_call *call, struct http_server *server);
/** The whole body is there: do it. `on_ready` comes exactly once, perhaps before this returns. */
void http_call_run(struct http_call *call);
/** The same for a light endpoint, or one that was refused: ready when this returns, without on_ready. */
void http_call_run_light(struct http_call *call);
/** Settle the call with a failure before it ran. */
void http_call_refuse(struct http_call *call, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/** What http_infer_start's work came to; the call goes on to its encoding. */
void http_call_settle(struct http_call *call, enum status status, const struct error *err);
/** The reply of a ready call: encoded here unless a worker already did. Its body is for the transport to take. */
struct http_reply *http_call_answer(struct http_call *call);
/** Free what the call holds. */
void http_call_finish(struct http_call *call);

/** Reserve memory against --max-request-memory until the call is finished. Errors: OVERLOADED; VALIDATION where it
 *  would not even fit alone. */
enum status http_call_reserve(struct http_call *call, uint64_t bytes, struct error *err);

#endif
