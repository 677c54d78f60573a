#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "server/rpc/failure.h"
#include "server/rpc/protocol.h"
#include "server/rpc/timeout.h"
#include "server/serve/access.h"
#include "server/serve/call.h"

/* The exchange's state is a pointer: a stream has its service's state behind it, of a size of its own. */
static struct rpc_stream **slot(struct net_exchange *exchange)
{
    return net_exchange_state(exchange);
}

/* What was asked for ---------------------------------------------------------------------------------------------- */

static const struct rpc_service *find_service(const struct rpc_server *server, const char *path)
{
    for (uint32_t i = 0; i < server->options.n_services; i++) {
        const struct rpc_service *service = &server->options.services[i];
        size_t len = strlen(service->name);
        if (path[0] == '/' && strncmp(path + 1, service->name, len) == 0 && path[1 + len] == '/')
            return service;
    }
    return NULL;
}

static const struct rpc_method *find_method(const struct rpc_service *service, const char *path)
{
    if (!service)
        return NULL;
    const char *name = path + strlen(service->name) + 2;
    for (uint32_t i = 0; i < service->n_methods; i++)
        if (strcmp(service->methods[i].name, name) == 0)
            return &service->methods[i];
    return NULL;
}

static bool takes_get(const struct rpc_method *method)
{
    return method && method->kind == RPC_UNARY && method->no_side_effects;
}

/* Answers of HTTP ------------------------------------------------------------------------------------------------- */

static void refuse(struct net_exchange *exchange, unsigned code, const char *words)
{
    net_add(exchange, "content-type", "text/plain; charset=utf-8");
    char *body = mem_strdup(words);
    net_respond(exchange, code, body, body ? strlen(words) : 0);
}

static void refuse_type(struct net_exchange *exchange, const struct rpc_method *method)
{
    bool unary = method->kind == RPC_UNARY;
    net_add(exchange, "accept-post",
            unary ? "application/proto, application/json, application/grpc, application/grpc-web, "
                    "application/grpc-web-text"
                  : "application/connect+proto, application/connect+json, application/grpc, application/grpc-web, "
                    "application/grpc-web-text");
    refuse(exchange, 415, "the content type is none that this method takes\n");
}

static void refuse_verb(struct net_exchange *exchange, const struct rpc_method *method)
{
    bool asked = strcmp(net_exchange_method(exchange), "OPTIONS") == 0;
    net_add(exchange, "allow", takes_get(method) ? "GET, POST, OPTIONS" : "POST, OPTIONS");
    if (asked)
        net_respond(exchange, 204, NULL, 0);
    else
        refuse(exchange, 405, "the method is not allowed here\n");
}

/* The head -------------------------------------------------------------------------------------------------------- */

/* May this stream begin? */
static enum status admit(struct rpc_stream *stream, struct error *err)
{
    if (stream->method->admin && stream->server->options.has_admin && net_exchange_side(stream->exchange) != NET_ADMIN)
        return error_set(err, STATUS_FORBIDDEN, "%s is for the admin listener alone", stream->method->name);
    if (!stream->server->serve || stream->method->public)
        return STATUS_OK;
    /* Each message's call is identified anew; this one is for those who may send none. */
    struct serve_call call;
    size_t len = 0;
    const void *address = net_exchange_address(stream->exchange, &len);
    serve_call_init(&call, stream->server->serve);
    enum status status = serve_access_identify(&call, rpc_header(stream, "authorization"), address, len, err);
    serve_call_finish(&call);
    return status;
}

static void read_timeout(struct rpc_stream *stream)
{
    const char *text = rpc_header(stream, stream->protocol->timeout);
    uint64_t timeout_ns = 0;
    if (!text)
        return;
    if (stream->protocol->read_timeout(text, &timeout_ns))
        stream->deadline_ns = rpc_timeout_deadline(clock_now_ns(), timeout_ns);
    else
        rpc_fail(stream, RPC_INVALID_ARGUMENT, "%s is not a time", stream->protocol->timeout);
}

