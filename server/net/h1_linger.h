/* Sockets whose connection is over while the client may still be sending. To close such a socket at once resets the
 * connection, and with it goes the answer that the client has not read yet. Private to the room. */
#ifndef BERTD_NET_H1_LINGER_H
#define BERTD_NET_H1_LINGER_H

#include <stdint.h>

enum { H1_LINGER_MAX = 256 };

struct h1_lingering {
    int socket;
    uint64_t until_ns;
};

struct h1_linger {
    struct h1_lingering items[H1_LINGER_MAX];
    unsigned n;
};

/** Keep a copy of `socket` until its client ends too, two seconds at most. Nothing happens where it has ended already,
 *  or where too many are kept. The caller closes its own. */
void h1_linger_add(struct h1_linger *linger, int socket);
/** Drop what came, and close those that are over. */
void h1_linger_sweep(struct h1_linger *linger);
/** Close all. */
void h1_linger_finish(struct h1_linger *linger);

#endif
