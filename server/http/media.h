/* Media types. Private to the room. */
#ifndef BERTD_HTTP_MEDIA_H
#define BERTD_HTTP_MEDIA_H

#include <stdbool.h>

/** True for application/json and application/<anything>+json, whatever parameters follow. NULL is not. */
bool http_media_is_json(const char *type);

#endif
