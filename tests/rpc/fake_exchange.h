/* An exchange without a connection: the test is the client and the event thread. It defines the functions of
 * server/net/net.h that server/rpc calls, so one file of a program may include it. */
#ifndef TESTS_RPC_FAKE_EXCHANGE_H
#define TESTS_RPC_FAKE_EXCHANGE_H

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/mem.h"
#include "server/net/net.h"
#include "server/rpc/rpc.h"

enum { FAKE_FIELDS = 64 };

struct fake_field {
    char *name;
    char *value;
};

struct net_exchange {
    /* The request, set before fake_begin: */
    const char *method;
    const char *path;
    const char *query;
    const char *headers[FAKE_FIELDS][2];
    unsigned version;
    uint64_t length;
    enum net_side side;
    /* The answer: */
    unsigned code;
    struct fake_field fields[FAKE_FIELDS];
    int n_fields;
    struct fake_field trailers[FAKE_FIELDS];
    int n_trailers;
    struct buf body;
    bool begun;
    bool given;
    bool slow; /* net_write returns false */
    bool hold;
    size_t consumed;
    /* Its own: */
    struct net_handler handler;
    void *state;
    atomic_int wakes;
};

static inline void fake_require(bool condition)
{
    if (!condition)
        abort();
}

/* The functions of net.h ------------------------------------------------------------------------------------------ */

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
    for (int i = 0; i < FAKE_FIELDS && exchange->headers[i][0]; i++)
        if (strcasecmp(exchange->headers[i][0], name) == 0)
            return exchange->headers[i][1];
    return NULL;
}

unsigned net_exchange_version(const struct net_exchange *exchange)
{
    return exchange->version ? exchange->version : 20;
}

uint64_t net_exchange_length(const struct net_exchange *exchange)
{
    return exchange->length ? exchange->length : NET_LENGTH_UNKNOWN;
}

enum net_side net_exchange_side(const struct net_exchange *exchange)
{
    return exchange->side;
}

const struct error *net_exchange_error(const struct net_exchange *exchange)
{
    (void)exchange;
    return NULL;
}

int net_exchange_socket(const struct net_exchange *exchange)
{
    (void)exchange;
    return -1;
}

const void *net_exchange_address(const struct net_exchange *exchange, size_t *ret_len)
{
    (void)exchange;
    *ret_len = 4;
    return "\x7f\0\0\1";
}

void net_exchange_address_text(const struct net_exchange *exchange, char ret[NET_ADDRESS_SIZE])
{
    (void)exchange;
    strcpy(ret, "127.0.0.1:1");
}

void *net_exchange_state(struct net_exchange *exchange)
{
    return exchange->state;
}

void *net_exchange_cookie(const struct net_exchange *exchange)
{
    return exchange->handler.cookie;
}

void net_exchange_hold(struct net_exchange *exchange)
{
    exchange->hold = true;
}

void net_consume(struct net_exchange *exchange, size_t bytes)
{
    exchange->consumed += bytes;
}

void net_wake(struct net_exchange *exchange)
{
    fake_require(!exchange->given);
    atomic_fetch_add(&exchange->wakes, 1);
}

static inline void fake_add(struct fake_field *fields, int *n, const char *name, const char *value)
{
    fake_require(*n < FAKE_FIELDS);
    fields[*n].name = strdup(name);
    fields[(*n)++].value = strdup(value);
}

void net_add(struct net_exchange *exchange, const char *name, const char *value)
{
    fake_require(!exchange->begun && !exchange->given);
    fake_add(exchange->fields, &exchange->n_fields, name, value);
}

void net_add_number(struct net_exchange *exchange, const char *name, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    net_add(exchange, name, text);
}

void net_add_trailer(struct net_exchange *exchange, const char *name, const char *value)
{
    fake_require(!exchange->given);
    fake_add(exchange->trailers, &exchange->n_trailers, name, value);
}

void net_close_after(struct net_exchange *exchange)
{
    (void)exchange;
}

void net_respond(struct net_exchange *exchange, unsigned code, char *body, size_t len)
{
    fake_require(!exchange->begun && !exchange->given);
    exchange->given = true;
    exchange->code = code;
    if (body)
        buf_append(&exchange->body, body, len);
    mem_free(body);
}

void net_respond_spare(struct net_exchange *exchange)
{
    net_respond(exchange, 500, NULL, 0);
}

void net_begin(struct net_exchange *exchange, unsigned code)
{
    fake_require(!exchange->begun && !exchange->given);
    exchange->begun = true;
    exchange->code = code;
}

bool net_write(struct net_exchange *exchange, const char *bytes, size_t len)
{
    fake_require(exchange->begun && !exchange->given);
    buf_append(&exchange->body, bytes, len);
    return !exchange->slow;
}

void net_finish(struct net_exchange *exchange)
{
    fake_require(exchange->begun && !exchange->given);
    exchange->given = true;
}

void net_abort(struct net_exchange *exchange, uint32_t error)
{
    (void)error;
    fake_require(!exchange->given);
    exchange->given = true;
}

/* The client ------------------------------------------------------------------------------------------------------ */

/** The head is there. What the exchange was before must have been closed. */
static inline void fake_begin(struct net_exchange *exchange, struct rpc_server *server)
{
    if (!exchange->method)
        exchange->method = "POST";
    rpc_server_handler(server, &exchange->handler);
    exchange->state = calloc(1, exchange->handler.state_size);
    fake_require(exchange->state);
    exchange->handler.on_head(exchange);
}

static inline void fake_body(struct net_exchange *exchange, const char *bytes, size_t len)
{
    char *copy = malloc(len + 1); /* as short as it is borrowed */
    fake_require(copy);
    if (len > 0)
        memcpy(copy, bytes, len);
    if (!exchange->given)
        exchange->handler.on_body(exchange, copy, len);
    free(copy);
}

static inline void fake_end(struct net_exchange *exchange)
{
    if (!exchange->given)
        exchange->handler.on_end(exchange);
}

/** What the event thread does when it has nothing else to do. */
static inline void fake_poll(struct net_exchange *exchange)
{
    if (atomic_exchange(&exchange->wakes, 0) > 0 && !exchange->given)
        exchange->handler.on_wake(exchange);
}

static inline void fake_writable(struct net_exchange *exchange)
{
    exchange->slow = false;
    if (!exchange->given)
        exchange->handler.on_writable(exchange);
}

static inline void fake_gone(struct net_exchange *exchange)
{
    if (!exchange->given)
        exchange->handler.on_gone(exchange);
}

/** The value of a field of the answer; NULL: none. */
static inline const char *fake_find(const struct fake_field *fields, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(fields[i].name, name) == 0)
            return fields[i].value;
    return NULL;
}

/** It is over: the answer must have been given. */
static inline void fake_close(struct net_exchange *exchange)
{
    fake_require(exchange->given);
    exchange->handler.on_over(exchange);
    free(exchange->state);
    for (int i = 0; i < exchange->n_fields; i++) {
        free(exchange->fields[i].name);
        free(exchange->fields[i].value);
    }
    for (int i = 0; i < exchange->n_trailers; i++) {
        free(exchange->trailers[i].name);
        free(exchange->trailers[i].value);
    }
    buf_finish(&exchange->body);
    memset(exchange, 0, sizeof *exchange);
}

#endif
