#include "server/serve/call.h"

#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

#include "base/clock.h"
#include "base/patience.h"
#include "server/serve/accounts.h"
#include "server/serve/infer.h"
#include "server/serve/server.h"

/* Up to these sizes decoding and encoding take some tens of microseconds, about what a change of threads costs. */
enum { SHORT_REQUEST = 2048, SHORT_VALUES = 2048 };

void serve_call_init(struct serve_call *call, struct serve_server *server)
{
    *call = (struct serve_call){.server = server, .started_ns = clock_now_ns(), .socket = -1};
}

void serve_call_limit_time(struct serve_call *call, uint64_t asked_ms)
{
    uint64_t limit = call->server->options.request_timeout_ms;
    if (asked_ms > UINT32_MAX)
        asked_ms = UINT32_MAX; /* weeks: as good as none, and no overflow */
    if (asked_ms && (!limit || asked_ms < limit))
        limit = asked_ms;
    call->deadline_ns = limit ? call->started_ns + limit * 1000000u : 0;
}

void serve_call_end_by(struct serve_call *call, uint64_t deadline_ns)
{
    if (deadline_ns && (!call->deadline_ns || deadline_ns < call->deadline_ns))
        call->deadline_ns = deadline_ns;
}

void serve_call_read_class(struct serve_call *call, const char *text)
{
    for (int c = 0; text && c < BATCH_CLASSES; c++) {
        if (strcasecmp(text, batch_class_name((enum batch_class)c)) == 0) {
            call->has_class = true;
            call->class = (enum batch_class)c;
            return;
        }
    }
    if (text)
        serve_call_fail(call, STATUS_VALIDATION, "x-bertd-priority: expected interactive or bulk");
}

void serve_call_trace(struct serve_call *call, const char *traceparent, const char *tracestate)
{
    trace_begin(&call->trace, call->server->options.traces, traceparent, tracestate);
}

void serve_call_fail(struct serve_call *call, enum status status, const char *format, ...)
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

enum status serve_call_reserve(struct serve_call *call, uint64_t bytes, struct error *err)
{
    struct serve_server *server = call->server;
    uint64_t limit = server->options.max_memory;
    if (bytes > limit - call->memory)
        return error_set(err, STATUS_VALIDATION,
                         "the request needs more memory than the %llu bytes of --max-request-memory: send fewer or "
                         "shorter inputs",
                         (unsigned long long)limit);
    enum status status = serve_server_reserve(server, bytes, err);
    if (status != STATUS_OK)
        return status;
    call->memory += bytes;
    return STATUS_OK;
}

static void refuse_large(struct serve_call *call)
{
    serve_call_fail(call, STATUS_TOO_LARGE, "the body is larger than the limit of %llu bytes (see --payload-limit)",
                    (unsigned long long)call->taken_limit);
}

void serve_call_expect(struct serve_call *call, uint64_t bytes, uint64_t limit)
{
    call->taken_limit = limit;
    if (bytes > limit)
        refuse_large(call);
}

void serve_call_take(struct serve_call *call, const char *bytes, size_t len)
{
    struct error err;
    if (call->status == STATUS_OK && len > call->taken_limit - call->taken.len)
        refuse_large(call);
    if (call->status == STATUS_OK && serve_call_reserve(call, len, &err) != STATUS_OK)
        serve_call_fail(call, err.status, "%s", err.message);
    if (call->status == STATUS_OK)
        buf_append(&call->taken, bytes, len);
    if (call->taken.failed)
        serve_call_fail(call, STATUS_NO_MEMORY, "no memory for the body");
    if (call->status != STATUS_OK)
        buf_finish(&call->taken);
}

static void say_closing(struct serve_call *call)
{
    serve_call_fail(call, STATUS_UNHEALTHY, "the server is shutting down");
}

static void admit(struct serve_call *call)
{
    struct serve_server *server = call->server;
    uint32_t limit = server->options.max_concurrent_requests;
    uint32_t before = atomic_fetch_add(&server->active, 1);
    call->admitted = true;
    if (atomic_load(&server->closing))
        say_closing(call);
    else if (before >= limit)
        serve_call_fail(call, STATUS_OVERLOADED,
                        "%u requests are being worked on, the limit: try again later (see --max-concurrent-requests)",
                        limit);
    struct error err;
    if (call->status == STATUS_OK && serve_account_admit(call, &err) != STATUS_OK)
        serve_call_fail(call, err.status, "%s", err.message);
}

static void leave(struct serve_call *call)
{
    if (call->admitted)
        atomic_fetch_sub(&call->server->active, 1);
    call->admitted = false;
}

