/* Remote procedure calls in every protocol, over kept connections, and what comes of them in one form. */
#ifndef TESTS_RPC_ASKING_H
#define TESTS_RPC_ASKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "tests/rpc/asking/told.h"

/** A request. */
struct question {
    const char *path;
    const char *message; /* [len], encoded as the way wants it; put into its envelope */
    size_t len;
    bool bare;              /* no envelope: the bytes are the body */
    const char *headers[3]; /* "name: value" */
};

/** A connection that is kept from request to request. */
struct asker;
/** Ask. The asker starts as NULL, end with asker_close. Fails the test where no answer comes. */
struct told ask_by(struct asker **asker, uint16_t port, const struct way *way, const struct question *question);
/** Connections that its last request opened. */
long asker_connects(const struct asker *asker);
void asker_close(struct asker **asker);

/** Another process that asks, whose memory is its own: what this one runs out of, that has. */
struct apart {
    pid_t pid;
    int orders, answers;
};
/** Before there is a server, whose sockets it would keep open. */
struct apart apart_begin(void);
/** Have it ask on a new connection, and wait until an answer has come, or has not. Way and question, and what they
 * point to, are static. */
void apart_ask(struct apart *apart, uint16_t port, const struct way *way, const struct question *question);
/** What came. False: no answer, the connection had ended or the stream was reset. told_free in any case. */
bool apart_take(struct apart *apart, const struct way *way, struct told *ret);
void apart_end(struct apart *apart);

/** A request that runs until it is given up. Drive it by asking_drive. */
struct asking;
struct asking *asking_begin(uint16_t port, const struct way *way, const struct question *question);
/** Send and receive for a moment. */
void asking_drive(struct asking *asking);
/** The client goes: HTTP/2 resets the stream, HTTP/1.1 closes the connection. */
void asking_give_up(struct asking *asking);

#endif
