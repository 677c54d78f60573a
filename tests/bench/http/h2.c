#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/http/surfaces.h"

enum { WINDOW = 1 << 24, PIECE = 65536 };

static struct h2_stream *stream_of(nghttp2_session *session, int32_t id)
{
    return nghttp2_session_get_stream_user_data(session, id);
}

static bool is_named(const uint8_t *name, size_t len, const char *wanted)
{
    return len == strlen(wanted) && memcmp(name, wanted, len) == 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                     const uint8_t *value, size_t value_len, uint8_t flags, void *cookie)
{
    (void)flags;
    (void)cookie;
    struct h2_stream *stream = stream_of(session, frame->hd.stream_id);
    if (!stream)
        return 0;
    struct answer *answer = &stream->answer; /* nghttp2 ends each value with a NUL */
    if (is_named(name, name_len, ":status"))
        answer->code = atoi((const char *)value);
    else if (is_named(name, name_len, "grpc-status"))
        answer->grpc_status = atoi((const char *)value);
    else if (is_named(name, name_len, "x-compute-tokens"))
        answer->tokens = (uint32_t)strtoul((const char *)value, NULL, 10);
    else if (is_named(name, name_len, "server-timing") && value_len < sizeof answer->timing)
        memcpy(answer->timing, value, value_len + 1);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t len, void *cookie)
{
    (void)flags;
    (void)cookie;
    struct h2_stream *stream = stream_of(session, id);
    if (stream)
        buf_append(&stream->answer.body, data, len);
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *cookie)
{
    (void)session;
    struct h2 *h2 = cookie;
    h2->has_settings |= frame->hd.type == NGHTTP2_SETTINGS && !(frame->hd.flags & NGHTTP2_FLAG_ACK);
    h2->has_pong |= frame->hd.type == NGHTTP2_PING && frame->hd.flags & NGHTTP2_FLAG_ACK;
    return 0;
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t error, void *cookie)
{
    (void)cookie;
    struct h2_stream *stream = stream_of(session, id);
    if (stream) {
        stream->closed = true;
        stream->error = error;
    }
    return 0;
}

struct h2 *h2_open(int port)
{
    static const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW}};
    nghttp2_session_callbacks *callbacks;
    struct h2 *h2 = calloc(1, sizeof *h2);
    if (!h2 || nghttp2_session_callbacks_new(&callbacks) != 0)
        fail("no memory");
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    if (nghttp2_session_client_new(&h2->session, callbacks, h2) != 0)
        fail("no memory");
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, settings, 1);
    nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0, WINDOW);
    h2->fd = socket_open(port);
    h2_meet(h2);
    return h2;
}

void h2_close(struct h2 *h2)
{
    nghttp2_session_del(h2->session);
    close(h2->fd);
    buf_finish(&h2->out);
    free(h2);
}

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *to, size_t capacity, uint32_t *flags,
                         nghttp2_data_source *source, void *cookie)
{
    (void)session;
    (void)id;
    (void)cookie;
    struct h2_stream *stream = source->ptr;
    size_t left = stream->out.len - stream->sent, n = left < capacity ? left : capacity;
    if (n > 0)
        memcpy(to, stream->out.data + stream->sent, n);
    stream->sent += n;
    if (n == left && stream->ends)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    else if (n == 0)
        return NGHTTP2_ERR_DEFERRED;
    return (ssize_t)n;
}

#define FIELD(name_, value_)                                                                                           \
    (nghttp2_nv)                                                                                                       \
    {                                                                                                                  \
        .name = (uint8_t *)(name_), .value = (uint8_t *)(value_), .namelen = strlen(name_), .valuelen = strlen(value_) \
    }

void h2_begin(struct h2 *h2, struct h2_stream *stream, const struct surface *surface)
{
    const nghttp2_nv fields[] = {
        FIELD(":method", "POST"),
        FIELD(":scheme", "http"),
        FIELD(":path", surface->path),
        FIELD(":authority", "localhost"),
        FIELD("content-type", surface->type),
        FIELD("te", "trailers"),
    };
    size_t n = sizeof fields / sizeof *fields - (surface->needs_trailers ? 0 : 1);
    const nghttp2_data_provider provider = {.source.ptr = stream, .read_callback = read_body};
    stream->answer.grpc_status = -1;
    stream->id = nghttp2_submit_request(h2->session, NULL, fields, n, &provider, stream);
    if (stream->id < 0)
        fail("nghttp2: %s", nghttp2_strerror(stream->id));
}

void h2_resume(struct h2 *h2, const struct h2_stream *stream)
{
    nghttp2_session_resume_data(h2->session, stream->id);
}

bool h2_flush(struct h2 *h2)
{
    const uint8_t *frame;
    ssize_t n;
    h2->out.len = 0;
    while ((n = nghttp2_session_mem_send(h2->session, &frame)) > 0)
        buf_append(&h2->out, frame, (size_t)n);
    if (n < 0 || h2->out.failed)
        return false;
    return h2->out.len == 0 || send(h2->fd, h2->out.data, h2->out.len, MSG_NOSIGNAL) == (ssize_t)h2->out.len;
}

bool h2_turn(struct h2 *h2)
{
    static _Thread_local uint8_t piece[PIECE];
    if (!h2_flush(h2))
        return false;
    ssize_t n = recv(h2->fd, piece, sizeof piece, 0);
    return n > 0 && nghttp2_session_mem_recv(h2->session, piece, (size_t)n) == n;
}

void h2_meet(struct h2 *h2)
{
    h2->has_pong = false;
    nghttp2_submit_ping(h2->session, NGHTTP2_FLAG_NONE, NULL);
    while (!h2->has_settings || !h2->has_pong)
        if (!h2_turn(h2))
            fail("the server has closed a connection");
}

bool h2_ask(struct h2 *h2, struct h2_stream *stream, const struct request *request)
{
    struct buf body = stream->answer.body;
    body.len = 0;
    *stream =
        (struct h2_stream){.answer.body = body, .out = {.data = request->body, .len = request->len}, .ends = true};
    h2_begin(h2, stream, request->surface);
    return h2_flush(h2);
}

bool h2_hear(struct h2 *h2, const struct h2_stream *stream, bool *ret_done)
{
    bool fine = h2_turn(h2);
    *ret_done = stream->closed;
    return fine && (*ret_done || h2_flush(h2));
}
