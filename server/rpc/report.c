#include "server/rpc/report.h"

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

static void add(void *cookie, const char *name, const char *value)
{
    rpc_add_header(cookie, name, value);
}

void rpc_report_add_headers(struct rpc_stream *stream, const struct serve_infer *infer)
{
    struct serve_infer_report report;
    serve_infer_report(infer, &report);
    serve_infer_tell(infer, &report, add, stream);
}