static void read_coding(struct rpc_stream *stream)
{
    const struct rpc_protocol *protocol = stream->protocol;
    if (rpc_read_coding(stream, rpc_header(stream, protocol->coding)))
        return;
    net_add(stream->exchange, protocol->accepted, RPC_CODINGS);
    rpc_fail(stream, RPC_UNIMPLEMENTED, "%s is none of " RPC_CODINGS, protocol->coding);
}

static void check_version(struct rpc_stream *stream)
{
    const char *version = rpc_header(stream, "connect-protocol-version");
    bool connect = stream->protocol == &rpc_connect || stream->protocol == &rpc_connect_stream;
    if (connect && version && strcmp(version, "1") != 0)
        rpc_fail(stream, RPC_INVALID_ARGUMENT, "connect-protocol-version is not 1");
}

static void check_length(struct rpc_stream *stream)
{
    uint64_t length = net_exchange_length(stream->exchange);
    if (stream->protocol == &rpc_connect && length != NET_LENGTH_UNKNOWN &&
        length > stream->server->options.payload_limit)
        rpc_fail_too_long(stream);
}

static void begin(struct rpc_stream *stream, const struct rpc_content *content)
{
    struct error err;
    stream->codec = content->codec;
    stream->codec_named = content->codec_named && content->codec_known;
    if (!content->codec_known)
        rpc_fail(stream, RPC_UNIMPLEMENTED, "the content type names a codec that is neither proto nor json");
    else if (!stream->method)
        rpc_fail(stream, RPC_UNIMPLEMENTED, "there is no method %s", net_exchange_path(stream->exchange));
    check_version(stream);
    if (strcmp(net_exchange_method(stream->exchange), "POST") == 0)
        read_coding(stream);
    read_timeout(stream);
    check_length(stream);
    if (stream->finished)
        return;
    enum status status = admit(stream, &err);
    if (status != STATUS_OK) {
        rpc_telemetry_refused(stream, (rpc_code)status_grpc(status), err.message);
        rpc_failure_finish(stream, &err, 0);
        return;
    }
    if (stream->deadline_ns)
        rpc_watch_time(stream);
    if (!rpc_one_request(stream))
        rpc_start(stream);
    rpc_settle(stream);
}

static void begin_get(struct rpc_stream *stream)
{
    struct rpc_content content = {.protocol = &rpc_connect, .codec_known = true, .codec_named = true};
    rpc_connect_read_query(stream);
    if (stream->finished)
        return;
    content.codec = stream->codec;
    begin(stream, &content);
}

/* Answer where HTTP alone tells that no protocol has to. */
static bool refuse_head(struct net_exchange *exchange, const struct rpc_content *content, bool known,
                        const struct rpc_method *method)
{
    bool bidi = method && method->kind == RPC_BIDI_STREAM;
    if (!known && !content->protocol) {
        refuse(exchange, 404, "there is no such path\n");
    } else if (strcmp(net_exchange_method(exchange), "POST") != 0) {
        refuse_verb(exchange, method);
    } else if (!rpc_content_suits(content, method)) {
        method ? refuse_type(exchange, method) : refuse(exchange, 404, "there is no such method\n");
    } else if ((content->protocol == &rpc_grpc || bidi) && net_exchange_version(exchange) < 20) {
        net_close_after(exchange);
        refuse(exchange, 505, "this needs HTTP/2\n");
    } else {
        return false;
    }
    return true;
}

static void on_head(struct net_exchange *exchange)
{
    struct rpc_server *server = net_exchange_cookie(exchange);
    const struct error *error = net_exchange_error(exchange);
    if (error) {
        refuse(exchange, (unsigned)status_http(error->status), error->message);
        return;
    }
    const char *path = net_exchange_path(exchange);
    const struct rpc_service *service = find_service(server, path);
    const struct rpc_method *method = find_method(service, path);
    bool get = takes_get(method) && strcmp(net_exchange_method(exchange), "GET") == 0;
    struct rpc_content content = {.protocol = &rpc_connect};
    if (!get) {
        content = rpc_read_content(net_exchange_header(exchange, "content-type"));
        if (refuse_head(exchange, &content, service != NULL, method))
            return;
    }
    struct rpc_stream *stream = rpc_stream_create(server, exchange, content.protocol, method);
    if (!stream) {
        refuse(exchange, 500, "no memory\n");
        return;
    }
    *slot(exchange) = stream;
    get ? begin_get(stream) : begin(stream, &content);
}

