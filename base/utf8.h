/* UTF-8: whether bytes are, and how many characters. */
#ifndef BERTD_BASE_UTF8_H
#define BERTD_BASE_UTF8_H

#include <stddef.h>

/** The position of the first byte of `text` [len] that does not begin a whole, valid character; `len` where all do.
 *  No overlong forms, surrogates, or beyond U+10FFFF; NUL is a character. Thread: any. */
size_t utf8_valid(const char *text, size_t len);
/** Characters in valid UTF-8. Thread: any. */
size_t utf8_count(const char *text, size_t len);

#endif
