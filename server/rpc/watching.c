#include "server/rpc/watching.h"

#include <sys/socket.h>

#include "base/clock.h"
#include "server/net/net.h"
#include "server/rpc/failure.h"
#include "server/serve/serve.h"

enum { REQUEST_LIMIT = 1 << 20 }; /* of memory */
enum { LOOK_NS = 200000000 };     /* so often it is looked at what has changed */

static const struct rpc_watch_action *action_of(const struct rpc_watching *watching)
{
    return rpc_method_of(watching->stream)->detail;
}

static void finish(struct rpc_watching *watching, const struct error *err)
{
    if (watching->finished)
        return;
    watching->finished = true;
    rpc_failure_finish(watching->stream, err, 0);
}

/* False: the stream is over. */
static bool tell(struct rpc_watching *watching)
{
    struct buf out = {0};
    struct error err;
    size_t len = 0;
    enum status status = action_of(watching)->write(watching, &out, &err);
    char *bytes = status == STATUS_OK ? buf_take(&out, &len) : NULL;
    if (bytes) {
        watching->slow = !rpc_send(watching->stream, bytes, len);
        return true;
    }
    buf_finish(&out);
    if (status == STATUS_OK)
        error_set(&err, STATUS_NO_MEMORY, "no memory for the response");
    finish(watching, &err);
    return false;
}

/* HTTP/1.1 notices it only when something is written. */
static bool has_left(struct rpc_watching *watching)
{
    char byte;
    int socket = net_exchange_socket(rpc_exchange_of(watching->stream));
    return socket >= 0 && recv(socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static void look_again(const struct rpc_watching *watching)
{
    uint64_t wait_ns = watching->interval_ns && watching->interval_ns < LOOK_NS ? watching->interval_ns : LOOK_NS;
    rpc_set_time(watching->stream, clock_now_ns() + wait_ns);
}

void rpc_watching_on_message(struct rpc_stream *stream, const char *bytes, size_t len)
{
    struct rpc_watching *watching = rpc_state(stream);
    struct error err;
    ProtobufCMessage *request = NULL;
    watching->stream = stream;
    struct arena *arena = arena_create(REQUEST_LIMIT);
    enum status status =
        arena ? rpc_decode(&request, rpc_codec_of(stream), rpc_method_of(stream)->request, bytes, len, arena, &err)
              : error_set(&err, STATUS_NO_MEMORY, "no memory for the request");
    if (status == STATUS_OK)
        status = action_of(watching)->begin(watching, request, &err);
    arena_destroy(&arena);
    if (status != STATUS_OK)
        finish(watching, &err);
}

void rpc_watching_on_half_close(struct rpc_stream *stream)
{
    struct rpc_watching *watching = rpc_state(stream);
    if (!watching->finished && tell(watching))
        look_again(watching);
}

void rpc_watching_on_time(struct rpc_stream *stream)
{
    struct rpc_watching *watching = rpc_state(stream);
    struct error err;
    if (has_left(watching)) {
        rpc_watching_on_cancel(stream);
    } else if (serve_server_is_draining(rpc_server_of(stream))) {
        if (action_of(watching)->tells_end && !tell(watching))
            return;
        error_set(&err, STATUS_UNHEALTHY, "the server is shutting down");
        finish(watching, &err);
    } else if (watching->slow || !action_of(watching)->is_due(watching) || tell(watching)) {
        look_again(watching);
    }
}

void rpc_watching_on_writable(struct rpc_stream *stream)
{
    struct rpc_watching *watching = rpc_state(stream);
    watching->slow = false;
}

void rpc_watching_on_cancel(struct rpc_stream *stream)
{
    struct rpc_watching *watching = rpc_state(stream);
    struct error err;
    watching->stream = stream; /* there may have been no message */
    error_set(&err, STATUS_CANCELLED, "the client has gone");
    finish(watching, &err);
}
