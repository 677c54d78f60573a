/* Who may call: the API key, and origins of browsers. Private to the room. */
#ifndef BERTD_HTTP_ACCESS_H
#define BERTD_HTTP_ACCESS_H

#include <stdbool.h>

/** True when `authorization` (NULL: no such header) is "Bearer " (in any case) and `key`, or `key` is NULL. Takes the
 * same time wherever they differ. */
bool http_access_key(const char *key, const char *authorization);
/** What Access-Control-Allow-Origin should say to `origin` (NULL: no such header) given the configured `list` ("*",
 *  or origins with commas between; NULL: none). Borrowed from the arguments or static; NULL: say nothing. */
const char *http_access_origin(const char *list, const char *origin);

#endif
