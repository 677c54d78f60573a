#include "base/base64.h"

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

void base64_encode_bare(struct buf *out, const void *bytes, size_t len)
{
    base64_encode(out, bytes, len);
    if (!out->failed)
        out->len -= (3 - len % 3) % 3;
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

/* The group is whole: `n` characters of it are not '='. */
static bool flush(struct base64_decoder *decoder, struct buf *out, unsigned n)
{
    if (n == 1)
        return false;
    uint32_t bits = decoder->bits << (6 * (4 - n));
    const unsigned char bytes[] = {(unsigned char)(bits >> 16), (unsigned char)(bits >> 8), (unsigned char)bits};
    if (n > 0)
        buf_append(out, bytes, n - 1);
    *decoder = (struct base64_decoder){0};
    return true;
}

bool base64_decode_piece(struct base64_decoder *decoder, struct buf *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        int value = digit(text[i]);
        if (text[i] == '=' && decoder->n >= 2) {
            decoder->pads++;
        } else if (value < 0 || decoder->pads > 0) {
            return false;
        } else {
            decoder->bits = decoder->bits << 6 | (uint32_t)value;
        }
        decoder->n++;
        if (decoder->n == 4 && !flush(decoder, out, 4 - decoder->pads))
            return false;
    }
    return true;
}

bool base64_decode_end(struct base64_decoder *decoder, struct buf *out)
{
    return decoder->pads == 0 && (decoder->n == 0 || flush(decoder, out, decoder->n));
}
