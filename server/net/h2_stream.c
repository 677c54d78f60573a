/* Streams: how answers are given, from any thread, and sent. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "server/net/h2_parts.h"

enum { MAX_FIELDS = 128, COMPACT_FROM = 65536 };

/** A piece that another thread has written. */
struct piece {
    struct h2_job job;
    struct h2_stream *stream;
    size_t len;
    char bytes[];
};

#define STREAM_OF(job_, member_) ((struct h2_stream *)((char *)(job_)-offsetof(struct h2_stream, member_)))

static struct h2_stream *of(struct net_exchange *exchange)
{
    return (struct h2_stream *)exchange;
}

/* What comes while jobs wait must wait behind them. */
static bool is_here(const struct h2_stream *stream)
{
    return h2_loop_is_here(stream->connection->loop) && atomic_load(&stream->posted) == 0;
}

static void post(struct h2_stream *stream, struct h2_job *job)
{
    atomic_fetch_add(&stream->posted, 1);
    h2_loop_post(stream->connection->loop, job);
}

/* Sending, on the event thread. */

static const char *unsent(const struct h2_stream *stream, size_t *ret_len)
{
    const char *spare = stream->base.server->options.spare_body;
    const char *from = stream->streams ? stream->out.data : stream->spare ? spare : stream->base.body;
    size_t len = stream->streams ? stream->out.len : stream->spare ? strlen(spare) : stream->base.body_len;
    *ret_len = len - stream->read;
    return from ? from + stream->read : NULL;
}

/* `n` more bytes of `out` are read, or dropped. */
static void settle(struct h2_stream *stream, size_t n)
{
    struct buf *out = &stream->out;
    if (stream->read == out->len) {
        buf_finish(out);
        stream->read = 0;
    } else if (stream->read >= COMPACT_FROM) {
        memmove(out->data, out->data + stream->read, out->len - stream->read);
        out->len -= stream->read;
        stream->read = 0;
    }
    if (atomic_fetch_sub(&stream->pending, n) - n < NET_STREAM_LOW && atomic_exchange(&stream->stopped, false)) {
        stream->writable = true;
        h2_loop_mark_stream(stream);
    }
}

static void fill_fields(nghttp2_nv *nva, const struct net_fields *fields)
{
    for (uint32_t i = 0; i < fields->n; i++)
        nva[i] = (nghttp2_nv){.name = (uint8_t *)fields->items[i].name,
                              .value = (uint8_t *)fields->items[i].value,
                              .namelen = strlen(fields->items[i].name),
                              .valuelen = strlen(fields->items[i].value)};
}

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *to, size_t capacity, uint32_t *flags,
                         nghttp2_data_source *source, void *cookie)
{
    (void)cookie;
    struct h2_stream *stream = source->ptr;
    size_t left = 0;
    const char *from = unsent(stream, &left);
    size_t n = left < capacity ? left : capacity;
    bool whole = stream->given || !stream->streams;
    if (n > 0)
        memcpy(to, from, n);
    stream->read += n;
    stream->send_by_ns = n < left ? h2_loop_extend(stream->connection->loop, stream->send_by_ns, n) : 0;
    if (stream->streams)
        settle(stream, n);
    if (n == left && whole) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        const struct net_fields *trailers = &stream->base.trailers;
        nghttp2_nv nva[MAX_FIELDS];
        if (trailers->n > 0 && trailers->n <= MAX_FIELDS) {
            fill_fields(nva, trailers);
            if (nghttp2_submit_trailer(session, id, nva, trailers->n) == 0)
                *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        }
    } else if (n == 0) {
        return NGHTTP2_ERR_DEFERRED;
    }
    return (ssize_t)n;
}

void h2_stream_reset(struct h2_stream *stream, uint32_t error)
{
    stream->aborted = true;
    nghttp2_submit_rst_stream(stream->connection->session, NGHTTP2_FLAG_NONE, stream->id, error);
    h2_loop_mark(stream->connection);
}

#define NV(name_, value_, len_)                                                                                        \
    (nghttp2_nv)                                                                                                       \
    {                                                                                                                  \
        .name = (uint8_t *)(name_), .value = (uint8_t *)(value_), .namelen = sizeof(name_) - 1, .valuelen = (len_),    \
        .flags = NGHTTP2_NV_FLAG_NO_COPY_NAME                                                                          \
    }

