/* Base64 (RFC 4648). */
#ifndef BERTD_BASE_BASE64_H
#define BERTD_BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/** Append `bytes` [len] in the standard alphabet, with padding. */
void base64_encode(struct buf *out, const void *bytes, size_t len);
/** The same without padding. */
void base64_encode_bare(struct buf *out, const void *bytes, size_t len);
/** Either alphabet (+/ or -_), with padding or without; nothing else in between.
 *  to       [len / 4 * 3 + 3]; may be the text itself
 *  ret_len  how many bytes there are
 *  False: it is not base64; then `ret_len` is untouched. */
bool base64_decode(const char *text, size_t len, void *to, size_t *ret_len);

/** A text being decoded piece by piece. Zeroed: at its beginning. */
struct base64_decoder {
    uint32_t bits; /* of the group so far */
    unsigned n;    /* characters of the group so far */
    unsigned pads; /* '=' among them */
};

/** Append what a further piece of a text decodes to. Both alphabets are known; after '=' another text may follow.
 *  False: it is not base64. */
bool base64_decode_piece(struct base64_decoder *decoder, struct buf *out, const char *text, size_t len);
/** The text is over: append what its last group stands for, which may lack its '='. False: it ends inside a group. */
bool base64_decode_end(struct base64_decoder *decoder, struct buf *out);

#endif
