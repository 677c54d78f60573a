#include <stdint.h>

#include "server/wire/response.h"

static char *write_three(char *to, uint32_t bits)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (int shift = 18; shift >= 0; shift -= 6)
        *to++ = digits[bits >> shift & 63];
    return to;
}

void wire_write_base64(struct buf *out, const void *bytes, size_t len)
{
    const unsigned char *from = bytes;
    size_t size = (len + 2) / 3 * 4, left = len % 3;
    char *begin = buf_reserve(out, size);
    if (!begin)
        return;
    char *to = begin;
    for (size_t i = 0; i + 3 <= len; i += 3)
        to = write_three(to, (uint32_t)from[i] << 16 | (uint32_t)from[i + 1] << 8 | from[i + 2]);
    if (left > 0) {
        uint32_t second = left > 1 ? from[len - 1] : 0;
        to = write_three(to, (uint32_t)from[len - left] << 16 | second << 8);
        to[-1] = '=';
        if (left == 1)
            to[-2] = '=';
    }
    out->len += size;
}
