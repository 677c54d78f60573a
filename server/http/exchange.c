#include "server/http/exchange.h"

#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "server/http/coding.h"
#include "server/http/media.h"
#include "server/serve/access.h"

static const char *header(struct http_exchange *exchange, const char *name)
{
    return net_exchange_header(exchange->net, name);
}

static void on_ready(struct serve_call *call)
{
    net_wake(http_request_of(call)->net);
}

static enum status identify(struct http_exchange *exchange, struct error *err)
{
    size_t len = 0;
    const void *address = net_exchange_address(exchange->net, &len);
    return serve_access_identify(&exchange->call, header(exchange, "Authorization"), address, len, err);
}

static void init(struct http_exchange *exchange, struct net_exchange *net)
{
    exchange->server = net_exchange_cookie(net);
    exchange->net = net;
    serve_call_init(&exchange->call, exchange->server->serve);
    exchange->call.on_ready = on_ready;
    exchange->request.net = net;
    exchange->call.on_encoded = http_coding_encode;
    exchange->call.transport = &exchange->request;
    exchange->call.socket = net_exchange_socket(net);
    serve_request_id(exchange->id, header(exchange, "x-request-id"));
    exchange->call.id = exchange->id;
    serve_call_trace(&exchange->call, header(exchange, "traceparent"), header(exchange, "tracestate"));
}

static void check_timeout(struct http_exchange *exchange)
{
    const char *text = header(exchange, "x-request-timeout-ms");
    uint64_t asked = 0;
    if (text && (!http_read_number(text, &asked) || asked == 0))
        serve_call_fail(&exchange->call, STATUS_VALIDATION, "x-request-timeout-ms: expected milliseconds, at least 1");
    serve_call_limit_time(&exchange->call, asked);
}

/* What is for operators answers on their listener alone, where there is one. */
static bool is_elsewhere(const struct http_exchange *exchange)
{
    return exchange->endpoint->admin && exchange->server->options.has_admin &&
           net_exchange_side(exchange->net) != NET_ADMIN;
}

/* What can be said from the headers alone. */
static void check_headers(struct http_exchange *exchange)
{
    struct serve_call *call = &exchange->call;
    const char *method = net_exchange_method(exchange->net);
    const char *path = net_exchange_path(exchange->net);
    struct error err;
    if (strcmp(path, "*") == 0 && strcmp(method, "OPTIONS") == 0) {
        exchange->allow = "GET, HEAD, POST, OPTIONS"; /* asked of the whole server */
        return;
    }
    enum status found = http_route_find(&exchange->endpoint, &exchange->allow, exchange->route, method, path, &err);
    if (found == STATUS_OK && is_elsewhere(exchange))
        found = error_set(&err, STATUS_NOT_FOUND, "%.200s is for operators: see --admin-port", path);
    if (found == STATUS_METHOD && strcmp(method, "OPTIONS") == 0)
        return; /* answered with the Allow header */
    bool public = found == STATUS_OK && exchange->endpoint->public;
    struct error unknown;
    if (identify(exchange, &unknown) != STATUS_OK && !public)
        serve_call_fail(call, unknown.status, "%s", unknown.message);
    if (found != STATUS_OK) {
        serve_call_fail(call, found, "%s", err.message);
        return;
    }
    exchange->allow = NULL;
    call->method = &exchange->endpoint->method;
    if (exchange->endpoint->method.immediate)
        return;
    if (!exchange->endpoint->any_type && !http_media_is_json(header(exchange, "Content-Type")))
        serve_call_fail(call, STATUS_MEDIA_TYPE, "Expected request with `Content-Type: application/json`");
    http_coding_check(exchange);
    check_timeout(exchange);
    serve_call_read_class(call, header(exchange, "x-bertd-priority"));
}

static void on_head(struct net_exchange *net)
{
    struct http_exchange *exchange = net_exchange_state(net);
    struct serve_call *call = &exchange->call;
    init(exchange, net);
    exchange->route = http_route_index(net_exchange_path(net), exchange->request.parts);
    exchange->error_form = http_route_error_form(net_exchange_path(net));
    exchange->accepted = net_coding_choose(header(exchange, "accept-encoding"));
    const struct error *malformed = net_exchange_error(net);
    if (malformed)
        serve_call_fail(call, malformed->status, "%s", malformed->message);
    else
        check_headers(exchange);
    uint64_t declared = net_exchange_length(net);
    serve_call_expect(call, declared == NET_LENGTH_UNKNOWN ? 0 : declared, exchange->server->options.payload_limit);
    if (call->status != STATUS_OK)
        http_exchange_respond(exchange);
}

static void on_body(struct net_exchange *net, const char *bytes, size_t len)
{
    struct http_exchange *exchange = net_exchange_state(net);
    http_coding_take(exchange, bytes, len);
    if (exchange->call.status != STATUS_OK)
        http_exchange_respond(exchange);
}

static void on_end(struct net_exchange *net)
{
    struct http_exchange *exchange = net_exchange_state(net);
    struct serve_call *call = &exchange->call;
    http_coding_end(exchange);
    if (call->status != STATUS_OK || !exchange->endpoint || exchange->endpoint->method.immediate) {
        serve_call_run_immediate(call);
        http_exchange_respond(exchange);
        return;
    }
    exchange->running = true;
    serve_call_run(call); /* may already be over when it returns */
}

static void on_wake(struct net_exchange *net)
{
    struct http_exchange *exchange = net_exchange_state(net);
    if (exchange->gone)
        serve_call_fail(&exchange->call, STATUS_CANCELLED, "the client has gone"); /* nobody reads it */
    http_exchange_respond(exchange);
}

static void on_gone(struct net_exchange *net)
{
    struct http_exchange *exchange = net_exchange_state(net);
    exchange->gone = true;
    if (exchange->running) {
        serve_call_cancel(&exchange->call); /* it becomes ready */
        return;
    }
    serve_call_fail(&exchange->call, STATUS_CANCELLED, "the client has gone");
    http_exchange_respond(exchange);
}

static void on_over(struct net_exchange *net)
{
    struct http_exchange *exchange = net_exchange_state(net);
    net_decoder_destroy(&exchange->decoder);
    serve_call_finish(&exchange->call);
}

void http_server_handler(struct http_server *server, struct net_handler *ret)
{
    *ret = (struct net_handler){.on_head = on_head,
                                .on_body = on_body,
                                .on_end = on_end,
                                .on_wake = on_wake,
                                .on_gone = on_gone,
                                .on_over = on_over,
                                .state_size = sizeof(struct http_exchange),
                                .cookie = server};
}

enum status http_server_create(struct http_server **ret, struct serve_server *serve, const struct http_options *options,
                               struct error *err)
{
    struct http_server *server = mem_calloc(1, sizeof *server);
    if (!server)
        return error_set(err, STATUS_NO_MEMORY, "no memory for the HTTP server");
    server->options = *options;
    server->serve = serve;
    enum status status = http_telemetry_init(server, err);
    if (status != STATUS_OK) {
        mem_free(server);
        return status;
    }
    *ret = server;
    return STATUS_OK;
}

void http_server_destroy(struct http_server **ref)
{
    mem_free(*ref);
    *ref = NULL;
}