/* The rest -------------------------------------------------------------------------------------------------------- */

static bool takes(const struct net_exchange *exchange)
{
    const struct rpc_server *server = net_exchange_cookie(exchange);
    if (net_exchange_error(exchange))
        return false;
    if (find_service(server, net_exchange_path(exchange)))
        return true;
    struct rpc_content content = rpc_read_content(net_exchange_header(exchange, "content-type"));
    return content.protocol && content.protocol != &rpc_connect;
}

static void on_body(struct net_exchange *exchange, const char *bytes, size_t len)
{
    if (*slot(exchange))
        rpc_receive(*slot(exchange), bytes, len);
}

static void on_end(struct net_exchange *exchange)
{
    if (*slot(exchange))
        rpc_receive_end(*slot(exchange));
}

static void on_gone(struct net_exchange *exchange)
{
    if (!*slot(exchange))
        return;
    rpc_fail(*slot(exchange), RPC_CANCELLED, "the client has gone");
    rpc_settle(*slot(exchange));
}

/* The service has woken it, or a time has come. */
static void look(struct rpc_stream *stream)
{
    uint64_t now = clock_now_ns();
    if (stream->finished)
        return;
    atomic_store(&stream->waking, false); /* before what is looked at: what comes later wakes anew */
    bool woken = atomic_exchange(&stream->woken, false);
    if (woken && stream->method->on_wake)
        stream->method->on_wake(stream);
    if (!stream->finished && stream->time_ns && stream->time_ns <= now) {
        stream->time_ns = 0;
        stream->method->on_time(stream);
    }
    if (!stream->finished && !stream->failure && stream->deadline_ns && stream->deadline_ns <= now)
        rpc_fail(stream, RPC_DEADLINE_EXCEEDED, "the request's deadline is over");
    rpc_settle(stream);
    if (!stream->finished && stream->timed)
        rpc_watch_time(stream);
}

static void on_wake(struct net_exchange *exchange)
{
    if (*slot(exchange))
        look(*slot(exchange));
}

static void on_writable(struct net_exchange *exchange)
{
    struct rpc_stream *stream = *slot(exchange);
    if (!stream || stream->finished)
        return;
    rpc_written(stream);
    if (stream->method->on_writable)
        stream->method->on_writable(stream);
    rpc_settle(stream);
}

static void on_over(struct net_exchange *exchange)
{
    if (*slot(exchange))
        rpc_stream_destroy(*slot(exchange));
}

enum status rpc_server_create(struct rpc_server **ret, struct serve_server *serve, const struct rpc_options *options,
                              struct error *err)
{
    struct rpc_server *server = mem_calloc(1, sizeof *server);
    if (!server)
        return error_set(err, STATUS_NO_MEMORY, "no memory for the server of remote procedure calls");
    server->options = *options;
    server->serve = serve;
    enum status status = rpc_telemetry_init(server, err);
    if (status == STATUS_OK)
        status = rpc_timers_start(&server->timers, err);
    if (status != STATUS_OK) {
        rpc_telemetry_finish(server);
        mem_free(server);
        return status;
    }
    *ret = server;
    return STATUS_OK;
}

void rpc_server_handler(struct rpc_server *server, struct net_handler *ret)
{
    *ret = (struct net_handler){
        .takes = takes,
        .on_head = on_head,
        .on_body = on_body,
        .on_end = on_end,
        .on_gone = on_gone,
        .on_wake = on_wake,
        .on_writable = on_writable,
        .on_over = on_over,
        .state_size = sizeof(struct rpc_stream *),
        .cookie = server,
    };
}

void rpc_server_destroy(struct rpc_server **server)
{
    if (!*server)
        return;
    rpc_timers_finish(&(*server)->timers);
    rpc_telemetry_finish(*server);
    mem_free(*server);
    *server = NULL;
}
