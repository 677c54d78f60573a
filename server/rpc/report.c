#include "server/rpc/report.h"

#include <stdio.h>

#include "server/serve/serve.h"

static uint32_t clamp(uint64_t n)
{
    return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

void rpc_report_fill(const struct serve_infer *infer, Tei__V1__Metadata *ret)
{
    struct serve_infer_report report;
    serve_infer_report(infer, &report);
    tei__v1__metadata__init(ret);
    ret->compute_chars = clamp(report.chars);
    ret->compute_tokens = clamp(report.tokens);
    ret->total_time_ns = report.total_ns;
    ret->tokenization_time_ns = report.tokenization_ns;
    ret->queue_time_ns = report.queue_ns;
    ret->inference_time_ns = report.inference_ns;
}

static void add(struct rpc_stream *stream, const char *name, uint64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    rpc_add_header(stream, name, text);
}

static uint64_t milliseconds(uint64_t ns)
{
    return ns / 1000000;
}

void rpc_report_add_headers(struct rpc_stream *stream, const struct serve_infer *infer)
{
    struct serve_infer_report report;
    serve_infer_report(infer, &report);
    rpc_add_header(stream, "x-compute-type", serve_server_options(infer->call->server)->compute_type);
    add(stream, "x-compute-time", milliseconds(report.total_ns));
    add(stream, "x-compute-characters", report.chars);
    add(stream, "x-compute-tokens", report.tokens);
    add(stream, "x-total-time", milliseconds(report.total_ns));
    add(stream, "x-tokenization-time", milliseconds(report.tokenization_ns));
    add(stream, "x-queue-time", milliseconds(report.queue_ns));
    add(stream, "x-inference-time", milliseconds(report.inference_ns));
    if (report.n_truncated)
        add(stream, "x-truncated-count", report.n_truncated);
}
