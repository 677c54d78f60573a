#include "base/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

void buf_finish(struct buf *buf)
{
    mem_free(buf->data);
    *buf = (struct buf){0};
}

char *buf_reserve(struct buf *buf, size_t extra)
{
    if (buf->failed)
        return NULL;
    if (extra > buf->capacity - buf->len) {
        size_t capacity = buf->capacity < 256 ? 256 : buf->capacity;
        while (capacity < SIZE_MAX / 2 && capacity - buf->len < extra)
            capacity *= 2;
        char *data = capacity - buf->len < extra ? NULL : mem_realloc(buf->data, capacity);
        if (!data) {
            buf->failed = true;
            return NULL;
        }
        buf->data = data;
        buf->capacity = capacity;
    }
    return buf->data + buf->len;
}

void buf_append(struct buf *buf, const void *bytes, size_t len)
{
    char *to = len > 0 ? buf_reserve(buf, len) : NULL;
    if (!to)
        return;
    memcpy(to, bytes, len);
    buf->len += len;
}

void buf_puts(struct buf *buf, const char *text)
{
    buf_append(buf, text, strlen(text));
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    char *to = n < 0 ? NULL : buf_reserve(buf, (size_t)n + 1);
    if (to) {
        vsnprintf(to, (size_t)n + 1, format, again);
        buf->len += (size_t)n;
    }
    va_end(again);
    va_end(args);
}

char *buf_take(struct buf *buf, size_t *ret_len)
{
    if (buf->failed) {
        buf_finish(buf);
        return NULL;
    }
    char *data = buf->data ? buf->data : mem_alloc(1);
    if (data)
        *ret_len = buf->len;
    *buf = (struct buf){0};
    return data;
}
