/* Answers as the library takes them. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "server/net/h1.h"
#include "server/net/server.h"

/* The head has taken the memory that the library would write an answer in. All earlier answers have been sent. */
static enum MHD_Result send_past_library(struct h1_exchange *x)
{
    struct buf answer = {0};
    const struct net_exchange *exchange = &x->base;
    buf_printf(&answer, "HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: %zu\r\n",
               exchange->body_len);
    for (uint32_t i = 0; i < exchange->fields.n; i++)
        buf_printf(&answer, "%s: %s\r\n", exchange->fields.items[i].name, exchange->fields.items[i].value);
    buf_puts(&answer, "\r\n");
    if (exchange->body)
        buf_append(&answer, exchange->body, exchange->body_len);
    if (!answer.failed && !x->tls)
        send(exchange->socket, answer.data, answer.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    buf_finish(&answer);
    return MHD_NO;
}

static struct MHD_Response *make_whole(struct net_exchange *exchange)
{
    static const char nothing[] = "";
    char *body = exchange->body ? exchange->body : mem_strdup(nothing);
    exchange->body = NULL;
    struct MHD_Response *response =
        body ? MHD_create_response_from_buffer_with_free_callback(exchange->body_len, body, mem_free) : NULL;
    if (!response)
        mem_free(body);
    return response;
}

static bool add_fields(struct MHD_Response *response, const struct net_exchange *exchange)
{
    bool closes = exchange->closes || atomic_load(&exchange->server->draining);
    bool fine = !exchange->fields.failed;
    for (uint32_t i = 0; i < exchange->fields.n; i++)
        fine = fine && MHD_add_response_header(response, exchange->fields.items[i].name,
                                               exchange->fields.items[i].value) == MHD_YES;
    if (closes)
        fine = fine && MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close") == MHD_YES;
    return fine;
}

enum MHD_Result h1_queue(struct h1_exchange *x)
{
    struct net_exchange *exchange = &x->base;
    size_t len = exchange->body_len;
    if (x->malformed.status == STATUS_HEAD_TOO_LARGE)
        return send_past_library(x);
    struct MHD_Response *response = x->stream ? h1_stream_response(x) : make_whole(exchange);
    if (!response || !add_fields(response, exchange)) {
        if (response)
            MHD_destroy_response(response);
        return MHD_queue_response(x->connection, MHD_HTTP_INTERNAL_SERVER_ERROR, x->h1->spare);
    }
    h1_connection_expect(&x->h1->connections, x->timer, len);
    enum MHD_Result queued = MHD_queue_response(x->connection, exchange->code, response);
    MHD_destroy_response(response);
    return queued;
}
