/* What stands in headers: media types, numbers. Private to the room. */
#ifndef BERTD_HTTP_MEDIA_H
#define BERTD_HTTP_MEDIA_H

#include <stdbool.h>
#include <stdint.h>

/** True for application/json and application/<anything>+json, whatever parameters follow. NULL is not. */
bool http_media_is_json(const char *type);
/** How much an Accept header (NULL: none) likes a type such as "text/plain": 0 not at all, to 1. The most specific
 * range counts; parameters of types do not. */
double http_media_quality(const char *accept, const char *type);
/** The number that a header's `text` is. False, `ret` untouched: it is not digits only, or more than 18 of them. */
bool http_read_number(const char *text, uint64_t *ret);

#endif
