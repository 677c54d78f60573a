/* A client of HTTP/2 by nghttp2, over a plain socket or TLS. Waits fail the test after a quarter of a minute. */
#ifndef TESTS_NET_CLIENT_H
#define TESTS_NET_CLIENT_H

#include <gnutls/gnutls.h>
#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/** A request and what came of it. */
struct reply {
    struct reply *next;
    int32_t id;
    int status; /* 0: none yet */
    bool has_continue;
    struct buf body;
    char fields[1024]; /* "name: value\n" of the answer */
    char end[1024];    /* of its trailers */
    bool closed;
    uint32_t error; /* with which it was closed */
    /* The request's body: */
    const char *upload;
    size_t upload_len;
    bool upload_open; /* more may come */
    size_t uploaded;
};

struct client {
    int fd;
    gnutls_session_t tls; /* NULL: plain */
    gnutls_certificate_credentials_t credentials;
    nghttp2_session *session;
    struct reply *replies;
    unsigned goaways;
    int32_t last_stream; /* of the last GOAWAY */
    uint32_t goaway_error;
    unsigned pings; /* answers to ours */
    bool settings;  /* theirs have come */
    bool ended;     /* the connection has */
    bool holds;     /* what comes in is not consumed: no window is opened */
};

/** Connect in plain. */
struct client *client_open(uint16_t port);
/** Connect in TLS. `cert`, `key`: of the client, NULL: none. NULL is returned where the handshake fails. */
struct client *client_open_tls(uint16_t port, const char *alpn, const char *cert, const char *key);
void client_close(struct client *client);

/** Send a request. `body` NULL: none. Borrowed until the request is sent. */
struct reply *client_ask(struct client *client, const char *method, const char *path, const char *body, size_t len);
/** The same with one more field. */
struct reply *client_ask_with(struct client *client, const char *method, const char *path, const char *name,
                              const char *value, const char *body, size_t len);
/** The same with `n` fields more: name, value, name, value. */
struct reply *client_ask_fields(struct client *client, const char *method, const char *path, const char *const *fields,
                                size_t n, const char *body, size_t len);
/** POST whose body stays open until client_upload says that it ends. */
struct reply *client_open_upload(struct client *client, const char *path);
/** The same with one more field. */
struct reply *client_open_upload_with(struct client *client, const char *path, const char *const field[2]);
/** Send more of it, and wait until that is sent. */
void client_upload(struct client *client, struct reply *reply, const char *bytes, size_t len, bool ends);
/** Send and receive once, waiting for the socket so many milliseconds at most. False: the connection has ended. */
bool client_step(struct client *client, int ms);
/** Step until that reply is closed, or the connection. */
void client_finish(struct client *client, struct reply *reply);
/** Step until the condition holds. */
#define CLIENT_UNTIL(client_, condition_)                                                                              \
    do {                                                                                                               \
        int steps_ = 0;                                                                                                \
        while (!(condition_) && !(client_)->ended) {                                                                   \
            cr_assert(steps_++ < 15000, "waited too long for " #condition_);                                           \
            client_step((client_), 1);                                                                                 \
        }                                                                                                              \
        cr_assert((condition_), #condition_ " when the connection ended");                                             \
    } while (0)

/** A client of its own asks for /echo (place.h) and gets it. */
void client_expect_served(uint16_t port);

/** A plain socket, connected. */
int client_connect(uint16_t port);

#endif
