/* Sockets whose connection is over while the client may still be sending. To close such a socket at once resets the
 * connection, and with it goes the answer that the client has not read yet. Private to the room. */
#ifndef BERTD_HTTP_LINGER_H
#define BERTD_HTTP_LINGER_H

#include <stdint.h>

enum { HTTP_LINGER_MAX = 256 };

struct http_lingering {
    int socket;
    uint64_t until_ns;
};

struct http_linger {
    struct http_lingering items[HTTP_LINGER_MAX];
    unsigned n;
};

/** Keep a copy of `socket` until its client ends too, two seconds at most. Nothing happens where it has ended already,
 *  or where too many are kept. The caller closes its own. */
void http_linger_add(struct http_linger *linger, int socket);
/** Drop what came, and close those that are over. */
void http_linger_sweep(struct http_linger *linger);
/** Close all. */
void http_linger_finish(struct http_linger *linger);

#endif
