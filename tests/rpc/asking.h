/* Remote procedure calls in every protocol, over kept connections, and what comes of them in one form. */
#ifndef TESTS_RPC_ASKING_H
#define TESTS_RPC_ASKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum way_form { FORM_UNARY, FORM_CONNECT_STREAM, FORM_GRPC, FORM_WEB };

/** A protocol with a codec. */
struct way {
    const char *type; /* of the content */
    enum way_form form;
    bool json;
    bool text;    /* all of the body is in base64 */
    bool streams; /* speaks of streaming methods alone */
    bool h2;
    const char *timeout; /* the header with the time limit .. */
    const char *soon;    /* .. and a value of it: a hundredth of a second */
    const char *coding;  /* the header with the coding of messages .. */
    const char *codings; /* .. and that of the answer which names those that are known */
};

enum { WAYS = 9 };
extern const struct way ways[WAYS];

/** A request. */
struct question {
    const char *path;
    const char *message; /* [len], encoded as the way wants it; put into its envelope */
    size_t len;
    bool bare;              /* no envelope: the bytes are the body */
    const char *headers[3]; /* "name: value" */
};

/** What the client is told. */
struct told {
    long http;
    unsigned code;     /* 0 to 16; 99: the answer tells none */
    char message[600]; /* "" where there is none */
    char reason[64];   /* of google.rpc.ErrorInfo; "" without one */
    long retry_s;      /* of google.rpc.RetryInfo; 0 without one */
    bool in_trailers;  /* the status came behind the headers: in trailers, or in the body */
    char type[80];     /* of the content */
    struct buf head;   /* the headers, lines that end in "\n"; NUL-terminated */
    struct buf body;   /* decoded from base64; NUL-terminated, which does not count */
};

/** A connection that is kept from request to request. */
struct asker;
/** Ask. The asker starts as NULL, end with asker_close. Fails the test where no answer comes. */
struct told ask_by(struct asker **asker, uint16_t port, const struct way *way, const struct question *question);
void told_free(struct told *told);
/** Connections that its last request opened. */
long asker_connects(const struct asker *asker);
void asker_close(struct asker **asker);

/** A request that runs until it is given up. Drive it by asking_drive. */
struct asking;
struct asking *asking_begin(uint16_t port, const struct way *way, const struct question *question);
/** Send and receive for a moment. */
void asking_drive(struct asking *asking);
/** The client goes: HTTP/2 resets the stream, HTTP/1.1 closes the connection. */
void asking_give_up(struct asking *asking);

#endif
