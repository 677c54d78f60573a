/* Traces: W3C Trace Context of requests, and spans to a collector by OTLP/HTTP (JSON).
 *
 * Spans are sent only where the environment names a collector, with OpenTelemetry's own variables:
 *
 *   OTEL_EXPORTER_OTLP_ENDPOINT, _TRACES_ENDPOINT     where; to the first one /v1/traces is added
 *   OTEL_EXPORTER_OTLP_HEADERS, _TRACES_HEADERS       name=value,..
 *   OTEL_EXPORTER_OTLP_TIMEOUT, _TRACES_TIMEOUT       milliseconds of one attempt
 *   OTEL_EXPORTER_OTLP_CERTIFICATE, _TRACES_..        PEM: who signs the collector's certificate
 *   OTEL_EXPORTER_OTLP_PROTOCOL, _TRACES_PROTOCOL     all but grpc, which bertd does not speak here
 *   OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES       who sends
 *   OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG      always_on, always_off, traceidratio, and parentbased_ of each
 *   OTEL_BSP_SCHEDULE_DELAY, _MAX_QUEUE_SIZE, _MAX_EXPORT_BATCH_SIZE
 *   OTEL_SDK_DISABLED, OTEL_TRACES_EXPORTER=none      nothing is sent
 *
 * An exporter has one thread, which alone waits for the collector; who has spans never does. Texts of requests and keys
 * must not be attributes.
 */
#ifndef BERTD_TRACE_TRACE_H
#define BERTD_TRACE_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct trace_exporter;

/** What W3C Trace Context says of a request. Numbers are as they are written, the first digits in the highest bits. */
struct trace_context {
    uint64_t trace_id[2];
    uint64_t span_id;   /* ours */
    uint64_t parent_id; /* the caller's; 0: there is none */
    bool sampled;       /* spans are recorded */
    char *state;        /* the caller's tracestate, kept where spans are sent; NULL: none */
};

enum { TRACE_ID_SIZE = 33, TRACE_SPAN_ID_SIZE = 17 };

/** Continue the caller's trace, with a span id of our own; without a valid `traceparent` begin a trace.
 *  exporter     decides what is sampled; NULL: nothing is sent
 *  traceparent  as received; NULL: none. tracestate: the same; counts where traceparent is valid
 *  Thread: any. Free with trace_finish. */
void trace_begin(struct trace_context *ret, const struct trace_exporter *exporter, const char *traceparent,
                 const char *tracestate);
/** Free what it holds; a zeroed one is fine. */
void trace_finish(struct trace_context *context);
/** The ids as the log has them. */
void trace_write_ids(const struct trace_context *context, char ret_trace[TRACE_ID_SIZE],
                     char ret_span[TRACE_SPAN_ID_SIZE]);
/** Another id of a span; not 0. Thread: any. */
uint64_t trace_span_id(void);
/** Read a traceparent as its specification says: version 00 exactly, later ones by their first fields. True:
 * `ret_trace` [2], `ret_parent` and `ret_sampled` are set; false: untouched, and to be ignored. */
bool trace_parse_parent(const char *text, uint64_t *ret_trace, uint64_t *ret_parent, bool *ret_sampled);
/** True when a tracestate has up to 32 members, each once and well formed, and up to 512 characters. */
bool trace_is_state(const char *text);

/** One thing to tell of a span. */
struct trace_attribute {
    const char *key;  /* OpenTelemetry's, as "http.route" */
    const char *text; /* ASCII; NULL: the number counts */
    int64_t number;
};

enum trace_kind { TRACE_INTERNAL = 1, TRACE_SERVER = 2 }; /* OTLP's numbers */

/** One span; all is borrowed for the call. */
struct trace_span {
    const char *name;
    enum trace_kind kind;
    uint64_t id;
    uint64_t parent_id; /* 0: none */
    uint64_t begin_ns;  /* on clock_now_ns, as is the end */
    uint64_t end_ns;
    const struct trace_attribute *attributes; /* [n_attributes] */
    uint32_t n_attributes;
    bool failed; /* by a fault of the server's */
};

/** Told by the exporter's thread when the collector no longer takes spans, and when it does again (then NULL). */
typedef void trace_on_change(const char *reason);

/** Start an exporter as the environment says. `ret`: new, or NULL where it names no collector; trace_exporter_destroy.
 *  version  of the program, static
 *  get_env  getenv, or a test's own
 *  Errors: USAGE (a variable, named), UNSUPPORTED (the protocol), NO_MEMORY, INTERNAL; `ret` untouched */
enum status trace_exporter_create(struct trace_exporter **ret, const char *version,
                                  const char *(*get_env)(const char *), trace_on_change *on_change, struct error *err);
/** Send what is queued, within two seconds, and free. Sets the pointer to NULL; NULL is fine. */
void trace_exporter_destroy(struct trace_exporter **exporter);
/** Queue spans [n] of a trace that is sampled; where the queue is full they are dropped. Thread: any; it does not wait
 *  for the collector. */
void trace_exporter_submit(struct trace_exporter *exporter, const struct trace_context *context,
                           const struct trace_span *spans, uint32_t n);

/** Spans so far. Thread: any. */
struct trace_stats {
    uint64_t sent;    /* and taken by the collector */
    uint64_t dropped; /* the queue was full, or the collector did not take them */
};
void trace_exporter_get_stats(const struct trace_exporter *exporter, struct trace_stats *ret);

#endif
