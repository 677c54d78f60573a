/* Whether bytes are UTF-8. Room-private. */
#ifndef BERTD_TOKEN_UTF8_H
#define BERTD_TOKEN_UTF8_H

#include <stddef.h>
#include <stdint.h>

/** The position of the first byte of `text` that does not begin a whole, valid character; `len` where all do. */
size_t token_utf8_valid(const uint8_t *text, size_t len);

#endif
