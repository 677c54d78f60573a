/* What the answers of every protocol tell, in one form. */
#ifndef TESTS_RPC_TOLD_H
#define TESTS_RPC_TOLD_H

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

/** What has come in. */
struct incoming {
    long http; /* 0: no answer */
    struct buf head, trailers, body;
    bool head_over;
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

/** What that is, which is taken. Fails the test where the answer breaks its protocol's rules. */
struct told tell(const struct way *way, struct incoming *in);
void told_free(struct told *told);

#endif
