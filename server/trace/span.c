#include <string.h>

#include "server/trace/exporter.h"

/* In quotes. Texts are ASCII; whatever else comes is shown as '?'. */
static void write_string(struct buf *out, const char *text)
{
    buf_puts(out, "\"");
    while (*text) {
        size_t plain = 0;
        while (text[plain] >= ' ' && text[plain] <= '~' && text[plain] != '"' && text[plain] != '\\')
            plain++;
        buf_append(out, text, plain);
        text += plain;
        if (!*text)
            break;
        buf_puts(out, *text == '"' ? "\\\"" : *text == '\\' ? "\\\\" : "?");
        text++;
    }
    buf_puts(out, "\"");
}

static void write_attribute(struct buf *out, const struct trace_attribute *attribute)
{
    buf_puts(out, "{\"key\":");
    write_string(out, attribute->key);
    if (attribute->text) {
        buf_puts(out, ",\"value\":{\"stringValue\":");
        write_string(out, attribute->text);
        buf_puts(out, "}}");
    } else {
        buf_printf(out, ",\"value\":{\"intValue\":\"%lld\"}}", (long long)attribute->number);
    }
}

void trace_span_write(struct buf *out, const struct trace_context *context, const struct trace_span *span,
                      uint64_t unix_ns)
{
    buf_printf(out, "{\"traceId\":\"%016llx%016llx\",\"spanId\":\"%016llx\"", (unsigned long long)context->trace_id[0],
               (unsigned long long)context->trace_id[1], (unsigned long long)span->id);
    if (span->parent_id)
        buf_printf(out, ",\"parentSpanId\":\"%016llx\"", (unsigned long long)span->parent_id);
    if (context->state) {
        buf_puts(out, ",\"traceState\":");
        write_string(out, context->state);
    }
    buf_puts(out, ",\"name\":");
    write_string(out, span->name);
    buf_printf(out, ",\"kind\":%d,\"startTimeUnixNano\":\"%llu\",\"endTimeUnixNano\":\"%llu\",\"attributes\":[",
               (int)span->kind, (unsigned long long)(span->begin_ns + unix_ns),
               (unsigned long long)(span->end_ns + unix_ns));
    for (uint32_t i = 0; i < span->n_attributes; i++) {
        if (i > 0)
            buf_puts(out, ",");
        write_attribute(out, &span->attributes[i]);
    }
    buf_printf(out, "],\"status\":{%s}}", span->failed ? "\"code\":2" : "");
}

bool trace_settings_sample(const struct trace_settings *settings, const struct trace_context *context)
{
    if (settings->parent_based && context->parent_id)
        return context->sampled;
    if (settings->sampler != TRACE_RATIO)
        return settings->sampler == TRACE_ALL;
    return context->trace_id[1] >> 1 < (uint64_t)(settings->ratio * 0x1p63);
}
