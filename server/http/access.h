/* Who may call: the API key. Private to the room. */
#ifndef BERTD_HTTP_ACCESS_H
#define BERTD_HTTP_ACCESS_H

#include <stdbool.h>

/** True when `authorization` (NULL: no such header) is "Bearer " (in any case) and `key`, or `key` is NULL. Takes the
 * same time wherever they differ. */
bool http_access_key(const char *key, const char *authorization);
#endif
