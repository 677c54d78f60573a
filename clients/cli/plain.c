#include "clients/cli/plain.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utf8proc.h>

static void clean(char *text, bool one_line)
{
    while (*text) {
        utf8proc_int32_t code;
        utf8proc_ssize_t length = utf8proc_iterate((const utf8proc_uint8_t *)text, -1, &code);
        bool rules = one_line && (code < 0x20 || (code >= 0x7f && code < 0xa0));
        if (length <= 0)
            *text++ = '?';
        for (; length > 0; length--, text++)
            if (rules)
                *text = '?';
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
