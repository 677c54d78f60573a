#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "server/net/address.h"
#include "server/net/cors.h"
#include "server/net/server.h"

/* The first that takes it. It is set before it is asked: so that it finds its cookie. */
static void find_handler(struct net_exchange *exchange)
{
    const struct net_options *options = &exchange->server->options;
    for (uint32_t i = 0; i < options->n_handlers; i++) {
        exchange->handler = &options->handlers[i];
        if (!exchange->handler->takes || exchange->handler->takes(exchange))
            return;
    }
}

bool net_exchange_begin(struct net_exchange *exchange, struct net_server *server)
{
    exchange->server = server;
    find_handler(exchange);
    if (exchange->handler->state_size > 0 && !(exchange->state = mem_calloc(1, exchange->handler->state_size)))
        return false;
    atomic_fetch_add(&server->active, 1);
    net_cors_check(exchange);
    exchange->handler->on_head(exchange);
    return true;
}

void net_exchange_end(struct net_exchange *exchange)
{
    struct net_server *server = exchange->server;
    exchange->handler->on_over(exchange);
    mem_free(exchange->state);
    mem_free(exchange->body);
    net_fields_finish(&exchange->fields);
    net_fields_finish(&exchange->trailers);
    atomic_fetch_sub(&server->active, 1);
}

/* The request. */

const char *net_exchange_method(const struct net_exchange *exchange)
{
    return exchange->method;
}

const char *net_exchange_path(const struct net_exchange *exchange)
{
    return exchange->path;
}

const char *net_exchange_query(const struct net_exchange *exchange)
{
    return exchange->query;
}

const char *net_exchange_header(const struct net_exchange *exchange, const char *name)
{
    return exchange->ops->header(exchange, name);
}

void net_exchange_each_header(const struct net_exchange *exchange,
                              void (*visit)(void *cookie, const char *name, const char *value), void *cookie)
{
    exchange->ops->each_header(exchange, visit, cookie);
}

unsigned net_exchange_version(const struct net_exchange *exchange)
{
    return exchange->version;
}

enum net_side net_exchange_side(const struct net_exchange *exchange)
{
    return exchange->side;
}

uint64_t net_exchange_length(const struct net_exchange *exchange)
{
    return exchange->length;
}

const struct error *net_exchange_error(const struct net_exchange *exchange)
{
    return exchange->error;
}

int net_exchange_socket(const struct net_exchange *exchange)
{
    return exchange->socket;
}

const void *net_exchange_address(const struct net_exchange *exchange, size_t *ret_len)
{
    return net_address_bytes(exchange->address, ret_len);
}

void net_exchange_address_text(const struct net_exchange *exchange, char ret[NET_ADDRESS_SIZE])
{
    const struct sockaddr *address = exchange->address;
    char text[INET6_ADDRSTRLEN];
    size_t len = 0;
    const void *bytes = net_exchange_address(exchange, &len);
    if (!bytes || !inet_ntop(address->sa_family, bytes, text, sizeof text))
        snprintf(ret, NET_ADDRESS_SIZE, "unix");
    else if (address->sa_family == AF_INET)
        snprintf(ret, NET_ADDRESS_SIZE, "%s:%u", text, ntohs(((const struct sockaddr_in *)address)->sin_port));
    else
        snprintf(ret, NET_ADDRESS_SIZE, "[%s]:%u", text, ntohs(((const struct sockaddr_in6 *)address)->sin6_port));
}

void *net_exchange_state(struct net_exchange *exchange)
{
    return exchange->state;
}

void *net_exchange_cookie(const struct net_exchange *exchange)
{
    return exchange->handler->cookie;
}

void net_exchange_hold(struct net_exchange *exchange)
{
    exchange->hold = exchange->ops->consume != NULL;
}

void net_consume(struct net_exchange *exchange, size_t bytes)
{
    if (exchange->hold)
        exchange->ops->consume(exchange, bytes);
}

void net_wake(struct net_exchange *exchange)
{
    exchange->ops->wake(exchange);
}

/* The answer. */

void net_add(struct net_exchange *exchange, const char *name, const char *value)
{
    net_fields_add(&exchange->fields, name, value);
}

void net_add_number(struct net_exchange *exchange, const char *name, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    net_fields_add(&exchange->fields, name, text);
}

void net_add_trailer(struct net_exchange *exchange, const char *name, const char *value)
{
    net_fields_add(&exchange->trailers, name, value);
}

void net_close_after(struct net_exchange *exchange)
{
    exchange->closes = true;
}

static void begin(struct net_exchange *exchange, unsigned code)
{
    exchange->code = code;
    net_cors_add(exchange);
}

void net_respond(struct net_exchange *exchange, unsigned code, char *body, size_t len)
{
    begin(exchange, code);
    exchange->body = body;
    exchange->body_len = body ? len : 0;
    exchange->ops->respond(exchange);
}

void net_respond_spare(struct net_exchange *exchange)
{
    exchange->fields.failed = true;
    net_respond(exchange, 500, NULL, 0);
}

void net_begin(struct net_exchange *exchange, unsigned code)
{
    begin(exchange, code);
    exchange->ops->begin(exchange);
}

bool net_write(struct net_exchange *exchange, const char *bytes, size_t len)
{
    return exchange->ops->write(exchange, bytes, len);
}

void net_finish(struct net_exchange *exchange)
{
    exchange->ops->finish(exchange);
}

void net_abort(struct net_exchange *exchange, uint32_t error)
{
    exchange->ops->abort(exchange, error);
}
