/* The first bytes of a connection: what they say of the protocol. Private to the room. */
#ifndef BERTD_NET_HELLO_H
#define BERTD_NET_HELLO_H

#include <stdbool.h>
#include <stddef.h>

enum net_hello {
    NET_HELLO_MORE, /* too few bytes to tell */
    NET_HELLO_H1,
    NET_HELLO_H2,
    NET_HELLO_NEITHER, /* on a listener with TLS: not TLS */
};

/** So many bytes tell, or nothing does; a ClientHello that is longer goes to HTTP/1.1. */
enum { NET_HELLO_MOST = 16384 };

/** `bytes` [len], len <= NET_HELLO_MOST, as they came; on a listener with TLS a ClientHello is looked for, else the
 *  preface of HTTP/2. Thread: any. */
enum net_hello net_hello_read(const unsigned char *bytes, size_t len, bool tls);

#endif
