#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/mem.h"
#include "server/http/access.h"
#include "server/http/address.h"
#include "server/http/framing.h"
#include "server/http/transport.h"
#include "server/serve/access.h"
#include "server/wire/response.h"

/* How much of a refused body is read and dropped, so that the client gets to the answer and the connection lives. */
enum { DISCARD_LIMIT = 16 << 20 };

static const char *header(struct http_exchange *exchange, const char *name)
{
    return MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, name);
}

/* Digits only; false when it is something else or too large for 18 of them. */
static bool parse_number(const char *text, uint64_t *ret)
{
    size_t len = strspn(text, "0123456789");
    if (len == 0 || len > 18 || text[len])
        return false;
    *ret = strtoull(text, NULL, 10);
    return true;
}

static void on_ready(struct serve_call *call)
{
    struct http_exchange *exchange = (struct http_exchange *)((char *)call - offsetof(struct http_exchange, call));
    struct http_server *server = exchange->server; /* the exchange may end before this does */
    atomic_fetch_add(&server->resuming, 1);
    MHD_resume_connection(exchange->connection);
    atomic_fetch_sub(&server->resuming, 1);
}

static enum status identify(struct http_exchange *exchange, struct error *err)
{
    size_t len = 0;
    const void *address = http_address_bytes(exchange->connection, &len);
    return serve_access_identify(&exchange->call, header(exchange, "Authorization"), address, len, err);
}

static struct http_exchange *create(struct http_server *server, struct MHD_Connection *connection, const char *method)
{
    struct http_exchange *exchange = mem_calloc(1, sizeof *exchange);
    if (!exchange)
        return NULL;
    serve_call_init(&exchange->call, server->serve);
    atomic_fetch_add(&server->open, 1);
    exchange->call.on_ready = on_ready;
    exchange->server = server;
    exchange->connection = connection;
    exchange->method = method;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    exchange->timer = info ? info->socket_context : NULL;
    info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    exchange->call.socket = info ? info->connect_fd : -1;
    serve_request_id(exchange->id, header(exchange, "x-request-id"));
    exchange->call.id = exchange->id;
    serve_call_trace(&exchange->call, header(exchange, "traceparent"), header(exchange, "tracestate"));
    return exchange;
}

static void check_timeout(struct http_exchange *exchange)
{
    const char *text = header(exchange, "x-request-timeout-ms");
    uint64_t asked = 0;
    if (text && (!parse_number(text, &asked) || asked == 0))
        serve_call_fail(&exchange->call, STATUS_VALIDATION, "x-request-timeout-ms: expected milliseconds, at least 1");
    serve_call_limit_time(&exchange->call, asked);
}

static void check_priority(struct http_exchange *exchange)
{
    static const char *const names[BATCH_CLASSES] = {"interactive", "bulk"};
    const char *text = header(exchange, "x-bertd-priority");
    if (!text)
        return;
    for (int c = 0; c < BATCH_CLASSES; c++) {
        if (strcasecmp(text, names[c]) == 0) {
            exchange->call.has_class = true;
            exchange->call.class = (enum batch_class)c;
            return;
        }
    }
    serve_call_fail(&exchange->call, STATUS_VALIDATION, "x-bertd-priority: expected interactive or bulk");
}

/* What can be said from the headers alone. */
static void check_headers(struct http_exchange *exchange, const char *path)
{
    struct serve_call *call = &exchange->call;
    struct error err;
    if (strcmp(path, "*") == 0 && strcmp(exchange->method, "OPTIONS") == 0) {
        exchange->allow = "GET, HEAD, POST, OPTIONS"; /* asked of the whole server */
        return;
    }
    enum status found = http_route_find(&exchange->endpoint, &exchange->allow, exchange->method, path, &err);
    if (found == STATUS_METHOD && strcmp(exchange->method, "OPTIONS") == 0)
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
    if (!http_framing_is_json(header(exchange, "Content-Type")))
        serve_call_fail(call, STATUS_MEDIA_TYPE, "Expected request with `Content-Type: application/json`");
    const char *coding = header(exchange, "Content-Encoding");
    if (coding && strcasecmp(coding, "identity") != 0)
        serve_call_fail(call, STATUS_MEDIA_TYPE, "Content-Encoding %.40s is not known: send the body as it is", coding);
    check_timeout(exchange);
    check_priority(exchange);
}

static void refuse_large(struct http_exchange *exchange)
{
    serve_call_fail(&exchange->call, STATUS_TOO_LARGE,
                    "the body is larger than the limit of %llu bytes (see --payload-limit)",
                    (unsigned long long)exchange->server->options.payload_limit);
}

/* The head has taken the memory that the library would write an answer in. All earlier answers have been sent. */
static enum MHD_Result refuse_head(struct http_exchange *exchange)
{
    struct buf body = {0};
    char answer[1024];
    serve_call_answer(&exchange->call);
    wire_write_error(&body, exchange->call.status, exchange->call.err.message);
    int len = snprintf(answer, sizeof answer,
                       "HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\n"
                       "Content-Type: application/json\r\nContent-Length: %zu\r\nx-request-id: %s\r\n\r\n%.*s",
                       body.len, exchange->id, (int)body.len, body.data ? body.data : "");
    http_exchange_record(exchange, body.len);
    buf_finish(&body);
    if (len > 0 && (size_t)len < sizeof answer)
        send(exchange->call.socket, answer, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL);
    return MHD_NO;
}

