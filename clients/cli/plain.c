#include "clients/cli/plain.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Bytes of the character at `text`; 0: it is none of UTF-8. What is behind `text` ends with NUL, which goes on no
 * character. */
static size_t character(const unsigned char *text, uint32_t *ret_code)
{
    static const uint32_t least[] = {[1] = 0, [2] = 0x80, [3] = 0x800, [4] = 0x10000};
    size_t length = text[0] < 0x80 ? 1 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;
    uint32_t code = length == 1 ? text[0] : text[0] & (0xffu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (text[i] & 0x3f);
    }
    if ((text[0] >= 0x80 && text[0] < 0xc2) || text[0] >= 0xf5 || code < least[length] || code > 0x10ffff ||
        code >> 11 == 0x1b)
        return 0;
    *ret_code = code;
    return length;
}

static void clean(char *text, bool one_line)
{
    while (*text) {
        uint32_t code = 0;
        size_t length = character((const unsigned char *)text, &code);
        bool rules = one_line && (code < 0x20 || (code >= 0x7f && code < 0xa0));
        for (size_t i = 0; rules && i < length; i++)
            text[i] = '?';
        if (length == 0)
            *text = '?';
        text += length > 0 ? length : 1;
    }
}

void cli_plain(char *text)
{
    clean(text, true);
}

void cli_plain_utf8(char *text)
{
    clean(text, false);
}

void cli_plain_print(const char *text, size_t length)
{
    if (!isatty(STDOUT_FILENO)) {
        fwrite(text, 1, length, stdout);
        return;
    }
    char *copy = strndup(text, length);
    if (copy) {
        cli_plain(copy);
        fputs(copy, stdout);
    }
    free(copy);
}

json_t *cli_plain_json(const char *text)
{
    char *copy = strdup(text);
    if (copy)
        cli_plain_utf8(copy);
    json_t *made = copy ? json_string(copy) : NULL;
    free(copy);
    return made;
}
