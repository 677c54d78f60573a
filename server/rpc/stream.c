#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "server/rpc/protocol.h"

enum { MESSAGE_SIZE = 512 };

/* The service's state lies behind the stream. */
enum { STATE_OFFSET = (sizeof(struct rpc_stream) + 15) / 16 * 16 };

struct rpc_stream *rpc_stream_create(struct rpc_server *server, struct net_exchange *exchange,
                                     const struct rpc_protocol *protocol, const struct rpc_method *method)
{
    struct rpc_stream *stream = mem_calloc(1, STATE_OFFSET + (method ? method->state_size : 0));
    if (!stream)
        return NULL;
    stream->server = server;
    stream->exchange = exchange;
    stream->protocol = protocol;
    stream->method = method;
    return stream;
}

enum status rpc_count_memory(struct rpc_stream *stream, struct error *err)
{
    struct serve_server *serve = stream->server->serve;
    uint64_t before = stream->counted, now = stream->in.bytes.len + stream->message.len + stream->outgoing;
    enum status status = STATUS_OK;
    if (!serve)
        return STATUS_OK;
    if (now < before)
        serve_server_release(serve, before - now);
    else if (!err)
        serve_server_count(serve, now - before);
    else
        status = serve_server_reserve(serve, now - before, err);
    stream->counted = status == STATUS_OK ? now : before;
    return status;
}

void rpc_stream_destroy(struct rpc_stream *stream)
{
    if (stream->started && stream->method->on_over)
        stream->method->on_over(stream);
    rpc_envelopes_finish(&stream->in);
    buf_finish(&stream->message);
    stream->outgoing = 0;
    rpc_count_memory(stream, NULL);
    buf_finish(&stream->trailers);
    mem_free(stream->answer);
    mem_free(stream->failure_message);
    mem_free(stream);
}

/* What a service asks. */

void *rpc_state(struct rpc_stream *stream)
{
    return (char *)stream + STATE_OFFSET;
}

struct rpc_stream *rpc_stream_of_state(void *state)
{
    return (struct rpc_stream *)((char *)state - STATE_OFFSET);
}

const struct rpc_method *rpc_method_of(const struct rpc_stream *stream)
{
    return stream->method;
}

struct serve_server *rpc_server_of(const struct rpc_stream *stream)
{
    return stream->server->serve;
}

enum rpc_codec rpc_codec_of(const struct rpc_stream *stream)
{
    return stream->codec;
}

const char *rpc_header(const struct rpc_stream *stream, const char *name)
{
    return net_exchange_header(stream->exchange, name);
}

uint64_t rpc_deadline_ns(const struct rpc_stream *stream)
{
    return stream->deadline_ns;
}

struct net_exchange *rpc_exchange_of(struct rpc_stream *stream)
{
    return stream->exchange;
}

bool rpc_one_answer(const struct rpc_stream *stream)
{
    const struct rpc_method *method = stream->method;
    return !method || method->kind == RPC_UNARY || method->kind == RPC_CLIENT_STREAM;
}

/* Times and wakes. */

bool rpc_begin_wake(struct rpc_stream *stream)
{
    atomic_store(&stream->woken, true);
    return !atomic_exchange(&stream->waking, true);
}

void rpc_end_wake(struct rpc_stream *stream)
{
    net_wake(stream->exchange);
}

bool rpc_is_waking(struct rpc_stream *stream)
{
    if (!atomic_load(&stream->waking))
        return false;
    atomic_store(&stream->woken, true); /* it may be a timer's */
    return true;
}

static void on_time(struct rpc_timer *timer)
{
    struct rpc_stream *stream = (struct rpc_stream *)((char *)timer - offsetof(struct rpc_stream, timer));
    if (!atomic_exchange(&stream->waking, true))
        net_wake(stream->exchange);
}

void rpc_watch_time(struct rpc_stream *stream)
{
    struct rpc_timers *timers = &stream->server->timers;
    uint64_t next = stream->failure ? 0 : stream->deadline_ns;
    if (stream->time_ns && (!next || stream->time_ns < next))
        next = stream->time_ns;
    if (next)
        rpc_timer_set(timers, &stream->timer, next, on_time);
    else if (stream->timed)
        rpc_timer_clear(timers, &stream->timer);
    stream->timed = next != 0;
}

void rpc_set_time(struct rpc_stream *stream, uint64_t at_ns)
{
    stream->time_ns = at_ns;
    rpc_watch_time(stream);
}

/* How it begins and ends. */

void rpc_start(struct rpc_stream *stream)
{
    stream->started = true;
    if (stream->method->on_start)
        stream->method->on_start(stream);
}

static void end(struct rpc_stream *stream, const struct rpc_status *status)
{
    stream->finished = true;
    if (stream->timed)
        rpc_timer_clear(&stream->server->timers, &stream->timer);
    rpc_telemetry_count(stream, status->code);
    if (stream->failure)
        rpc_telemetry_refused(stream, status->code, status->message);
    stream->protocol->finish(stream, status);
}

void rpc_finish(struct rpc_stream *stream, rpc_code code, const char *message, const struct rpc_detail *details,
                uint32_t n_details)
{
    struct rpc_status status = {code, message, details, n_details};
    if (stream->failure)
        status = (struct rpc_status){.code = stream->failure, .message = stream->failure_message};
    else if (code == RPC_OK && rpc_one_answer(stream) && !stream->answer)
        status = (struct rpc_status){.code = RPC_INTERNAL, .message = "the method gave no answer"};
    end(stream, &status);
}

void rpc_fail(struct rpc_stream *stream, rpc_code code, const char *format, ...)
{
    if (stream->failure || stream->finished)
        return;
    char message[MESSAGE_SIZE];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    stream->failure = code;
    if (!stream->started) {
        end(stream, &(struct rpc_status){.code = code, .message = message});
        return;
    }
    stream->failure_message = mem_strdup(message);
    stream->cancel_due = true;
}