/* A request whose end is not certain: nothing after its head is read. */
static enum MHD_Result refuse_framing(struct http_exchange *exchange, const struct error *err)
{
    serve_call_fail(&exchange->call, err->status, "%s", err->message);
    if (err->status == STATUS_HEAD_TOO_LARGE)
        return refuse_head(exchange);
    exchange->early = exchange->closes = true;
    return http_exchange_respond(exchange);
}

/* The headers are there. Refusals wait until the body has been read past, unless the client waits for our word before
 * it sends the body, or the body is not worth reading. */
static enum MHD_Result begin(struct http_exchange *exchange, const char *target, const char *version)
{
    struct error err;
    const char *path = http_framing_path(target);
    exchange->route = http_route_index(path ? path : "");
    uint64_t limit = exchange->server->options.payload_limit;
    uint64_t declared = 0;
    exchange->allow_origin =
        http_access_origin(exchange->server->options.cors_allow_origin, header(exchange, "Origin"));
    enum status status = path ? http_framing_check(exchange->connection, version, &declared, &err)
                              : error_set(&err, STATUS_MALFORMED, "the request's target has no valid host");
    if (status != STATUS_OK)
        return refuse_framing(exchange, &err);
    check_headers(exchange, path);
    if (declared == HTTP_LENGTH_UNKNOWN)
        declared = limit;
    if (declared > limit)
        refuse_large(exchange);
    http_connection_expect(&exchange->server->connections, exchange->timer, declared);
    bool waits = header(exchange, "Expect") != NULL;
    if (exchange->call.status == STATUS_OK || (!waits && declared <= limit + DISCARD_LIMIT))
        return MHD_YES;
    exchange->early = exchange->closes = true;
    return http_exchange_respond(exchange);
}

static enum MHD_Result take_body(struct http_exchange *exchange, const char *data, size_t size)
{
    struct serve_call *call = &exchange->call;
    uint64_t limit = exchange->server->options.payload_limit;
    struct error err;
    exchange->received += size;
    if (exchange->received > limit + DISCARD_LIMIT)
        return MHD_NO;
    if (exchange->received > limit)
        refuse_large(exchange);
    if (call->status == STATUS_OK && serve_call_reserve(call, size, &err) != STATUS_OK)
        serve_call_fail(call, err.status, "%s", err.message);
    if (call->status == STATUS_OK)
        buf_append(&exchange->body, data, size);
    if (exchange->body.failed)
        serve_call_fail(call, STATUS_NO_MEMORY, "no memory for the body");
    if (call->status != STATUS_OK)
        buf_finish(&exchange->body);
    return MHD_YES;
}

/* The whole request is there. */
static enum MHD_Result run(struct http_exchange *exchange)
{
    struct serve_call *call = &exchange->call;
    http_connection_rest(exchange->timer);
    call->request = exchange->body.data ? exchange->body.data : "";
    call->request_len = exchange->body.len;
    if (call->status != STATUS_OK || !exchange->endpoint || exchange->endpoint->method.immediate) {
        serve_call_run_immediate(call);
        return http_exchange_respond(exchange);
    }
    exchange->ran = exchange->away = true;
    atomic_fetch_add(&exchange->server->away, 1);
    MHD_suspend_connection(exchange->connection);
    serve_call_run(call); /* may already be over when it returns */
    return MHD_YES;
}

static void come_back(struct http_exchange *exchange)
{
    if (exchange->away)
        atomic_fetch_sub(&exchange->server->away, 1);
    exchange->away = false;
}

enum MHD_Result http_exchange_handle(void *cls, struct MHD_Connection *connection, const char *url, const char *method,
                                     const char *version, const char *data, size_t *data_size, void **state)
{
    struct http_exchange *exchange = *state;
    if (!exchange) {
        struct http_server *server = cls;
        exchange = create(server, connection, method);
        *state = exchange;
        return exchange ? begin(exchange, url, version)
                        : MHD_queue_response(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, server->spare);
    }
    if (*data_size > 0) {
        size_t size = *data_size;
        *data_size = 0;
        return exchange->early ? MHD_YES : take_body(exchange, data, size);
    }
    if (!exchange->ran)
        return run(exchange);
    come_back(exchange);
    return http_exchange_respond(exchange);
}

void http_exchange_end(void *cls, struct MHD_Connection *connection, void **state,
                       enum MHD_RequestTerminationCode reason)
{
    (void)cls;
    (void)connection;
    (void)reason;
    struct http_exchange *exchange = *state;
    if (!exchange)
        return;
    come_back(exchange); /* a connection that broke meanwhile is not handled again */
    http_connection_expect(&exchange->server->connections, exchange->timer, 0);
    serve_call_finish(&exchange->call);
    atomic_fetch_sub(&exchange->server->open, 1);
    buf_finish(&exchange->body);
    mem_free(exchange);
    *state = NULL;
}
