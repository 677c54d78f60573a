#include <string.h>

#include "server/wire/json.h"

/* Length of the sequence at `s`, 0 when it is not valid: no overlong forms, surrogates, or beyond U+10FFFF. */
static size_t sequence_length(const unsigned char *s, size_t left)
{
    unsigned char lead = s[0];
    if (lead < 0x80)
        return 1;
    size_t len = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || len > left)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    }
    bool too_low = (lead == 0xE0 && s[1] < 0xA0) || (lead == 0xF0 && s[1] < 0x90);
    bool surrogate = lead == 0xED && s[1] >= 0xA0;
    bool too_high = lead == 0xF4 && s[1] >= 0x90;
    return too_low || surrogate || too_high ? 0 : len;
}

size_t wire_utf8_valid(const char *text, size_t len)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t i = 0;
    while (i < len) {
        uint64_t word;
        if (len - i >= sizeof word) {
            memcpy(&word, s + i, sizeof word);
            if ((word & 0x8080808080808080u) == 0) {
                i += sizeof word;
                continue;
            }
        }
        size_t step = sequence_length(s + i, len - i);
        if (step == 0)
            return i;
        i += step;
    }
    return len;
}

size_t wire_utf8_count(const char *text, size_t len)
{
    size_t count = 0;
    for (size_t i = 0; i < len; i++)
        count += ((unsigned char)text[i] & 0xC0) != 0x80;
    return count;
}
