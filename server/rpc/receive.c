#include <strings.h>

#include "server/rpc/protocol.h"
#include "server/serve/serve.h"

enum { KEPT_CAPACITY = 16 << 10 };

bool rpc_one_request(const struct rpc_stream *stream)
{
    const struct rpc_method *method = stream->method;
    return !method || method->kind == RPC_UNARY || method->kind == RPC_SERVER_STREAM;
}

/* Too many messages are in the service's hands for another. */
static bool is_full(const struct rpc_stream *stream)
{
    return stream->most && stream->in_hand >= stream->most;
}

static bool is_over(const struct rpc_stream *stream)
{
    return stream->failure || stream->finished;
}

void rpc_fail_too_long(struct rpc_stream *stream)
{
    rpc_fail(stream, RPC_RESOURCE_EXHAUSTED, "the message has more than %llu bytes, the limit (see --payload-limit)",
             (unsigned long long)stream->server->options.payload_limit);
}

static void fail_no_memory(struct rpc_stream *stream)
{
    rpc_fail(stream, RPC_RESOURCE_EXHAUSTED, "no memory for the message");
}

bool rpc_read_coding(struct rpc_stream *stream, const char *name)
{
    stream->request_coding = NULL;
    if (!name || !*name || strcasecmp(name, "identity") == 0)
        return true;
    stream->request_coding = net_coding_find(name);
    return stream->request_coding != NULL;
}

static void count_memory(struct rpc_stream *stream)
{
    struct error err;
    if (rpc_count_memory(stream, &err) != STATUS_OK)
        rpc_fail(stream, RPC_RESOURCE_EXHAUSTED, "%s", err.message);
}

static enum status take_decoded(void *cookie, const char *bytes, size_t len, struct error *err)
{
    struct buf *message = cookie;
    buf_append(message, bytes, len);
    return message->failed ? error_set(err, STATUS_NO_MEMORY, "no memory for the message") : STATUS_OK;
}

static enum status decode(struct rpc_stream *stream, const struct rpc_envelope *envelope, struct error *err)
{
    struct net_decoder *decoder = NULL;
    enum status status =
        net_decoder_create(&decoder, stream->request_coding, stream->server->options.payload_limit, err);
    if (status == STATUS_OK)
        status = net_decoder_feed(decoder, envelope->bytes, envelope->len, take_decoded, &stream->message, err);
    if (status == STATUS_OK)
        status = net_decoder_end(decoder, err);
    net_decoder_destroy(&decoder);
    return status;
}

/* Have `envelope` point to the message decompressed. False: the stream has failed. */
static bool decompress(struct rpc_stream *stream, struct rpc_envelope *envelope)
{
    struct error err;
    stream->message.len = 0;
    enum status status = decode(stream, envelope, &err);
    if (status != STATUS_OK) {
        rpc_fail(stream, status == STATUS_MALFORMED ? RPC_INVALID_ARGUMENT : RPC_RESOURCE_EXHAUSTED, "%s", err.message);
        return false;
    }
    envelope->bytes = stream->message.data;
    envelope->len = stream->message.len;
    count_memory(stream);
    return !is_over(stream);
}

/* The message in an envelope. False: the stream has failed. */
static bool open_envelope(struct rpc_stream *stream, struct rpc_envelope *envelope)
{
    if (envelope->flags & ~(unsigned)RPC_ENVELOPE_COMPRESSED) {
        rpc_fail(stream, RPC_INTERNAL, "flags 0x%02x of a message are not known", envelope->flags);
        return false;
    }
    if (!(envelope->flags & RPC_ENVELOPE_COMPRESSED))
        return true;
    if (!stream->request_coding) {
        rpc_fail(stream, RPC_INTERNAL, "a message is compressed, and %s names no coding", stream->protocol->coding);
        return false;
    }
    return envelope->len == 0 || decompress(stream, envelope);
}

static void give(struct rpc_stream *stream, const struct rpc_envelope *envelope)
{
    stream->n_messages++;
    if (rpc_one_request(stream)) {
        stream->one = *envelope; /* stays where it is: nothing may come after it */
    } else {
        stream->in_hand++;
        stream->method->on_message(stream, envelope->bytes, envelope->len);
        if (stream->message.capacity > KEPT_CAPACITY)
            buf_finish(&stream->message);
    }
}

static void free_input(struct rpc_stream *stream)
{
    rpc_envelopes_finish(&stream->in);
    buf_finish(&stream->message);
}