static enum serve_progress start(struct serve_call *call)
{
    if (atomic_load(&call->unwanted))
        serve_call_fail(call, STATUS_CANCELLED, "the client has gone");
    return call->status == STATUS_OK ? call->method->start(call) : SERVE_DONE;
}

static bool make_arena(struct serve_call *call)
{
    call->arena = arena_create(call->server->options.max_memory);
    if (!call->arena)
        serve_call_fail(call, STATUS_NO_MEMORY, "no memory for the request");
    return call->arena != NULL;
}

/* Boards that compute on the cores which this thread would take get done sooner if it waits; and it gets more requests
 * at a time. While little waits for them it is to hurry: a board may be idle. Cards leave it the cores either way. */
static void hurry_or_wait(const struct serve_server *server)
{
    patience_set(batch_has_backlog(server->options.batch));
}

static void start_on_worker(struct serve_task *task)
{
    struct serve_call *call = serve_call_of_task(task);
    hurry_or_wait(call->server);
    if (start(call) == SERVE_DONE) {
        serve_call_answer(call);
        call->on_ready(call);
    }
}

static void use_taken(struct serve_call *call)
{
    if (call->request)
        return;
    call->request = call->taken.data ? call->taken.data : "";
    call->request_len = call->taken.len;
}

void serve_call_run(struct serve_call *call)
{
    const struct serve_server *server = call->server;
    call->started_ns = clock_now_ns();
    use_taken(call);
    if (call->status == STATUS_OK)
        admit(call);
    if (call->status == STATUS_OK && make_arena(call) && call->request_len > SHORT_REQUEST) {
        call->task.run = start_on_worker;
        serve_pool_push(&call->server->pool, &call->task);
    } else if (start(call) == SERVE_DONE) {
        call->on_ready(call);
    }
    hurry_or_wait(server);
}

void serve_call_run_immediate(struct serve_call *call)
{
    use_taken(call);
    if (atomic_load(&call->server->closing))
        say_closing(call);
    if (call->method)
        start(call);
}

void serve_call_cancel(struct serve_call *call)
{
    atomic_store(&call->unwanted, true);
    serve_watch_wake(&call->server->watch);
}

static void encode_on_worker(struct serve_task *task)
{
    struct serve_call *call = serve_call_of_task(task);
    serve_call_answer(call);
    call->on_ready(call);
}

void serve_call_complete(struct serve_call *call)
{
    if (call->status == STATUS_OK && call->infer->n_values > SHORT_VALUES) {
        call->task.run = encode_on_worker;
        serve_pool_push(&call->server->pool, &call->task);
    } else {
        call->on_ready(call);
    }
}

static void count(const struct serve_call *call)
{
    const struct serve_telemetry *telemetry = &call->server->telemetry;
    if (!call->method || call->method->immediate)
        return;
    metrics_counter_add(telemetry->unknown_fields, call->unknown_fields);
    if (call->status != STATUS_OK)
        metrics_counter_add(telemetry->failures[call->status], 1);
    else if (call->infer)
        serve_infer_count(call->infer);
}

void serve_call_answer(struct serve_call *call)
{
    hurry_or_wait(call->server);
    if (call->answered)
        return;
    if (call->status == STATUS_OK && call->infer)
        call->method->encode(call);
    if (call->status == STATUS_OK && call->on_encoded)
        call->on_encoded(call);
    if (call->reply.failed)
        serve_call_fail(call, STATUS_NO_MEMORY, "no memory for the response");
    if (call->status != STATUS_OK)
        buf_finish(&call->reply);
    call->answered = true;
    count(call);
    leave(call);
}

uint64_t serve_call_retry_after_s(const struct serve_call *call)
{
    struct batch_stats stats;
    if (call->status != STATUS_OVERLOADED && call->status != STATUS_UNHEALTHY)
        return 0;
    if (call->retry_after_ns)
        return serve_seconds_up(call->retry_after_ns);
    batch_get_stats(call->server->options.batch, &stats);
    return stats.retry_after_ms > 1000 ? (stats.retry_after_ms + 999u) / 1000 : 1;
}

void serve_call_finish(struct serve_call *call)
{
    if (!call->answered && call->status != STATUS_OK)
        count(call); /* there was nobody left to answer */
    leave(call);
    if (call->memory)
        serve_server_release(call->server, call->memory);
    call->memory = 0;
    serve_account_release(call->account);
    call->account = NULL;
    trace_finish(&call->trace);
    buf_finish(&call->reply);
    buf_finish(&call->taken);
    arena_destroy(&call->arena);
}
