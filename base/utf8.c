#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

#include <utf8proc.h>

size_t utf8_valid(const char *text, size_t len)
{
    size_t at = 0;
    while (at < len) {
        uint64_t eight;
        while (len - at >= sizeof eight && (memcpy(&eight, text + at, sizeof eight), !(eight & 0x8080808080808080u)))
            at += sizeof eight;
        if (at == len)
            break;
        utf8proc_int32_t cp;
        utf8proc_ssize_t n = utf8proc_iterate((const uint8_t *)text + at, (utf8proc_ssize_t)(len - at), &cp);
        if (n <= 0)
            break;
        at += (size_t)n;
    }
    return at;
}

size_t utf8_count(const char *text, size_t len)
{
    size_t count = 0;
    for (size_t i = 0; i < len; i++)
        count += ((unsigned char)text[i] & 0xC0) != 0x80;
    return count;
}