/* The handler's fields after those of the carrier. */
static void submit(struct h2_stream *stream)
{
    struct net_exchange *exchange = &stream->base;
    nghttp2_nv nva[MAX_FIELDS];
    char code[12], length[24];
    size_t n = 0, left = 0;
    bool failed = exchange->fields.failed || exchange->trailers.failed || exchange->fields.n > MAX_FIELDS - 4;
    stream->spare = failed && !stream->streams;
    if (failed && stream->streams) {
        h2_stream_reset(stream, NGHTTP2_INTERNAL_ERROR);
        return;
    }
    unsigned status = stream->spare ? 500 : exchange->code;
    const char *date = h2_loop_date(stream->connection->loop);
    nva[n++] = NV(":status", code, (size_t)snprintf(code, sizeof code, "%u", status));
    nva[n++] = NV("date", date, strlen(date));
    unsent(stream, &left);
    bool may_have_body = status >= 200 && status != 204 && status != 304;
    if (!stream->streams && may_have_body && exchange->trailers.n == 0) /* libcurl reads no trailers behind a length */
        nva[n++] = NV("content-length", length, (size_t)snprintf(length, sizeof length, "%zu", left));
    if (stream->spare) {
        nva[n++] = NV("content-type", "application/json", 16);
    } else {
        fill_fields(nva + n, &exchange->fields);
        n += exchange->fields.n;
    }
    bool has_body = may_have_body && strcmp(exchange->method, "HEAD") != 0 &&
                    (stream->streams || left > 0 || exchange->trailers.n > 0);
    stream->bodiless = !has_body;
    nghttp2_data_provider provider = {.source.ptr = stream, .read_callback = read_body};
    if (left > 0 && has_body)
        stream->send_by_ns = h2_loop_expect(stream->connection->loop);
    if (nghttp2_submit_response(stream->connection->session, stream->id, nva, n, has_body ? &provider : NULL) != 0)
        h2_stream_reset(stream, NGHTTP2_INTERNAL_ERROR);
    h2_loop_mark(stream->connection);
}

static void give(struct h2_stream *stream)
{
    stream->given = true;
    stream->connection->loop->owed--;
    if (stream->closed)
        h2_loop_mark_stream(stream);
}

/* Of a stream of pieces whose request is HEAD, the head was the answer: it has nothing to resume. */
static void resume(struct h2_stream *stream)
{
    nghttp2_session_resume_data(stream->connection->session, stream->id);
    h2_loop_mark(stream->connection);
}

static void apply_begin(struct h2_stream *stream)
{
    if (!stream->streams)
        give(stream);
    if (!stream->closed)
        submit(stream);
}

static void apply_end(struct h2_stream *stream)
{
    give(stream);
    if (stream->closed)
        return;
    bool failed = atomic_load(&stream->failed) || stream->base.trailers.failed;
    if (stream->aborts || failed)
        h2_stream_reset(stream, failed ? NGHTTP2_INTERNAL_ERROR : stream->error);
    else
        resume(stream);
}

static void apply_write(struct h2_stream *stream, const char *bytes, size_t len)
{
    if (!stream->closed) {
        size_t before = stream->out.len;
        buf_append(&stream->out, bytes, len);
        if (stream->out.len > before || len == 0) {
            if (!stream->send_by_ns)
                stream->send_by_ns = h2_loop_expect(stream->connection->loop);
            resume(stream);
            return;
        }
        atomic_store(&stream->failed, true);
    }
    atomic_fetch_sub(&stream->pending, len);
}

static void apply_consume(struct h2_stream *stream)
{
    size_t bytes = atomic_exchange(&stream->consumed, 0);
    if (!stream->closed)
        h2_stream_release(stream, bytes);
}

void h2_stream_release(struct h2_stream *stream, size_t bytes)
{
    bytes = bytes < stream->held ? bytes : stream->held;
    stream->held -= bytes;
    nghttp2_session_consume(stream->connection->session, stream->id, bytes);
    h2_loop_mark(stream->connection);
}

void h2_stream_drop(struct h2_stream *stream)
{
    size_t left = stream->out.len - stream->read;
    stream->read = stream->out.len;
    settle(stream, left);
}

/* Jobs. */

static void run_begin(struct h2_job *job)
{
    struct h2_stream *stream = STREAM_OF(job, begin_job);
    atomic_fetch_sub(&stream->posted, 1);
    apply_begin(stream);
}

static void run_end(struct h2_job *job)
{
    struct h2_stream *stream = STREAM_OF(job, end_job);
    atomic_fetch_sub(&stream->posted, 1);
    apply_end(stream);
}

static void run_write(struct h2_job *job)
{
    struct piece *piece = (struct piece *)job;
    atomic_fetch_sub(&piece->stream->posted, 1);
    apply_write(piece->stream, piece->bytes, piece->len);
    mem_free(piece);
}

static void run_consume(struct h2_job *job)
{
    struct h2_stream *stream = STREAM_OF(job, consume_job);
    atomic_fetch_sub(&stream->posted, 1);
    apply_consume(stream);
}

