#include "server/rpc/calls.h"

#include <pthread.h>
#include <string.h>

#include "base/mem.h"
#include "server/net/net.h"
#include "server/rpc/failure.h"
#include "server/rpc/record.h"
#include "server/rpc/report.h"
#include "server/serve/access.h"
#include "server/serve/request_id.h"
#include "server/serve/serve.h"
#include "server/wire/response.h"

struct call {
    struct serve_call serve;
    struct rpc_stream *stream;
    struct call *next;
    bool ready;     /* under calls.lock */
    char message[]; /* [serve.request_len] */
};

/* The state of a stream. All but what the lock guards is the event thread's. */
struct calls {
    struct call *first, *last; /* in order */
    struct call *failed;       /* ended the stream */
    enum status cut;           /* ended it otherwise: CANCELLED, NO_MEMORY */
    bool half_closed;
    bool slow; /* the client reads slowly: until on_writable */
    bool answering;
    bool finished; /* rpc_finish was called */
    char id[SERVE_ID_SIZE];
    pthread_mutex_t lock;
    bool busy; /* under the lock: the event thread looks for ready calls by itself */
};

_Static_assert(sizeof(struct calls) <= RPC_CALLS_STATE, "their callers reserve too little");

/* Calls ------------------------------------------------------------------------------------------------------------*/

static const struct rpc_action *action_of(const struct call *call)
{
    return rpc_method_of(call->stream)->detail;
}

static enum serve_progress start(struct serve_call *serve)
{
    struct call *call = (struct call *)serve;
    ProtobufCMessage *request = NULL;
    serve->status = rpc_decode(&request, rpc_codec_of(call->stream), rpc_method_of(call->stream)->request,
                               serve->request, serve->request_len, serve->arena, &serve->err);
    if (serve->status != STATUS_OK)
        return SERVE_DONE;
    serve->unknown_fields = request->n_unknown_fields;
    return action_of(call)->start(serve, request);
}

static void encode(struct serve_call *serve)
{
    action_of((struct call *)serve)->encode(serve);
}

void rpc_calls_reply(struct serve_call *serve, const ProtobufCMessage *message)
{
    rpc_encode(&serve->reply, rpc_calls_codec(serve), message);
}

enum rpc_codec rpc_calls_codec(const struct serve_call *serve)
{
    return rpc_codec_of(((const struct call *)serve)->stream);
}

static const struct serve_method methods[] = {
    [RPC_PROTO] = {.start = start, .encode = encode, .value_cost = sizeof(float)},
    [RPC_JSON] = {.start = start, .encode = encode, .value_cost = WIRE_FLOAT_COST},
};
static const struct serve_method immediate_method = {.start = start, .immediate = true};

static void on_ready(struct serve_call *serve)
{
    struct call *call = (struct call *)serve;
    struct rpc_stream *stream = call->stream;
    struct calls *calls = rpc_state(stream);
    pthread_mutex_lock(&calls->lock);
    call->ready = true;
    bool wakes = !calls->busy && rpc_begin_wake(stream);
    pthread_mutex_unlock(&calls->lock);
    if (wakes)
        rpc_end_wake(stream);
}

static void fill_in(struct call *call, const struct rpc_action *action, size_t message_len)
{
    struct rpc_stream *stream = call->stream;
    struct serve_call *serve = &call->serve;
    struct net_exchange *exchange = rpc_exchange_of(stream);
    size_t len = 0;
    const void *address = net_exchange_address(exchange, &len);
    serve_call_init(serve, rpc_server_of(stream));
    serve->method = action->immediate ? &immediate_method : &methods[rpc_codec_of(stream)];
    serve->id = ((struct calls *)rpc_state(stream))->id;
    serve->request = call->message;
    serve->request_len = message_len;
    struct error err;
    if (serve_access_identify(serve, rpc_header(stream, "authorization"), address, len, &err) != STATUS_OK &&
        !rpc_method_of(stream)->public)
        serve_call_fail(serve, err.status, "%s", err.message);
    serve->socket = net_exchange_socket(exchange);
    serve->on_ready = on_ready;
    serve_call_limit_time(serve, 0);
    serve_call_end_by(serve, rpc_deadline_ns(stream));
    serve_call_read_class(serve, rpc_header(stream, "x-bertd-priority"));
    serve_call_trace(serve, rpc_header(stream, "traceparent"), rpc_header(stream, "tracestate"));
}

static void run(struct calls *calls, struct call *call, size_t message_len)
{
    const struct rpc_action *action = action_of(call);
    struct serve_call *serve = &call->serve;
    struct error err;
    fill_in(call, action, message_len);
    if (serve_call_reserve(serve, serve->request_len, &err) != STATUS_OK)
        serve_call_fail(serve, err.status, "%s", err.message);
    if (calls->last)
        calls->last->next = call;
    else
        calls->first = call;
    calls->last = call;
    if (!action->immediate) {
        serve_call_run(serve);
        return;
    }
    serve->arena = arena_create(serve_server_options(serve->server)->max_memory);
    if (!serve->arena)
        serve_call_fail(serve, STATUS_NO_MEMORY, "no memory for the request");
    serve_call_run_immediate(serve);
    call->ready = true; /* nobody else knows it */
}

static void end_call(struct call *call)
{
    serve_call_finish(&call->serve);
    mem_free(call);
}

/* Streams ----------------------------------------------------------------------------------------------------------*/

static bool is_ending(const struct calls *calls)
{
    return calls->cut != STATUS_OK || calls->failed;
}

static void cancel_all(struct calls *calls)
{
    for (struct call *call = calls->first; call; call = call->next)
        serve_call_cancel(&call->serve);
}

