#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "server/http/exchange.h"
#include "server/http/truncated.h"
#include "server/wire/response.h"

/* More would not fit into what proxies take as the head of a response. */
enum { MAX_TRUNCATED = 1024 };

/* Which inputs the vectors do not stand for as a whole. */
static void add_truncated(struct net_exchange *net, const struct serve_infer *infer, uint32_t n_truncated)
{
    char text[MAX_TRUNCATED];
    if (n_truncated == 0)
        return;
    http_write_truncated(infer->inputs, infer->n_inputs, text, sizeof text);
    net_add(net, "x-truncated", text);
}

/* The same times with fractions, in the form that browsers and tracers read. */
static void add_timing(struct net_exchange *net, const struct serve_infer_report *report)
{
    const struct {
        const char *name;
        uint64_t ns;
    } times[] = {{"tokenization", report->tokenization_ns},
                 {", queue", report->queue_ns},
                 {", inference", report->inference_ns},
                 {", total", report->total_ns}};
    char text[160];
    size_t len = 0;
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        uint64_t us = (times[i].ns + 500) / 1000;
        len += (size_t)snprintf(text + len, sizeof text - len, "%s;dur=%llu.%03u", times[i].name,
                                (unsigned long long)(us / 1000), (unsigned)(us % 1000));
    }
    net_add(net, "server-timing", text);
}

static void add_figure(void *cookie, const char *name, const char *value)
{
    net_add(cookie, name, value);
}

static void add_inference(struct net_exchange *net, const struct serve_call *call)
{
    struct serve_infer_report report;
    serve_infer_report(call->infer, &report);
    serve_infer_tell(call->infer, &report, add_figure, net);
    add_timing(net, &report);
    add_truncated(net, call->infer, report.n_truncated);
}

static const char *content_type(const struct http_exchange *exchange)
{
    const char *type = NULL;
    if (exchange->call.status == STATUS_OK && exchange->endpoint)
        type = exchange->request.content_type ? exchange->request.content_type : exchange->endpoint->content_type;
    return type ? type : "application/json";
}

static void add_headers(struct http_exchange *exchange, size_t len)
{
    struct net_exchange *net = exchange->net;
    const struct serve_call *call = &exchange->call;
    bool ok = call->status == STATUS_OK;
    uint64_t retry_after = serve_call_retry_after_s(call);
    if (len > 0)
        net_add(net, "content-type", content_type(exchange));
    if (exchange->codable)
        net_add(net, "vary", "Accept-Encoding");
    if (exchange->coding != NET_IDENTITY)
        net_add(net, "content-encoding", net_coding_name(exchange->coding));
    net_add(net, "x-request-id", exchange->id);
    if (exchange->allow)
        net_add(net, "allow", exchange->allow);
    if (ok && call->infer)
        add_inference(net, call);
    if (ok && exchange->request.json_len)
        net_add_number(net, HTTP_JSON_LENGTH, exchange->request.json_len);
    if (retry_after)
        net_add_number(net, "retry-after", retry_after);
    if (call->status == STATUS_UNAUTHENTICATED)
        net_add(net, "www-authenticate", "Bearer");
}

void http_exchange_respond(struct http_exchange *exchange)
{
    struct serve_call *call = &exchange->call;
    serve_call_answer(call);
    if (call->status != STATUS_OK)
        wire_write_error(&call->reply, exchange->error_form, call->status, call->err.message);
    unsigned code = http_exchange_code(exchange);
    size_t len = 0;
    char *body = buf_take(&call->reply, &len);
    if (!body) {
        code = (unsigned)status_http(STATUS_NO_MEMORY);
        body = mem_strdup(http_spare_body);
        len = body ? strlen(body) : 0;
    }
    add_headers(exchange, len);
    http_exchange_record(exchange, len);
    net_respond(exchange->net, code, body, len);
}
