/* A server that stands in for others, at a free port of loopback, a thread a connection: it answers what a function
 * says, and breaks in the ways that networks and servers break. */
#ifndef TESTS_CLIENTS_STAND_H
#define TESTS_CLIENTS_STAND_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum stand_fault {
    STAND_WELL,
    STAND_DROP,         /* the connection is closed in place of an answer */
    STAND_RESET,        /* the same by a reset */
    STAND_HALF_HEAD,    /* closed in the middle of the head */
    STAND_HALF_BODY,    /* closed in the middle of the body */
    STAND_LONG_LENGTH,  /* Content-Length claims one byte more than there is, then it is closed */
    STAND_SHORT_LENGTH, /* Content-Length claims one byte less */
    STAND_HUGE_LENGTH,  /* Content-Length claims 2 GB */
    STAND_SLOW,         /* a byte each 100 ms */
    STAND_SILENT,       /* nothing at all */
    STAND_GARBAGE       /* no HTTP */
};

struct stand_request {
    char method[8];
    char path[512];
    const char *head; /* ends with NUL */
    const char *body; /* [len] */
    size_t len;
    unsigned number; /* of requests, from 0 */
};

struct stand_reply {
    int status; /* 0: 200 */
    const char *type;
    char headers[256]; /* further ones, each with CRLF */
    char *body;        /* [len], freed with free */
    size_t len;
    enum stand_fault fault;
};

typedef void stand_handler(void *cookie, const struct stand_request *request, struct stand_reply *reply);

enum { STAND_CONNECTIONS = 512 };

struct papers;

struct stand {
    stand_handler *handler;
    void *cookie;
    struct stand_tls *tls;
    char address[128];
    char socket[96]; /* path of a Unix socket, or "" */
    int fd;
    pthread_t thread;
    pthread_mutex_t lock;
    struct stand_connection {
        struct stand *stand;
        pthread_t thread;
        int fd;
    } connections[STAND_CONNECTIONS];
    int n_connections;
    atomic_uint requests;
    atomic_bool stopped;
};

struct stand_options {
    stand_handler *handler;
    void *cookie;
    const char *socket;          /* listens there in place of a port */
    const struct papers *papers; /* speaks TLS */
    bool asks_for_certificate;
};

void stand_start(struct stand *stand, const struct stand_options *options);
void stand_stop(struct stand *stand);

/** Set the body of a reply: a copy of text. */
void stand_say(struct stand_reply *reply, int status, const char *type, const char *body);

#endif
