#include "server/http/coding.h"

enum { WORTH_CODING = 1024 /* bytes of text */ };

/* What the decoder holds counts as the request's memory. */
static enum status reserve(struct http_exchange *exchange, struct error *err)
{
    size_t size = net_decoder_size(exchange->decoder);
    if (size <= exchange->decoder_size)
        return STATUS_OK;
    enum status status = serve_call_reserve(&exchange->call, size - exchange->decoder_size, err);
    if (status == STATUS_OK)
        exchange->decoder_size = size;
    return status;
}

void http_coding_check(struct http_exchange *exchange)
{
    struct serve_call *call = &exchange->call;
    const char *codings = net_exchange_header(exchange->net, "content-encoding");
    struct error err;
    if (call->status == STATUS_OK &&
        net_decoder_create(&exchange->decoder, codings, exchange->server->options.payload_limit, &err) != STATUS_OK)
        serve_call_fail(call, err.status, "%s", err.message);
    else if (exchange->decoder && reserve(exchange, &err) != STATUS_OK)
        serve_call_fail(call, err.status, "%s", err.message);
}

static enum status take(void *cookie, const char *bytes, size_t len, struct error *err)
{
    struct serve_call *call = cookie;
    serve_call_take(call, bytes, len);
    *err = call->err;
    return call->status;
}

void http_coding_take(struct http_exchange *exchange, const char *bytes, size_t len)
{
    struct serve_call *call = &exchange->call;
    struct error err;
    if (!exchange->decoder) {
        serve_call_take(call, bytes, len);
        return;
    }
    if (net_decoder_feed(exchange->decoder, bytes, len, take, call, &err) != STATUS_OK ||
        reserve(exchange, &err) != STATUS_OK)
        serve_call_fail(call, err.status, "%s%s", err.message,
                        err.status == STATUS_TOO_LARGE ? " (see --payload-limit)" : "");
}

void http_coding_end(struct http_exchange *exchange)
{
    struct error err;
    if (exchange->decoder && net_decoder_end(exchange->decoder, &err) != STATUS_OK)
        serve_call_fail(&exchange->call, err.status, "%s", err.message);
    net_decoder_destroy(&exchange->decoder);
}

void http_coding_encode(struct serve_call *call)
{
    struct http_exchange *exchange = (struct http_exchange *)((char *)call - offsetof(struct http_exchange, call));
    struct buf coded = {0};
    struct error err;
    if (call->reply.failed || call->reply.len < WORTH_CODING || exchange->request.as_is)
        return;
    exchange->codable = true;
    if (exchange->accepted == NET_IDENTITY || serve_call_reserve(call, call->reply.len, &err) != STATUS_OK)
        return;
    net_encode(&coded, exchange->accepted, call->reply.data, call->reply.len);
    if (coded.failed || coded.len >= call->reply.len) {
        buf_finish(&coded);
        return;
    }
    buf_finish(&call->reply);
    call->reply = coded;
    exchange->coding = exchange->accepted;
}