static void run_wake(struct h2_job *job)
{
    struct h2_stream *stream = STREAM_OF(job, wake_job);
    atomic_fetch_sub(&stream->posted, 1);
    atomic_store(&stream->woken, false);
    if (!stream->given && stream->base.handler->on_wake)
        stream->base.handler->on_wake(&stream->base);
}

/* What net.h's functions come to, on any thread. */

static void consume(struct net_exchange *exchange, size_t bytes)
{
    struct h2_stream *stream = of(exchange);
    bool waits = atomic_fetch_add(&stream->consumed, bytes) > 0;
    if (bytes > 0 && !waits) /* else the job that takes those before takes these, too */
        post(stream, &stream->consume_job);
}

static void wake(struct net_exchange *exchange)
{
    struct h2_stream *stream = of(exchange);
    if (!atomic_exchange(&stream->woken, true))
        post(stream, &stream->wake_job);
}

static void send_head(struct h2_stream *stream)
{
    if (is_here(stream))
        apply_begin(stream);
    else
        post(stream, &stream->begin_job);
}

static void respond(struct net_exchange *exchange)
{
    atomic_store(&of(exchange)->answered, true);
    send_head(of(exchange));
}

static void begin(struct net_exchange *exchange)
{
    of(exchange)->streams = true;
    send_head(of(exchange));
}

static bool write_piece(struct net_exchange *exchange, const char *bytes, size_t len)
{
    struct h2_stream *stream = of(exchange);
    bool here = is_here(stream);
    struct piece *piece = here ? NULL : mem_alloc(sizeof *piece + len);
    if (!here && !piece) {
        atomic_store(&stream->failed, true); /* it ends with an error */
        return true;
    }
    size_t pending = atomic_fetch_add(&stream->pending, len) + len;
    if (here) {
        apply_write(stream, bytes, len);
    } else {
        piece->job.run = run_write;
        piece->stream = stream;
        piece->len = len;
        memcpy(piece->bytes, bytes, len);
        post(stream, &piece->job);
    }
    if (pending <= NET_STREAM_HIGH)
        return true;
    atomic_store(&stream->stopped, true);
    return atomic_load(&stream->pending) < NET_STREAM_LOW && atomic_exchange(&stream->stopped, false);
}

static void end(struct net_exchange *exchange)
{
    struct h2_stream *stream = of(exchange);
    atomic_store(&stream->answered, true);
    if (is_here(stream))
        apply_end(stream);
    else
        post(stream, &stream->end_job);
}

static void abort_stream(struct net_exchange *exchange, uint32_t error)
{
    of(exchange)->aborts = true;
    of(exchange)->error = error;
    end(exchange);
}

static const struct net_carrier_ops ops = {.header = h2_head_find,
                                           .each_header = h2_head_each,
                                           .consume = consume,
                                           .wake = wake,
                                           .respond = respond,
                                           .begin = begin,
                                           .write = write_piece,
                                           .finish = end,
                                           .abort = abort_stream};

struct h2_stream *h2_stream_create(struct h2_connection *connection, int32_t id)
{
    struct h2_stream *stream = mem_calloc(1, sizeof *stream);
    if (!stream)
        return NULL;
    stream->base = (struct net_exchange){.ops = &ops,
                                         .version = 20,
                                         .side = connection->side,
                                         .socket = -1,
                                         .address = (struct sockaddr *)&connection->address};
    stream->connection = connection;
    stream->id = id;
    stream->wake_job.run = run_wake;
    stream->consume_job.run = run_consume;
    stream->begin_job.run = run_begin;
    stream->end_job.run = run_end;
    stream->next = connection->streams;
    if (stream->next)
        stream->next->previous = stream;
    connection->streams = stream;
    connection->n_streams++;
    connection->n_open++;
    atomic_fetch_add(&connection->loop->n_streams, 1);
    return stream;
}

static void destroy(struct h2_stream *stream)
{
    struct h2_connection *connection = stream->connection;
    *(stream->previous ? &stream->previous->next : &connection->streams) = stream->next;
    if (stream->next)
        stream->next->previous = stream->previous;
    if (stream->begun)
        net_exchange_end(&stream->base);
    buf_finish(&stream->head);
    buf_finish(&stream->out);
    mem_free(stream->malformed);
    mem_free(stream);
    connection->n_streams--;
    h2_loop_mark(connection); /* which may be over now */
}

void h2_stream_look(struct h2_stream *stream)
{
    if (stream->closed && (stream->given || !stream->begun)) {
        destroy(stream);
        return;
    }
    if (stream->writable) {
        stream->writable = false;
        if (!stream->given)
            stream->base.handler->on_writable(&stream->base);
    }
}
