/* A call: one request on its way, whatever carried it here.
 *
 *   transport: serve_call_init, then fills in what it knows; serve_call_run
 *   method:    start decodes the request; it answers at once, or hands inputs to serve_infer_start
 *   anywhere:  on_ready, once
 *   transport: serve_call_answer, then the result is there; serve_call_finish when it is sent
 *
 * Short work is done where it stands (the transport's thread), so that a lone short request changes threads only for
 * the board; long decoding and encoding goes to the workers. A call is used by one thread at a time.
 */
#ifndef BERTD_SERVE_CALL_H
#define BERTD_SERVE_CALL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"
#include "server/batch/batch.h"
#include "server/serve/pool.h"
#include "server/serve/watch.h"
#include "server/trace/trace.h"

struct serve_server;
struct serve_call;
struct serve_infer;
struct serve_account;

/** What `start` came to. */
enum serve_progress {
    SERVE_DONE,    /* the call has its result: a failure, or the reply */
    SERVE_PENDING, /* it is being worked on and no longer the caller's: touch it no more */
};

/** How one kind of request is done in one encoding. */
struct serve_method {
    /** Decode call->request and do it. Thread: the transport's or a worker. */
    enum serve_progress (*start)(struct serve_call *call);
    /** Write call->reply from the results in call->infer. NULL where start never gives PENDING. Called once. */
    void (*encode)(struct serve_call *call);
    uint32_t value_cost; /* bytes of the reply that one value of the results takes at most, to reserve memory by */
    bool immediate;      /* start never gives PENDING, and is no inference: done even when the server is full, and not
                            counted among the requests that fail */
};

struct serve_call {
    struct serve_server *server;
    /* The transport's: */
    const struct serve_method *method;
    const char *id;      /* of the request, for the log; borrowed until the call is finished; NULL: none */
    const char *request; /* [request_len], encoded; borrowed until the call is finished. NULL: what was taken */
    size_t request_len;
    uint64_t started_ns;
    uint64_t deadline_ns; /* on clock_now_ns; 0: none. See serve_call_limit_time */
    uint64_t client;      /* who asks, to be fair between clients: see access.h; 0: not known */
    bool has_class;       /* the request says its class; else its size does */
    enum batch_class class;
    void *transport; /* what it tells its own methods besides */
    int socket;      /* watched for the client going away; -1: none */
    /** The result is there but for serve_call_answer. Called once, from any thread; must not block. The call may be
     *  finished in it. */
    void (*on_ready)(struct serve_call *call);
    /** The reply is whole, where status is OK: the transport may still change it, on the thread that wrote it. NULL: it
     *  does not. */
    void (*on_encoded)(struct serve_call *call);
    /* By serve_access_identify and serve_call_trace: */
    struct serve_account *account; /* let go of when the call is finished; NULL: it has none */
    uint64_t credential;           /* a number for its account, of no other in this process; 0: it has none */
    struct trace_context trace;    /* of its caller, and its own span */
    /* For methods: */
    struct arena
        *arena; /* what start needs until the end; NULL before serve_call_run and where it is run immediately */
    uint32_t unknown_fields; /* of the request, which were ignored: to be counted */
    /* The result, complete after serve_call_answer: */
    enum status status;
    struct error err;          /* where status is not OK */
    struct serve_infer *infer; /* what was inferred, in the arena; NULL: nothing */
    struct buf reply;          /* encoded, where status is OK; the transport may take it */
    /* The core's own: */
    struct buf taken;     /* see serve_call_take */
    uint64_t taken_limit; /* bytes */
    bool admitted;        /* counts against --max-concurrent-requests */
    bool answered;
    atomic_bool unwanted;    /* serve_call_cancel */
    uint64_t memory;         /* reserved bytes */
    uint64_t retry_after_ns; /* until a limit of its account allows it; 0: none refused it */
    struct serve_task task;
    struct serve_watched watched;
};

/** Begin; the caller fills in the transport's members before serve_call_run. */
void serve_call_init(struct serve_call *call, struct serve_server *server);
/** Set the deadline from when the call began: the server's time limit, or `asked_ms` (0: not asked for) where that is
 *  less. */
void serve_call_limit_time(struct serve_call *call, uint64_t asked_ms);
/** The same for a deadline of the caller's own; 0: it has none. An earlier one stays. */
void serve_call_end_by(struct serve_call *call, uint64_t deadline_ns);
/** What a request says of its class: "interactive" or "bulk"; NULL: nothing. Anything else fails the call. */
void serve_call_read_class(struct serve_call *call, const char *text);
/** The request will have so many bytes (0: not known), and may have `limit`: a larger one fails with TOO_LARGE. */
void serve_call_expect(struct serve_call *call, uint64_t bytes, uint64_t limit);
/** Add a piece to the request, copied and reserved for; nothing where the call has failed. The call fails with
 * TOO_LARGE (see serve_call_expect), OVERLOADED, VALIDATION or NO_MEMORY. */
void serve_call_take(struct serve_call *call, const char *bytes, size_t len);
/** Continue its caller's trace, or begin one: `traceparent` and `tracestate` as W3C Trace Context has them, NULL: none
 *  was sent. Once, before serve_call_run. */
void serve_call_trace(struct serve_call *call, const char *traceparent, const char *tracestate);
/** Reserve `bytes` against --max-request-memory until the call is finished. Errors: OVERLOADED; VALIDATION where it
 *  would not even fit alone. */
enum status serve_call_reserve(struct serve_call *call, uint64_t bytes, struct error *err);
/** Make the call a failure, unless it is one already. */
void serve_call_fail(struct serve_call *call, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** The whole request is there: do it. `on_ready` comes exactly once, perhaps before this returns. A call that has
 *  failed already only becomes ready. From then on the calling thread is patient (base/patience.h) while much waits for
 *  boards; serve_call_answer looks again. */
void serve_call_run(struct serve_call *call);
/** The same for an immediate method: ready when this returns, without on_ready. `method` may be NULL: then there is
 *  nothing to do. A call that has failed already may have any method. */
void serve_call_run_immediate(struct serve_call *call);
/** Nobody waits for the call any more: it ends soon, with CANCELLED unless it has just got another end. Before
 *  serve_call_finish; does nothing for a call that is ready. Thread: any. */
void serve_call_cancel(struct serve_call *call);
/** Complete the result of a ready call: encodes it here unless a worker already did. */
void serve_call_answer(struct serve_call *call);
/** Seconds after which a failed call is worth trying again, at least 1; 0: trying again does not help. */
uint64_t serve_call_retry_after_s(const struct serve_call *call);
/** Free what the call holds. */
void serve_call_finish(struct serve_call *call);

/** The call whose task it is. The room's own. */
static inline struct serve_call *serve_call_of_task(struct serve_task *task)
{
    return (struct serve_call *)((char *)task - offsetof(struct serve_call, task));
}
/** Inference is over, with call->status: go on to encoding. The room's own. */
void serve_call_complete(struct serve_call *call);

#endif
