#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "server/http/transport.h"
#include "server/http/truncated.h"
#include "server/wire/response.h"

static void add_number(struct MHD_Response *response, const char *name, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    MHD_add_response_header(response, name, text);
}

static uint64_t milliseconds(uint64_t ns)
{
    return ns / 1000000u;
}

/* More would not fit into what proxies take as the head of a response. */
enum { MAX_TRUNCATED = 1024 };

/* Which inputs the vectors do not stand for as a whole. */
static void add_truncated(struct MHD_Response *response, const struct serve_infer *infer, uint32_t n_truncated)
{
    char text[MAX_TRUNCATED];
    add_number(response, "x-truncated-count", n_truncated);
    if (n_truncated == 0)
        return;
    http_write_truncated(infer->inputs, infer->n_inputs, text, sizeof text);
    MHD_add_response_header(response, "x-truncated", text);
}

/* The same times with fractions, in the form that browsers and tracers read. */
static void add_timing(struct MHD_Response *response, const struct serve_infer_report *report)
{
    char text[160];
    snprintf(text, sizeof text, "tokenization;dur=%.3f, queue;dur=%.3f, inference;dur=%.3f, total;dur=%.3f",
             (double)report->tokenization_ns * 1e-6, (double)report->queue_ns * 1e-6,
             (double)report->inference_ns * 1e-6, (double)report->total_ns * 1e-6);
    MHD_add_response_header(response, "Server-Timing", text);
}

/* What inference took, in whole milliseconds as clients of text-embeddings-inference know them. */
static void add_inference(struct MHD_Response *response, const struct serve_call *call)
{
    struct serve_infer_report report;
    serve_infer_report(call->infer, &report);
    MHD_add_response_header(response, "x-compute-type", serve_server_options(call->server)->compute_type);
    add_number(response, "x-compute-time", milliseconds(report.total_ns));
    add_number(response, "x-compute-characters", report.chars);
    add_number(response, "x-compute-tokens", report.tokens);
    add_number(response, "x-total-time", milliseconds(report.total_ns));
    add_number(response, "x-tokenization-time", milliseconds(report.tokenization_ns));
    add_number(response, "x-queue-time", milliseconds(report.queue_ns));
    add_number(response, "x-inference-time", milliseconds(report.inference_ns));
    add_timing(response, &report);
    add_truncated(response, call->infer, report.n_truncated);
}

static void add_cors(struct MHD_Response *response, const struct http_exchange *exchange)
{
    if (!exchange->server->options.cors_allow_origin)
        return;
    MHD_add_response_header(response, "Vary", "Origin");
    if (!exchange->allow_origin)
        return;
    MHD_add_response_header(response, "Access-Control-Allow-Origin", exchange->allow_origin);
    if (strcmp(exchange->method, "OPTIONS") == 0) {
        MHD_add_response_header(response, "Access-Control-Allow-Methods", "GET, POST");
        MHD_add_response_header(response, "Access-Control-Allow-Headers",
                                "authorization, content-type, x-bertd-priority, x-request-id, x-request-timeout-ms");
        MHD_add_response_header(response, "Access-Control-Max-Age", "600");
    } else {
        MHD_add_response_header(response, "Access-Control-Expose-Headers",
                                "x-compute-type, x-compute-time, x-compute-characters, x-compute-tokens, "
                                "x-total-time, x-tokenization-time, x-queue-time, x-inference-time, x-truncated, "
                                "x-truncated-count, x-request-id, server-timing, retry-after");
    }
}

static void add_headers(struct MHD_Response *response, const struct http_exchange *exchange, size_t len)
{
    const struct serve_call *call = &exchange->call;
    bool ok = call->status == STATUS_OK;
    uint64_t retry_after = serve_call_retry_after_s(call);
    if (len > 0) {
        const char *type = ok && exchange->endpoint ? exchange->endpoint->content_type : NULL;
        if (ok && exchange->request.json_len)
            type = "application/octet-stream";
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type ? type : "application/json");
    }
    MHD_add_response_header(response, "x-request-id", exchange->id);
    if (exchange->allow)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, exchange->allow);
    if (ok && call->infer)
        add_inference(response, call);
    if (ok && exchange->request.json_len)
        add_number(response, HTTP_JSON_LENGTH, exchange->request.json_len);
    if (retry_after)
        add_number(response, MHD_HTTP_HEADER_RETRY_AFTER, retry_after);
    if (call->status == STATUS_UNAUTHENTICATED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    if (exchange->closes || serve_server_is_draining(call->server))
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    add_cors(response, exchange);
}

struct MHD_Response *http_spare_response(void)
{
    struct buf buf = {0};
    size_t len = 0;
    wire_write_error(&buf, WIRE_ERROR_TEI, STATUS_NO_MEMORY, "no memory for the request");
    char *body = buf_take(&buf, &len);
    struct MHD_Response *response =
        body ? MHD_create_response_from_buffer_with_free_callback(len, body, mem_free) : NULL;
    if (!response) {
        mem_free(body);
        return NULL;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    return response;
}

enum MHD_Result http_exchange_respond(struct http_exchange *exchange)
{
    struct serve_call *call = &exchange->call;
    serve_call_answer(call);
    if (call->status != STATUS_OK)
        wire_write_error(&call->reply, http_route_error_form(exchange->request.path), call->status, call->err.message);
    size_t len = 0;
    char *body = buf_take(&call->reply, &len);
    struct MHD_Response *response =
        body ? MHD_create_response_from_buffer_with_free_callback(len, body, mem_free) : NULL;
    if (!response) {
        mem_free(body);
        return MHD_queue_response(exchange->connection, MHD_HTTP_INTERNAL_SERVER_ERROR, exchange->server->spare);
    }
    add_headers(response, exchange, len);
    http_connection_expect(&exchange->server->connections, exchange->timer, len);
    enum MHD_Result queued = MHD_queue_response(exchange->connection, http_exchange_code(exchange), response);
    MHD_destroy_response(response);
    http_exchange_record(exchange, len);
    return queued;
}
