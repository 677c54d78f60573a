/* Addresses of clients. Private to the room. */
#ifndef BERTD_NET_ADDRESS_H
#define BERTD_NET_ADDRESS_H

#include <stddef.h>
#include <sys/socket.h>

/** The bytes of an IP address, without the port: [*ret_len], borrowed. NULL, and 0: it is none. `address` may be
 *  NULL. Thread: any. */
const void *net_address_bytes(const struct sockaddr *address, size_t *ret_len);

#endif
