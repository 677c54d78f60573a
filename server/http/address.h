/* Where a connection comes from. Private to the room. */
#ifndef BERTD_HTTP_ADDRESS_H
#define BERTD_HTTP_ADDRESS_H

#include <microhttpd.h>
#include <stddef.h>

/* "[", the longest address, "]:65535". */
enum { HTTP_ADDRESS_SIZE = 64 };

/** The client's address [ret_len], whatever its port; the bytes are the connection's. NULL: not known. */
const void *http_address_bytes(struct MHD_Connection *connection, size_t *ret_len);
/** "127.0.0.1:41234", "[::1]:41234"; "": not known. */
void http_address_write(struct MHD_Connection *connection, char ret[HTTP_ADDRESS_SIZE]);

#endif
