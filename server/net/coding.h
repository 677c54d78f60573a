/* Content codings (RFC 9110, 8.4): gzip, deflate (zlib's format, as the RFC says) and zstd. Threads: any, a decoder one
 * at a time. */
#ifndef BERTD_NET_CODING_H
#define BERTD_NET_CODING_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/status.h"

/* What a body may have been coded with, one after the other. */
enum { NET_MAX_CODINGS = 4 };

/* Their names, for who sends another. */
#define NET_CODINGS "gzip, deflate, zstd"

/** The one of that name, in any case, which net_decoder_create takes; static. NULL: it is none of them. */
const char *net_coding_find(const char *name);

struct net_decoder;

/** Take a piece of what was decoded, at most some KiB. A failure ends the decoding and is passed on. */
typedef enum status net_decoder_sink(void *cookie, const char *bytes, size_t len, struct error *err);

/** For a body whose head says this Content-Encoding, "gzip" or "deflate, gzip".
 *  ret    new; net_decoder_destroy. NULL where the body is as it is: no header (`codings` NULL), or "identity"
 *  limit  bytes that the body may have, decoded, at any stage
 *  Errors: MEDIA_TYPE (unknown, or more than NET_MAX_CODINGS), NO_MEMORY */
enum status net_decoder_create(struct net_decoder **ret, const char *codings, uint64_t limit, struct error *err);
/** Decode the next piece of the body. After an error the decoder takes no more.
 *  Errors: MALFORMED, TOO_LARGE (more than the limit), NO_MEMORY, and those of `sink` */
enum status net_decoder_feed(struct net_decoder *decoder, const char *bytes, size_t len, net_decoder_sink *sink,
                             void *cookie, struct error *err);
/** The body has ended. Errors: MALFORMED where that is in its middle */
enum status net_decoder_end(struct net_decoder *decoder, struct error *err);
/** Bytes of memory that it holds now; up to 9 MiB a zstd, for its window. */
size_t net_decoder_size(const struct net_decoder *decoder);
/** Sets the pointer to NULL; NULL is fine. */
void net_decoder_destroy(struct net_decoder **decoder);

enum net_coding { NET_IDENTITY, NET_GZIP, NET_ZSTD };

/** The coding for an answer to a request with this Accept-Encoding (NULL: none): that of the highest weight; of several
 *  zstd, then gzip. */
enum net_coding net_coding_choose(const char *accept_encoding);
/** "gzip"; static */
const char *net_coding_name(enum net_coding coding);
/** Append `bytes` [len], coded fast rather than small, to `out`, whose `failed` tells when memory ran out. Not for
 *  NET_IDENTITY. */
void net_encode(struct buf *out, enum net_coding coding, const char *bytes, size_t len);

#endif