static void end_input(struct rpc_stream *stream)
{
    if (rpc_envelopes_left(&stream->in) > 0) {
        rpc_fail(stream, RPC_INTERNAL, "the request ends inside a message");
        return;
    }
    stream->half_closed = true;
    if (rpc_one_request(stream)) {
        if (stream->n_messages == 0) {
            rpc_fail(stream, RPC_UNIMPLEMENTED, "the request has no message, the method takes one");
            return;
        }
        rpc_start(stream);
        if (!is_over(stream))
            stream->method->on_message(stream, stream->one.bytes, stream->one.len);
        free_input(stream);
    }
    if (!is_over(stream))
        stream->method->on_half_close(stream);
}

/* Let the client send as much again as was taken, but for what waits here because the service is full. */
static void consume(struct rpc_stream *stream)
{
    size_t left = is_full(stream) && !is_over(stream) ? rpc_envelopes_left(&stream->in) : 0;
    if (stream->finished || stream->unconsumed <= left)
        return;
    net_consume(stream->exchange, stream->unconsumed - left);
    stream->unconsumed = left;
}

/* What the service has had. */
static void give_back(struct rpc_stream *stream)
{
    if (is_over(stream)) {
        free_input(stream);
    } else if (!rpc_one_request(stream)) {
        stream->message.len = 0;
        if (rpc_envelopes_left(&stream->in) == 0)
            rpc_envelopes_compact(&stream->in);
    }
    rpc_count_memory(stream, NULL);
}

void rpc_settle(struct rpc_stream *stream)
{
    if (stream->settling)
        return;
    stream->settling = true;
    struct rpc_envelope envelope;
    enum rpc_envelope_next next = RPC_ENVELOPE_NONE;
    while (!is_over(stream) && !is_full(stream) && stream->protocol->envelopes) {
        next = rpc_envelopes_next(&stream->in, stream->server->options.payload_limit, &envelope);
        if (next == RPC_ENVELOPE_TOO_LONG)
            rpc_fail_too_long(stream);
        if (next != RPC_ENVELOPE_WHOLE)
            break;
        if (rpc_one_request(stream) && stream->n_messages > 0)
            rpc_fail(stream, RPC_UNIMPLEMENTED, "the request has several messages, the method takes one");
        else if (open_envelope(stream, &envelope))
            give(stream, &envelope);
    }
    if (stream->input_ended && !stream->half_closed && !is_over(stream) && !is_full(stream))
        end_input(stream);
    if (stream->cancel_due && !stream->finished && stream->method->on_cancel)
        stream->method->on_cancel(stream);
    stream->cancel_due = false;
    consume(stream);
    give_back(stream);
    stream->settling = false;
}

/* Keep a piece of the body. */
static void keep(struct rpc_stream *stream, const char *bytes, size_t len)
{
    struct buf decoded = {0};
    if (stream->protocol->text) {
        if (!base64_decode_piece(&stream->base64, &decoded, bytes, len)) {
            buf_finish(&decoded);
            rpc_fail(stream, RPC_INVALID_ARGUMENT, "the body is not valid base64");
            return;
        }
        bytes = decoded.data;
        len = decoded.len;
    }
    bool fits =
        stream->protocol->envelopes || len <= stream->server->options.payload_limit - rpc_envelopes_left(&stream->in);
    if (fits && len > 0)
        rpc_envelopes_add(&stream->in, bytes, len);
    bool failed = stream->in.bytes.failed || decoded.failed;
    buf_finish(&decoded);
    if (!fits)
        rpc_fail_too_long(stream);
    else if (failed)
        fail_no_memory(stream);
    else
        count_memory(stream);
}

void rpc_receive(struct rpc_stream *stream, const char *bytes, size_t len)
{
    stream->unconsumed += len;
    if (is_over(stream)) {
        consume(stream);
        return;
    }
    if (rpc_one_request(stream) && stream->n_messages > 0 && len > 0)
        rpc_fail(stream, RPC_UNIMPLEMENTED, "the request has several messages, the method takes one");
    else
        keep(stream, bytes, len);
    rpc_settle(stream);
}

/* The body is the message. */
static void take_body(struct rpc_stream *stream)
{
    struct rpc_envelope body = {.bytes = stream->in.bytes.data, .len = stream->in.bytes.len};
    stream->in.read = stream->in.bytes.len;
    if (!stream->request_coding || body.len == 0 || decompress(stream, &body))
        give(stream, &body);
}

void rpc_receive_end(struct rpc_stream *stream)
{
    if (is_over(stream))
        return;
    stream->input_ended = true;
    if (stream->protocol->text && !base64_decode_end(&stream->base64, &stream->in.bytes))
        rpc_fail(stream, RPC_INVALID_ARGUMENT, "the body ends inside a group of base64");
    else if (!stream->protocol->envelopes)
        take_body(stream);
    rpc_settle(stream);
}

/* From the service. */

void rpc_hold(struct rpc_stream *stream, uint32_t most)
{
    stream->most = most;
    net_exchange_hold(stream->exchange);
}

void rpc_consume(struct rpc_stream *stream)
{
    stream->in_hand--;
}
