/* What a request is called in the log and in the header x-request-id. */
#ifndef BERTD_SERVE_REQUEST_ID_H
#define BERTD_SERVE_REQUEST_ID_H

/* With the NUL. */
enum { SERVE_ID_SIZE = 129 };

/** What the client gave, where that is 1 to 128 visible ASCII characters; else a random one of 32 hexadecimal digits.
 */
void serve_request_id(char ret[SERVE_ID_SIZE], const char *given);

#endif
