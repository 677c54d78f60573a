/* The rules of HTTP/1.1 (RFC 9110, 9112) as rows: bytes, the answers to them, and what becomes of the connection. */
#ifndef TESTS_HTTP_FRAMING_H
#define TESTS_HTTP_FRAMING_H

#include <stdbool.h>
#include <stddef.h>

/* What a row needs: any libmicrohttpd; 1.0 or later; the build with the corrections of deploy/libmicrohttpd.sed. */
enum framing_library { ANY, NEWER, OURS };

struct framing_row {
    const char *name;
    const char *bytes; /* may have NULs; what the filling goes in front of is `tail` */
    size_t len;
    const char *fill; /* repeated `times`, after `bytes`; NULL: none */
    size_t times;
    const char *tail;
    int codes[4]; /* of the answers, in order; 0 ends */
    bool closed;  /* after them the connection is closed; else it takes another request */
    enum framing_library needs;
    bool head; /* the first request's method is HEAD */
};

extern const struct framing_row framing_rows[];
extern const size_t framing_n_rows;

/** New: all bytes of a row; free. */
char *framing_bytes(const struct framing_row *row, size_t *ret_len);

#endif
