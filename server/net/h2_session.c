/* What nghttp2 tells of a connection's frames. */
#include <string.h>
#include <strings.h>

#include "server/net/h2_parts.h"

/* Bodies that handlers hold wait in these windows; that of the connection bounds what all its streams hold. */
enum { STREAM_WINDOW = 256 << 10, CONNECTION_WINDOW = 4 << 20, SMALL_BODY = 64 << 10 };

static struct h2_stream *find_stream(nghttp2_session *session, int32_t id)
{
    return nghttp2_session_get_stream_user_data(session, id);
}

/* More of these than any client needs: its connection ends. */
static void count(struct h2_connection *connection, struct h2_bucket *bucket)
{
    if (!h2_bucket_take(bucket, connection->loop->now_ns))
        nghttp2_session_terminate_session(connection->session, NGHTTP2_ENHANCE_YOUR_CALM);
}

/* Of priorities, which nghttp2 passes over, it passes over what is wrong with them, too. */
static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *head, void *cookie)
{
    struct h2_connection *connection = cookie;
    if (head->type != NGHTTP2_PRIORITY)
        return 0;
    count(connection, &connection->others);
    return head->stream_id == 0 ? nghttp2_session_terminate_session(session, NGHTTP2_PROTOCOL_ERROR) : 0;
}

/* Clients may open streams again elsewhere, or later. Those whose answer is owed count, open or not. */
static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *cookie)
{
    struct h2_connection *connection = cookie;
    int32_t id = frame->hd.stream_id;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    uint32_t most = 2 * connection->loop->h2->server->options.max_streams;
    struct h2_stream *stream = NULL;
    if (connection->n_streams < most && !atomic_load(&connection->loop->stop))
        stream = h2_stream_create(connection, id);
    if (!stream)
        return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
    nghttp2_session_set_stream_user_data(session, id, stream);
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                     const uint8_t *value, size_t value_len, uint8_t flags, void *cookie)
{
    (void)flags;
    (void)cookie;
    struct h2_stream *stream = find_stream(session, frame->hd.stream_id);
    if (stream && frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        h2_head_add(stream, name, name_len, value, value_len);
    return 0;
}

/* Without this, nghttp2 would leave the field out and take the rest. */
static int on_invalid_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                             const uint8_t *value, size_t value_len, uint8_t flags, void *cookie)
{
    (void)name;
    (void)name_len;
    (void)value;
    (void)value_len;
    (void)flags;
    (void)cookie;
    struct h2_stream *stream = find_stream(session, frame->hd.stream_id);
    if (!stream || stream->refused)
        return 0;
    stream->refused = true;
    return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_PROTOCOL_ERROR);
}

static void end_request(struct h2_stream *stream)
{
    stream->ended = true;
    stream->receive_by_ns = 0;
    if (stream->begun && !stream->closed && !atomic_load(&stream->answered))
        stream->base.handler->on_end(&stream->base);
}

void h2_session_asked(struct h2_connection *connection)
{
    if (!connection->asked)
        atomic_fetch_sub(&connection->loop->h2->server->asking, 1);
    connection->asked = true;
}

static void begin_request(struct h2_connection *connection, struct h2_stream *stream, bool ended)
{
    stream->begun = h2_head_finish(stream, ended);
    connection->loop->owed++;
    stream->begun = stream->begun && net_exchange_begin(&stream->base, connection->loop->h2->server);
    h2_session_asked(connection);
    if (!stream->begun) {
        connection->loop->owed--;
        nghttp2_submit_rst_stream(connection->session, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_INTERNAL_ERROR);
        return;
    }
    if (ended) {
        end_request(stream);
        return;
    }
    stream->receive_by_ns = h2_loop_expect(connection->loop);
    const char *expect = net_exchange_header(&stream->base, "expect");
    static const nghttp2_nv go_on = {(uint8_t *)":status", (uint8_t *)"100", 7, 3, NGHTTP2_NV_FLAG_NONE};
    if (expect && strcasecmp(expect, "100-continue") == 0 && !atomic_load(&stream->answered))
        nghttp2_submit_headers(connection->session, NGHTTP2_FLAG_NONE, stream->id, NULL, &go_on, 1, NULL);
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data, size_t len, void *cookie)
{
    (void)flags;
    (void)cookie;
    struct h2_stream *stream = find_stream(session, id);
    if (!stream || !stream->begun || stream->closed) {
        nghttp2_session_consume(session, id, len);
        return 0;
    }
    stream->held += len;
    stream->receive_by_ns = h2_loop_extend(stream->connection->loop, stream->receive_by_ns, len);
    bool wanted = !atomic_load(&stream->answered);
    if (wanted)
        stream->base.handler->on_body(&stream->base, (const char *)data, len);
    if (!wanted || !stream->base.hold)
        h2_stream_release(stream, len);
    return 0;
}