static void cut(struct calls *calls, enum status status)
{
    if (!is_ending(calls))
        calls->cut = status;
    cancel_all(calls);
}

/* The first call, where it may be answered now. */
static struct call *take_ready(const struct rpc_stream *stream, struct calls *calls)
{
    enum rpc_kind kind = rpc_method_of(stream)->kind;
    bool whole = calls->half_closed || kind == RPC_BIDI_STREAM || kind == RPC_CLIENT_STREAM;
    bool may = is_ending(calls) || (whole && !calls->slow);
    pthread_mutex_lock(&calls->lock);
    struct call *call = may && calls->first && calls->first->ready ? calls->first : NULL;
    if (call) {
        calls->first = call->next;
        if (!calls->first)
            calls->last = NULL;
    } else {
        calls->busy = false;
    }
    pthread_mutex_unlock(&calls->lock);
    return call;
}

static void answer(struct rpc_stream *stream, struct calls *calls, struct call *call)
{
    struct serve_call *serve = &call->serve;
    serve_call_answer(serve);
    rpc_record(stream, serve);
    if (is_ending(calls)) {
        end_call(call);
        return;
    }
    size_t len = 0;
    char *bytes = serve->status == STATUS_OK ? buf_take(&serve->reply, &len) : NULL;
    if (serve->status == STATUS_OK && !bytes)
        serve_call_fail(serve, STATUS_NO_MEMORY, "no memory for the response");
    if (!bytes) {
        calls->failed = call;
        cancel_all(calls);
        return;
    }
    if (serve->infer && rpc_method_of(stream)->kind == RPC_UNARY)
        rpc_report_add_headers(stream, serve->infer);
    end_call(call); /* before what it holds is counted as the stream's */
    calls->slow = !rpc_send(stream, bytes, len);
    if (rpc_method_of(stream)->kind == RPC_BIDI_STREAM)
        rpc_consume(stream);
}

static void finish(struct rpc_stream *stream, struct calls *calls)
{
    struct error err;
    uint64_t retry_s = 0;
    calls->finished = true;
    if (calls->failed) {
        err = calls->failed->serve.err;
        retry_s = serve_call_retry_after_s(&calls->failed->serve);
        end_call(calls->failed);
    } else if (calls->cut != STATUS_OK) {
        error_set(&err, calls->cut,
                  calls->cut == STATUS_CANCELLED ? "the client has gone" : "no memory for the request");
    } else if (rpc_method_of(stream)->kind == RPC_CLIENT_STREAM) {
        error_set(&err, STATUS_EMPTY, "there was no message");
    } else {
        rpc_finish(stream, 0, NULL, NULL, 0);
        return;
    }
    rpc_failure_finish(stream, &err, retry_s);
}

/* From now on nobody wakes the event thread: it looks by itself, until take_ready finds nothing. False: somebody is
 * about to wake it already. */
static bool begin_busy(struct rpc_stream *stream, struct calls *calls)
{
    pthread_mutex_lock(&calls->lock);
    bool waking = rpc_is_waking(stream);
    calls->busy = true;
    pthread_mutex_unlock(&calls->lock);
    return !waking;
}

/* All that can be done now. The stream may be over after it, so not while a call is about to wake it. */
static void advance(struct rpc_stream *stream, struct calls *calls)
{
    struct call *call;
    if (calls->answering || !begin_busy(stream, calls))
        return; /* inside of rpc_send or rpc_consume, whose caller goes on; or on_wake does */
    calls->answering = true;
    while ((call = take_ready(stream, calls)))
        answer(stream, calls, call);
    if (!calls->finished && !calls->first && (calls->half_closed || is_ending(calls)))
        finish(stream, calls);
    calls->answering = false;
}

void rpc_calls_on_start(struct rpc_stream *stream)
{
    struct calls *calls = rpc_state(stream);
    pthread_mutex_init(&calls->lock, NULL);
    serve_request_id(calls->id, rpc_header(stream, "x-request-id"));
    rpc_add_header(stream, "x-request-id", calls->id);
    if (rpc_method_of(stream)->kind == RPC_BIDI_STREAM)
        rpc_hold(stream, RPC_CALLS_AT_ONCE);
}

void rpc_calls_on_message(struct rpc_stream *stream, const char *bytes, size_t len)
{
    struct calls *calls = rpc_state(stream);
    if (is_ending(calls))
        return;
    struct call *call = mem_calloc(1, sizeof *call + len);
    if (call) {
        call->stream = stream;
        if (len)
            memcpy(call->message, bytes, len);
        begin_busy(stream, calls);
        run(calls, call, len);
    } else {
        cut(calls, STATUS_NO_MEMORY);
    }
    advance(stream, calls);
}

void rpc_calls_on_half_close(struct rpc_stream *stream)
{
    struct calls *calls = rpc_state(stream);
    calls->half_closed = true;
    advance(stream, calls);
}

void rpc_calls_on_wake(struct rpc_stream *stream)
{
    advance(stream, rpc_state(stream));
}

void rpc_calls_on_writable(struct rpc_stream *stream)
{
    struct calls *calls = rpc_state(stream);
    calls->slow = false;
    advance(stream, calls);
}

void rpc_calls_on_cancel(struct rpc_stream *stream)
{
    struct calls *calls = rpc_state(stream);
    cut(calls, STATUS_CANCELLED);
    advance(stream, calls);
}

void rpc_calls_on_over(struct rpc_stream *stream)
{
    struct calls *calls = rpc_state(stream);
    pthread_mutex_destroy(&calls->lock);
}
