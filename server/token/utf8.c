#include "server/token/utf8.h"

#include <string.h>

#include <utf8proc.h>

size_t token_utf8_valid(const uint8_t *text, size_t len)
{
    size_t at = 0;
    while (at < len) {
        uint64_t eight;
        while (len - at >= sizeof eight && (memcpy(&eight, text + at, sizeof eight), !(eight & 0x8080808080808080U)))
            at += sizeof eight;
        if (at == len)
            break;
        utf8proc_int32_t cp;
        utf8proc_ssize_t n = utf8proc_iterate(text + at, (utf8proc_ssize_t)(len - at), &cp);
        if (n <= 0)
            break;
        at += (size_t)n;
    }
    return at;
}