/* Besides requests, what costs a client little and us more. */
static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *cookie)
{
    struct h2_connection *connection = cookie;
    bool ended = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    struct h2_stream *stream = frame->hd.stream_id ? find_stream(session, frame->hd.stream_id) : NULL;
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        if (stream && stream->refused)
            break;
        if (stream && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
            begin_request(connection, stream, ended);
        else if (stream && ended)
            end_request(stream);
        break;
    case NGHTTP2_DATA:
        if (stream && ended)
            end_request(stream);
        else if (frame->hd.length == 0)
            count(connection, &connection->others);
        break;
    case NGHTTP2_RST_STREAM:
        count(connection, &connection->resets);
        break;
    case NGHTTP2_PING:
        if (!(frame->hd.flags & NGHTTP2_FLAG_ACK))
            count(connection, &connection->others);
        else if (connection->phase == H2_WARNED)
            connection->warned = true;
        break;
    case NGHTTP2_SETTINGS:
        count(connection, &connection->others);
        break;
    default:
        break;
    }
    return 0;
}

/* What is left of a small body may come. libcurl loses an answer whose stream is reset before it has sent its body. */
static bool lets_rest_come(const struct h2_stream *stream)
{
    return stream && stream->begun && net_exchange_length(&stream->base) <= SMALL_BODY &&
           !net_exchange_header(&stream->base, "expect");
}

/* An answer before the end of its request: the rest of a large body is not wanted (RFC 9113, 8.1). A reset that the
 * client's frames have made us send costs it as much as one of its own. */
static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *cookie)
{
    struct h2_connection *connection = cookie;
    int32_t id = frame->hd.stream_id;
    struct h2_stream *stream = id ? find_stream(session, id) : NULL;
    bool may_end = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (may_end)
        h2_bucket_fill(&connection->others); /* gRPC's clients send a PING whenever data comes, to measure the line */
    if (may_end && frame->hd.flags & NGHTTP2_FLAG_END_STREAM &&
        nghttp2_session_get_stream_remote_close(session, id) == 0) {
        if (!lets_rest_come(stream))
            return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR);
        stream->lets_rest_come = true;
    }
    if (frame->hd.type == NGHTTP2_RST_STREAM && frame->rst_stream.error_code != NGHTTP2_NO_ERROR &&
        !(stream && stream->aborted))
        count(connection, &connection->resets);
    return 0;
}

void h2_session_close_stream(struct h2_stream *stream)
{
    struct h2_connection *connection = stream->connection;
    if (stream->closed)
        return;
    stream->closed = true;
    stream->receive_by_ns = stream->send_by_ns = 0;
    h2_stream_drop(stream);
    if (--connection->n_open == 0)
        connection->idle_ns = connection->loop->now_ns;
    atomic_fetch_sub(&connection->loop->n_streams, 1);
    if (stream->begun && !stream->given && !stream->bodiless && stream->base.handler->on_gone)
        stream->base.handler->on_gone(&stream->base);
    h2_loop_mark_stream(stream);
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t error, void *cookie)
{
    (void)error;
    (void)cookie;
    struct h2_stream *stream = find_stream(session, id);
    if (!stream)
        return 0;
    nghttp2_session_consume_connection(session, stream->held);
    stream->held = 0;
    h2_session_close_stream(stream);
    return 0;
}

nghttp2_session_callbacks *h2_session_callbacks(void)
{
    nghttp2_session_callbacks *callbacks = NULL;
    if (nghttp2_session_callbacks_new(&callbacks) != 0)
        return NULL;
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, on_invalid_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    return callbacks;
}

bool h2_session_start(struct h2_connection *connection)
{
    const struct h2 *h2 = connection->loop->h2;
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, h2->server->options.max_streams},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, H2_HEAD_LIMIT},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };
    if (nghttp2_session_server_new2(&connection->session, h2->callbacks, connection, h2->option) != 0)
        return false;
    return nghttp2_submit_settings(connection->session, NGHTTP2_FLAG_NONE, settings,
                                   sizeof settings / sizeof *settings) == 0 &&
           nghttp2_session_set_local_window_size(connection->session, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW) == 0;
}
