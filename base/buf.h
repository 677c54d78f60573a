/* A growing byte buffer. Failure sticks: append freely, look at `failed` once at the end. */
#ifndef BERTD_BASE_BUF_H
#define BERTD_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

struct buf {
    char *data; /* owned; not NUL-terminated */
    size_t len;
    size_t capacity;
    bool failed; /* memory ran out; the contents are incomplete */
};

/** Free the contents and clear. A zeroed buf is fine, and is how one starts. */
void buf_finish(struct buf *buf);
/** Room for `extra` more bytes behind `len`: returns where to write them, NULL when memory ran out.
 *  Add what was written to `len` yourself. */
char *buf_reserve(struct buf *buf, size_t extra);
void buf_append(struct buf *buf, const void *bytes, size_t len);
void buf_puts(struct buf *buf, const char *text);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** Hand over the bytes (caller frees with mem_free) and clear the buf; NULL when it failed. */
char *buf_take(struct buf *buf, size_t *ret_len);

#endif
