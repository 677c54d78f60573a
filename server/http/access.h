/* From which origins browsers may call. Private to the room. */
#ifndef BERTD_HTTP_ACCESS_H
#define BERTD_HTTP_ACCESS_H

/** What Access-Control-Allow-Origin should say to `origin` (NULL: no such header) given the configured `list` ("*",
 *  or origins with commas between; NULL: none). Borrowed from the arguments or static; NULL: say nothing. */
const char *http_access_origin(const char *list, const char *origin);

#endif
