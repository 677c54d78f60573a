/* The rules of HTTP/1.1 (RFC 9110, 9112) that libmicrohttpd leaves to its user. Where two readers of one request could
 * see its end in two places, it is refused and its connection closed: a proxy may be one of them. Private to the room.
 */
#ifndef BERTD_HTTP_FRAMING_H
#define BERTD_HTTP_FRAMING_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

/* A connection's memory holds a request's head, then the piece of a body being read, then the head of the answer. */
enum { HTTP_CONNECTION_MEMORY = 65536, HTTP_HEAD_LIMIT = 16384 };

/* The length of a body that comes in chunks. */
#define HTTP_LENGTH_UNKNOWN UINT64_MAX

/** What the whole head says of the framing. After an error the connection must be closed.
 *  ret_length  bytes of the body, 0: none; HTTP_LENGTH_UNKNOWN
 *  Errors: MALFORMED; HEAD_TOO_LARGE (more than HTTP_HEAD_LIMIT bytes, or too many fields) */
enum status http_framing_check(struct MHD_Connection *connection, const char *version, uint64_t *ret_length,
                               struct error *err);
/** The path in a request's target, absolute or not: "http://a/embed" is "/embed". NULL where the absolute one has no
 *  valid host. Borrowed or static. */
const char *http_framing_path(const char *target);
/** Decode %HH in place, for the library. What has a %00 is left as it is: no path has one. Returns the length. */
size_t http_framing_unescape(void *cls, struct MHD_Connection *connection, char *text);
/** True for application/json and application/<anything>+json, whatever parameters follow. NULL is not. */
bool http_framing_is_json(const char *type);

#endif
