/* Bytes to a server and what comes back, byte by byte: for requests that no client library would send. */
#ifndef TESTS_HTTP_RAW_H
#define TESTS_HTTP_RAW_H

#include <stdbool.h>
#include <stddef.h>

enum { RAW_CLOSED = -1, RAW_SILENT = -2, RAW_GARBLED = -3 };

struct raw_answer {
    int code;         /* RAW_CLOSED: the connection ended instead; RAW_SILENT; RAW_GARBLED: no response of HTTP/1.1 */
    bool json;        /* its Content-Type */
    char head[4096];  /* NUL-terminated */
    char body[65536]; /* cut, NUL-terminated */
};

/** Send all of it; an end of the connection meanwhile is left to raw_read. */
void raw_send(int fd, const char *bytes, size_t len);
/** Read one response and nothing of the next; without a body after a request with HEAD. Waits this long for each
 *  byte. */
void raw_read(int fd, struct raw_answer *ret, bool head_only, int milliseconds);
/** True when the body is {"error": words, "error_type": word} and the type says JSON. */
bool raw_is_error(const struct raw_answer *answer);

#endif
