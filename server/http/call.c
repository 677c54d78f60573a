#include "server/http/call.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "server/http/infer.h"
#include "server/http/server.h"
#include "server/wire/response.h"

/* Up to these sizes decoding and encoding take some tens of microseconds, about what a change of threads costs. */
enum { SHORT_BODY = 2048, SHORT_VALUES = 2048 };

void http_call_init(struct http_call *call, struct http_server *server)
{
    *call = (struct http_call){.server = server, .started_ns = clock_now_ns(), .socket = -1};
}

void http_call_refuse(struct http_call *call, enum status status, const char *format, ...)
{
    if (call->status != STATUS_OK)
        return;
    char words[400];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    call->status = error_set(&call->err, status, "%s", words);
}

enum status http_call_reserve(struct http_call *call, uint64_t bytes, struct error *err)
{
    struct http_server *server = call->server;
    uint64_t limit = server->options.max_memory;
    if (bytes > limit - call->memory)
        return error_set(err, STATUS_VALIDATION,
                         "the request needs more memory than the %llu bytes of --max-request-memory: send fewer or "
                         "shorter inputs",
                         (unsigned long long)limit);
    uint64_t before = atomic_fetch_add(&server->memory, bytes);
    if (before > limit - bytes) {
        atomic_fetch_sub(&server->memory, bytes);
        return error_set(err, STATUS_OVERLOADED,
                         "the requests being worked on hold all of the %llu bytes of --max-request-memory: try again "
                         "later",
                         (unsigned long long)limit);
    }
    call->memory += bytes;
    return STATUS_OK;
}

static void admit(struct http_call *call)
{
    struct http_server *server = call->server;
    uint32_t limit = server->options.max_concurrent_requests;
    uint32_t before = atomic_fetch_add(&server->active, 1);
    call->admitted = true;
    if (atomic_load(&server->closing))
        http_call_refuse(call, STATUS_UNHEALTHY, "the server is shutting down");
    else if (before >= limit)
        http_call_refuse(call, STATUS_OVERLOADED, "%u requests are being worked on, the limit: try again later", limit);
}

static void leave(struct http_call *call)
{
    if (call->admitted)
        atomic_fetch_sub(&call->server->active, 1);
    call->admitted = false;
}

/* True when the endpoint has submitted the call, which then is no longer ours. */
static bool start(struct http_call *call)
{
    if (call->status != STATUS_OK)
        return false;
    bool pending = false;
    enum status status = call->endpoint->start(call, &pending, &call->err);
    if (pending)
        return true;
    call->status = status;
    return false;
}

static bool make_arena(struct http_call *call)
{
    call->arena = arena_create(call->server->options.max_memory);
    if (!call->arena)
        http_call_refuse(call, STATUS_NO_MEMORY, "no memory for the request");
    return call->arena != NULL;
}

static struct http_call *call_of_task(struct http_task *task)
{
    return (struct http_call *)((char *)task - offsetof(struct http_call, task));
}

static void start_on_worker(struct http_task *task)
{
    struct http_call *call = call_of_task(task);
    if (!start(call))
        call->on_ready(call);
}

void http_call_run(struct http_call *call)
{
    call->started_ns = clock_now_ns();
    if (call->status == STATUS_OK)
        admit(call);
    if (call->status == STATUS_OK && make_arena(call) && call->body_len > SHORT_BODY) {
        call->task.run = start_on_worker;
        http_pool_push(&call->server->pool, &call->task);
    } else if (!start(call)) {
        call->on_ready(call);
    }
}

void http_call_run_light(struct http_call *call)
{
    start(call);
}

static void encode_on_worker(struct http_task *task)
{
    struct http_call *call = call_of_task(task);
    http_call_answer(call);
    call->on_ready(call);
}

void http_call_settle(struct http_call *call, enum status status, const struct error *err)
{
    if (status != STATUS_OK) {
        call->status = status;
        call->err = *err;
    }
    if (status == STATUS_OK && http_infer_values(call->infer) > SHORT_VALUES) {
        call->task.run = encode_on_worker;
        http_pool_push(&call->server->pool, &call->task);
    } else {
        call->on_ready(call);
    }
}

static void encode(struct http_call *call)
{
    if (call->status == STATUS_OK && call->infer)
        call->status = call->endpoint->encode(call, &call->err);
    if (call->status == STATUS_OK && call->reply.body.failed)
        http_call_refuse(call, STATUS_NO_MEMORY, "no memory for the response");
    if (call->status == STATUS_OK) {
        call->reply.code = call->reply.code ? call->reply.code : 200;
        return;
    }
    buf_finish(&call->reply.body);
    call->reply.code = status_http(call->status);
    call->reply.content_type = NULL;
    wire_write_error(&call->reply.body, call->status, call->err.message);
}

static void count(struct http_call *call)
{
    if (call->status != STATUS_OK)
        metrics_counter_add(call->server->telemetry.failures[call->status], 1);
    else if (call->infer)
        http_infer_count(call->infer);
}

struct http_reply *http_call_answer(struct http_call *call)
{
    if (call->answered)
        return &call->reply;
    encode(call);
    call->answered = true;
    count(call);
    leave(call);
    return &call->reply;
}

void http_call_finish(struct http_call *call)
{
    if (!call->answered && call->status != STATUS_OK)
        count(call); /* there was nobody left to answer */
    leave(call);
    if (call->memory)
        atomic_fetch_sub(&call->server->memory, call->memory);
    call->memory = 0;
    buf_finish(&call->reply.body);
    arena_destroy(&call->arena);
}
