/* What both carriers of exchanges share: h1*.c (HTTP/1.1) and h2*.c (HTTP/2). Private to the room.
 *
 * A carrier embeds struct net_exchange as the first member of its own struct, calls net_exchange_init with the head,
 * and the handler's callbacks; net.h's functions on exchanges end in its ops.
 */
#ifndef BERTD_NET_CARRIER_H
#define BERTD_NET_CARRIER_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "server/net/net.h"

struct net_field {
    const char *name; /* in lower case */
    const char *value;
};

/** Headers or trailers of an answer. */
struct net_fields {
    struct net_field *items;
    uint32_t n;
    uint32_t capacity;
    bool failed; /* memory was short */
};

void net_fields_add(struct net_fields *fields, const char *name, const char *value);
void net_fields_finish(struct net_fields *fields);

/** How one carrier does what net.h promises; the members have the names of its functions. */
struct net_carrier_ops {
    const char *(*header)(const struct net_exchange *exchange, const char *name);
    void (*each_header)(const struct net_exchange *exchange,
                        void (*visit)(void *cookie, const char *name, const char *value), void *cookie);
    void (*consume)(struct net_exchange *exchange, size_t bytes); /* NULL: nothing is held back */
    void (*wake)(struct net_exchange *exchange);
    void (*respond)(struct net_exchange *exchange); /* code, fields, body are in the exchange */
    void (*begin)(struct net_exchange *exchange);
    bool (*write)(struct net_exchange *exchange, const char *bytes, size_t len);
    void (*finish)(struct net_exchange *exchange);
    void (*abort)(struct net_exchange *exchange, uint32_t error);
};

struct net_exchange {
    const struct net_carrier_ops *ops;
    const struct net_handler *handler;
    struct net_server *server;
    void *state; /* [handler->state_size] */
    const char *method;
    const char *path;
    const char *query;
    unsigned version;
    enum net_side side;
    bool hold;
    bool closes; /* HTTP/1.1: the connection ends with the answer */
    int socket;  /* to be watched; -1 */
    uint64_t length;
    const struct error *error; /* what is wrong with the head; NULL: nothing */
    const struct sockaddr *address;
    const char *allow_origin; /* for CORS; NULL: none */
    /* The answer: */
    unsigned code;
    struct net_fields fields;
    struct net_fields trailers;
    char *body; /* [body_len], by mem_alloc */
    size_t body_len;
};

/** The head is there: ops, method, path, query, version, address, side, length, socket and error are filled in by
 *  the carrier. Finds the handler, makes its state, calls on_head. False: no memory; nothing is left to finish, and the
 *  carrier ends the request by itself. */
bool net_exchange_begin(struct net_exchange *exchange, struct net_server *server);
/** on_over, and free what the exchange holds but not itself. */
void net_exchange_end(struct net_exchange *exchange);

#endif
