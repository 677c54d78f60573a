/* Answers in pieces: what net_write brings waits until the library asks for more. */
#include <string.h>
#include <sys/types.h>

#include "base/mem.h"
#include "server/net/h1.h"

enum { PIECE = 16384 };

struct h1_stream *h1_stream_create(void)
{
    struct h1_stream *stream = mem_calloc(1, sizeof *stream);
    if (stream)
        pthread_mutex_init(&stream->lock, NULL);
    return stream;
}

void h1_stream_destroy(struct h1_stream *stream)
{
    if (!stream)
        return;
    pthread_mutex_destroy(&stream->lock);
    buf_finish(&stream->pending);
    mem_free(stream);
}

/* Bytes of what waits, at most `max`. Where there is room again for a writer that had to stop, `*ret_writable`. */
static size_t take(struct h1_stream *stream, char *bytes, size_t max, bool *ret_writable)
{
    pthread_mutex_lock(&stream->lock);
    size_t len = stream->pending.len - stream->read;
    len = len < max ? len : max;
    if (len > 0)
        memcpy(bytes, stream->pending.data + stream->read, len);
    stream->read += len;
    if (stream->read == stream->pending.len)
        stream->read = stream->pending.len = 0;
    *ret_writable = stream->stopped && stream->pending.len - stream->read < NET_STREAM_LOW;
    if (*ret_writable)
        stream->stopped = false;
    pthread_mutex_unlock(&stream->lock);
    return len;
}

static ssize_t read_stream(void *cls, uint64_t position, char *bytes, size_t max)
{
    (void)position;
    struct h1_exchange *x = cls;
    unsigned flags = h1_look(x);
    bool writable;
    if (flags & H1_LEFT)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (flags & H1_WOKEN)
        x->base.handler->on_wake(&x->base);
    /* Looked at before what waits: what is finished grows no more. */
    bool ended = h1_stream_is_ended(x);
    size_t len = take(x->stream, bytes, max, &writable);
    if (writable && !ended)
        x->base.handler->on_writable(&x->base);
    h1_connection_expect(&x->h1->connections, x->timer, max);
    if (len > 0)
        return (ssize_t)len;
    if (ended)
        return x->stream->aborted || x->stream->pending.failed ? MHD_CONTENT_READER_END_WITH_ERROR
                                                               : MHD_CONTENT_READER_END_OF_STREAM;
    h1_connection_rest(x->timer);
    h1_rest(x);
    return 0;
}

struct MHD_Response *h1_stream_response(struct h1_exchange *x)
{
    h1_connection_stream(&x->h1->connections, x->timer, x);
    return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, PIECE, read_stream, x, NULL);
}

/* Keep what is left at the front once more has been read than waits. */
static void compact(struct h1_stream *stream)
{
    if (stream->read == 0 || stream->read < stream->pending.len - stream->read)
        return;
    memmove(stream->pending.data, stream->pending.data + stream->read, stream->pending.len - stream->read);
    stream->pending.len -= stream->read;
    stream->read = 0;
}

bool h1_stream_write(struct h1_exchange *x, const char *bytes, size_t len)
{
    struct h1_stream *stream = x->stream;
    if (!stream || atomic_load(&x->flags) & (H1_LEFT | H1_OVER))
        return true;
    pthread_mutex_lock(&stream->lock);
    compact(stream);
    buf_append(&stream->pending, bytes, len);
    stream->stopped = stream->pending.len - stream->read > NET_STREAM_HIGH;
    bool more = !stream->stopped;
    pthread_mutex_unlock(&stream->lock);
    h1_stir(x, 0);
    return more;
}

void h1_stream_end(struct h1_exchange *x, bool aborted)
{
    if (!x->stream)
        return;
    pthread_mutex_lock(&x->stream->lock);
    x->stream->finished = true;
    x->stream->aborted = aborted;
    pthread_mutex_unlock(&x->stream->lock);
    h1_stir(x, 0);
}

bool h1_stream_is_ended(struct h1_exchange *x)
{
    if (!x->stream)
        return false;
    pthread_mutex_lock(&x->stream->lock);
    bool ended = x->stream->finished;
    pthread_mutex_unlock(&x->stream->lock);
    return ended;
}
