#include "server/serve/record.h"

#include <string.h>

#include "base/clock.h"
#include "server/serve/access.h"
#include "server/serve/infer.h"
#include "server/serve/log_fields.h"
#include "server/serve/refusals.h"
#include "server/serve/server.h"

enum { MOST_ATTRIBUTES = 16, MOST_SPANS = 4 };

static void log_answered(const struct serve_call *call, const struct serve_record *record)
{
    struct serve_call_words words;
    struct log_field fields[SERVE_CALL_FIELDS + 7] = {
        log_str("request_id", call->id),
        log_str("route", record->route),
        log_str("method", record->method),
        log_int("code", (int64_t)record->code),
        log_int("bytes", (int64_t)record->bytes),
        log_int("microseconds", (int64_t)((clock_now_ns() - call->started_ns) / 1000)),
        {NULL, LOG_END, {0}}};
    serve_add_call_fields(fields, call, &words);
    log_write(LOG_DEBUG, "answered", fields);
}

static void log_failed(const struct serve_call *call, const struct serve_record *record)
{
    struct serve_call_words words;
    struct log_field fields[SERVE_CALL_FIELDS + 6] = {
        log_str("request_id", call->id),     log_str("route", record->route),
        log_str("client", record->client),   log_str("status", status_name(call->status)),
        log_str("error", call->err.message), {NULL, LOG_END, {0}}};
    serve_add_call_fields(fields, call, &words);
    log_write(LOG_ERROR, "a request failed", fields);
}

/* The server's fault, by OpenTelemetry's rules for servers: not that of who asks. */
static bool is_ours(enum status status)
{
    return status_http(status) >= 500 || status == STATUS_BACKEND;
}

/* Where the time went, one behind the other; of several texts the means. */
static uint32_t add_phases(const struct serve_call *call, struct trace_span *spans)
{
    const struct serve_infer *infer = call->infer;
    struct serve_infer_report report;
    serve_infer_report(infer, &report);
    const struct {
        const char *name;
        uint64_t ns;
    } phases[] = {
        {"tokenization", infer->tokenization_ns}, {"queue", report.queue_ns}, {"inference", report.inference_ns}};
    uint64_t at = infer->begun_ns;
    uint32_t n = 0;
    for (size_t i = 0; i < sizeof phases / sizeof *phases; i++) {
        spans[n++] = (struct trace_span){.name = phases[i].name,
                                         .kind = TRACE_INTERNAL,
                                         .id = trace_span_id(),
                                         .parent_id = call->trace.span_id,
                                         .begin_ns = at,
                                         .end_ns = at + phases[i].ns};
        at += phases[i].ns;
    }
    return n;
}

static uint32_t add_facts(const struct serve_call *call, struct trace_attribute *to)
{
    const char *key = serve_access_name(call);
    uint32_t n = 0;
    to[n++] = (struct trace_attribute){"bertd.request_id", call->id ? call->id : "", 0};
    to[n++] = (struct trace_attribute){"bertd.status", status_name(call->status), 0};
    if (is_ours(call->status))
        to[n++] = (struct trace_attribute){"error.type", status_name(call->status), 0};
    if (key)
        to[n++] = (struct trace_attribute){"bertd.key", key, 0};
    if (!call->infer)
        return n;
    to[n++] = (struct trace_attribute){"bertd.inputs", NULL, call->infer->n_inputs};
    to[n++] = (struct trace_attribute){"bertd.tokens", NULL, (int64_t)call->infer->tokens};
    to[n++] = (struct trace_attribute){"bertd.class", batch_class_name(call->infer->work.class), 0};
    return n;
}

static void send_spans(const struct serve_call *call, const struct serve_record *record)
{
    enum { FACTS = 7 };
    struct trace_attribute attributes[MOST_ATTRIBUTES];
    struct trace_span spans[MOST_SPANS];
    uint32_t n = record->n_attributes < MOST_ATTRIBUTES - FACTS ? record->n_attributes : MOST_ATTRIBUTES - FACTS;
    if (record->n_attributes > 0)
        memcpy(attributes, record->attributes, n * sizeof *attributes);
    n += add_facts(call, attributes + n);
    spans[0] = (struct trace_span){.name = record->name,
                                   .kind = TRACE_SERVER,
                                   .id = call->trace.span_id,
                                   .parent_id = call->trace.parent_id,
                                   .begin_ns = call->started_ns,
                                   .end_ns = clock_now_ns(),
                                   .attributes = attributes,
                                   .n_attributes = n,
                                   .failed = is_ours(call->status)};
    uint32_t n_spans = 1;
    if (call->status == STATUS_OK && call->infer)
        n_spans += add_phases(call, spans + 1);
    trace_exporter_submit(call->server->options.traces, &call->trace, spans, n_spans);
}

void serve_record(const struct serve_call *call, const struct serve_record *record)
{
    if (log_enabled(LOG_DEBUG))
        log_answered(call, record);
    if (call->trace.sampled && call->method && !call->method->immediate)
        send_spans(call, record);
    if (call->status == STATUS_OK || record->probe)
        return;
    if (call->status == STATUS_BACKEND || call->status == STATUS_INTERNAL)
        log_failed(call, record);
    else
        serve_log_refusal(&(struct serve_refusal){.id = call->id,
                                                  .route = record->route,
                                                  .client = record->client,
                                                  .status = call->status,
                                                  .reason = call->err.message,
                                                  .code = record->code,
                                                  .call = call});
}
