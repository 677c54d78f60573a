/* Base64 (RFC 4648). */
#ifndef BERTD_BASE_BASE64_H
#define BERTD_BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/** Append `bytes` [len] in the standard alphabet, with padding. */
void base64_encode(struct buf *out, const void *bytes, size_t len);
/** Either alphabet (+/ or -_), with padding or without; nothing else in between.
 *  to       [len / 4 * 3 + 3]; may be the text itself
 *  ret_len  how many bytes there are
 *  False: it is not base64; then `ret_len` is untouched. */
bool base64_decode(const char *text, size_t len, void *to, size_t *ret_len);

#endif
