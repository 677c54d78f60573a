/* The rules of HTTP/1.1 (RFC 9110, 9112) that libmicrohttpd leaves to its user. Where two readers of one request could
 * see its end in two places, it is refused and its connection closed: a proxy may be one of them. Private to the room.
 */
#ifndef BERTD_NET_H1_FRAMING_H
#define BERTD_NET_H1_FRAMING_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "server/net/net.h"

/* A connection's memory holds a request's head, then the piece of a body being read, then the head of the answer. */
enum { H1_CONNECTION_MEMORY = 65536, H1_HEAD_LIMIT = 16384 };

/** What the whole head says of the framing. After an error the connection must be closed.
 *  ret_length  bytes of the body, 0: none; NET_LENGTH_UNKNOWN
 *  Errors: MALFORMED; HEAD_TOO_LARGE (more than H1_HEAD_LIMIT bytes, or too many fields) */
enum status h1_framing_check(struct MHD_Connection *connection, const char *version, uint64_t *ret_length,
                             struct error *err);
/** The path in a request's target, absolute or not: "http://a/embed" is "/embed". NULL where the absolute one has no
 *  valid host. Borrowed or static. */
const char *h1_framing_path(const char *target);
/** Decode %HH in place, for the library. What has a %00 is left as it is: no path has one. Returns the length. */
size_t h1_framing_unescape(void *cls, struct MHD_Connection *connection, char *text);
#endif
