#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/http/infer.h"
#include "server/http/transport.h"

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
static void add_truncated(struct MHD_Response *response, const struct http_infer *infer)
{
    char text[MAX_TRUNCATED];
    uint32_t n = http_infer_truncated(infer->inputs, infer->n_inputs, text, sizeof text);
    add_number(response, "x-truncated-count", n);
    if (n > 0)
        MHD_add_response_header(response, "x-truncated", text);
}

/* What inference took, in whole milliseconds as clients of text-embeddings-inference know them. */
static void add_inference(struct MHD_Response *response, const struct http_call *call)
{
    const struct http_infer *infer = call->infer;
    uint64_t total = clock_now_ns() - call->started_ns;
    MHD_add_response_header(response, "x-compute-type", call->server->options.compute_type);
    add_number(response, "x-compute-time", milliseconds(total));
    add_number(response, "x-compute-characters", infer->chars);
    add_number(response, "x-compute-tokens", infer->tokens);
    add_number(response, "x-total-time", milliseconds(total));
    add_number(response, "x-tokenization-time", milliseconds(infer->tokenization_ns / infer->n_inputs));
    add_number(response, "x-queue-time", milliseconds(http_infer_queue_ns(infer)));
    add_number(response, "x-inference-time", milliseconds(http_infer_inference_ns(infer)));
    add_truncated(response, infer);
}

/* Seconds, at least one. */
static uint64_t retry_after(const struct http_call *call)
{
    struct batch_stats stats;
    batch_get_stats(call->server->options.batch, &stats);
    return stats.retry_after_ms > 1000 ? (stats.retry_after_ms + 999u) / 1000 : 1;
}

static void add_cors(struct MHD_Response *response, const struct http_exchange *exchange)
{
    if (!exchange->transport->server->options.cors_allow_origin)
        return;
    MHD_add_response_header(response, "Vary", "Origin");
    if (!exchange->allow_origin)
        return;
    MHD_add_response_header(response, "Access-Control-Allow-Origin", exchange->allow_origin);
    if (strcmp(exchange->method, "OPTIONS") == 0) {
        MHD_add_response_header(response, "Access-Control-Allow-Methods", "GET, POST");
        MHD_add_response_header(response, "Access-Control-Allow-Headers",
                                "authorization, content-type, x-bertd-priority, x-request-timeout-ms");
        MHD_add_response_header(response, "Access-Control-Max-Age", "600");
    } else {
        MHD_add_response_header(response, "Access-Control-Expose-Headers",
                                "x-compute-type, x-compute-time, x-compute-characters, x-compute-tokens, "
                                "x-total-time, x-tokenization-time, x-queue-time, x-inference-time, x-truncated, "
                                "x-truncated-count, retry-after");
    }
}

static void add_headers(struct MHD_Response *response, const struct http_exchange *exchange,
                        const struct http_reply *reply, size_t len)
{
    const struct http_call *call = &exchange->call;
    if (len > 0)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                                reply->content_type ? reply->content_type : "application/json");
    if (exchange->allow)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, exchange->allow);
    if (call->status == STATUS_OK && call->infer)
        add_inference(response, call);
    if (call->status == STATUS_OVERLOADED || call->status == STATUS_UNHEALTHY)
        add_number(response, MHD_HTTP_HEADER_RETRY_AFTER, retry_after(call));
    if (call->status == STATUS_UNAUTHENTICATED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    if (exchange->closes || atomic_load(&call->server->draining))
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    add_cors(response, exchange);
}

enum MHD_Result http_exchange_respond(struct http_exchange *exchange)
{
    struct http_reply *reply = http_call_answer(&exchange->call);
    if (exchange->call.status == STATUS_OK && !exchange->call.endpoint)
        reply->code = MHD_HTTP_NO_CONTENT; /* OPTIONS */
    size_t len = 0;
    char *body = buf_take(&reply->body, &len);
    if (!body)
        return MHD_NO;
    struct MHD_Response *response = MHD_create_response_from_buffer_with_free_callback(len, body, mem_free);
    if (!response) {
        mem_free(body);
        return MHD_NO;
    }
    add_headers(response, exchange, reply, len);
    http_connection_expect(&exchange->transport->connections, exchange->timer, len);
    enum MHD_Result queued = MHD_queue_response(exchange->connection, (unsigned)reply->code, response);
    MHD_destroy_response(response);
    if (log_enabled(LOG_DEBUG))
        log_debug("answered", log_str("method", exchange->method), log_int("code", reply->code),
                  log_int("bytes", (int64_t)len),
                  log_int("microseconds", (int64_t)((clock_now_ns() - exchange->call.started_ns) / 1000)));
    if (exchange->call.status == STATUS_BACKEND || exchange->call.status == STATUS_INTERNAL)
        log_error("a request failed", log_str("status", status_name(exchange->call.status)),
                  log_str("error", exchange->call.err.message));
    return queued;
}
