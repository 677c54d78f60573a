/* What a request is called in the log and in the header x-request-id. Private to the room. */
#ifndef BERTD_HTTP_REQUEST_ID_H
#define BERTD_HTTP_REQUEST_ID_H

/* With the NUL. */
enum { HTTP_ID_SIZE = 129 };

/** What the client gave, where that is 1 to 128 visible ASCII characters; else a random one of 32 hexadecimal digits.
 */
void http_request_id(char ret[HTTP_ID_SIZE], const char *given);

#endif
