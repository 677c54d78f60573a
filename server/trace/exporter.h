/* The exporter as the room's files see it. Private to the room. */
#ifndef BERTD_TRACE_EXPORTER_H
#define BERTD_TRACE_EXPORTER_H

#include "base/buf.h"
#include "server/trace/settings.h"
#include "server/trace/trace.h"

/** Whether a request's spans are to be recorded, whose caller (if it has one) said `context->sampled`. Thread: any. */
bool trace_exporter_samples(const struct trace_exporter *exporter, const struct trace_context *context);
/** The decision itself. */
bool trace_settings_sample(const struct trace_settings *settings, const struct trace_context *context);
/** Add a span in OTLP's JSON. `unix_ns`: what is to be added to clock_now_ns for the time since 1970. */
void trace_span_write(struct buf *out, const struct trace_context *context, const struct trace_span *span,
                      uint64_t unix_ns);

#endif
