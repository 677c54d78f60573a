#include "base/base64.h"

#include <stdint.h>
#include <string.h>

void base64_encode(struct buf *out, const void *bytes, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *from = bytes;
    char *to = len > 0 ? buf_reserve(out, (len + 2) / 3 * 4) : NULL;
    if (!to)
        return;
    for (size_t i = 0; i < len; i += 3) {
        uint32_t group = (uint32_t)from[i] << 16 | (uint32_t)(i + 1 < len ? from[i + 1] : 0) << 8 |
                         (uint32_t)(i + 2 < len ? from[i + 2] : 0);
        *to++ = digits[group >> 18];
        *to++ = digits[group >> 12 & 63];
        *to++ = digits[group >> 6 & 63];
        *to++ = digits[group & 63];
    }
    if (len % 3)
        memset(to - (3 - len % 3), '=', 3 - len % 3);
    out->len += (len + 2) / 3 * 4;
}

static int digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

bool base64_decode(const char *text, size_t len, void *to, size_t *ret_len)
{
    uint8_t *at = to;
    uint32_t group = 0;
    if (len % 4 == 0)
        for (int i = 0; i < 2 && len > 0 && text[len - 1] == '='; i++)
            len--;
    if (len % 4 == 1)
        return false;
    for (size_t i = 0; i < len; i++) {
        int value = digit(text[i]);
        if (value < 0)
            return false;
        group = group << 6 | (uint32_t)value;
        if (i % 4 > 0)
            *at++ = (uint8_t)(group >> (6 - 2 * (i % 4)));
    }
    *ret_len = (size_t)(at - (uint8_t *)to);
    return true;
}
