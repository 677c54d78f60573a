#include "clients/cli/records.h"

#include <stdlib.h>
#include <string.h>

bool cli_records_end(struct cli_scan *scan, const char *bytes, size_t n, char separator)
{
    if (separator == 0) {
        const char *end = scan->at < n ? memchr(bytes + scan->at, '\n', n - scan->at) : NULL;
        scan->at = end ? (size_t)(end - bytes) + 1 : n;
        return end != NULL;
    }
    while (scan->at < n) {
        char c = bytes[scan->at++];
        if (scan->quoted) {
            scan->quoted = c != '"';
            scan->middle = scan->quoted; /* a second quote opens again */
        } else if (c == '"' && !scan->middle) {
            scan->quoted = true;
        } else if (c == '\n') {
            return true;
        } else {
            scan->middle = c != separator;
        }
    }
    return false;
}

/* The field at `at` without its quotes; returns where the separator behind it is, or `length`. */
static size_t take_field(char *record, size_t length, size_t at, char separator, const char **ret_field,
                         size_t *ret_length)
{
    size_t to = at;
    bool quoted = at < length && record[at] == '"';
    *ret_field = record + at;
    for (at += quoted; at < length && (quoted || record[at] != separator); at++) {
        if (!quoted || record[at] != '"')
            record[to++] = record[at];
        else if (at + 1 < length && record[at + 1] == '"')
            record[to++] = record[at++];
        else
            quoted = false;
    }
    *ret_length = (size_t)(record + to - *ret_field);
    return at;
}

bool cli_records_field(char *record, size_t length, char separator, size_t index, const char **ret_field,
                       size_t *ret_length)
{
    size_t at = 0;
    for (size_t i = 0;; i++) {
        at = take_field(record, length, at, separator, ret_field, ret_length);
        if (i == index)
            return true;
        if (at >= length)
            return false;
        at++;
    }
}

int cli_records_column(const char *line, size_t length, char separator, const char *name)
{
    static const char mark[] = "\xef\xbb\xbf"; /* spreadsheets put it before the first line */
    if (length >= 3 && memcmp(line, mark, 3) == 0) {
        line += 3;
        length -= 3;
    }
    while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r'))
        length--;
    char *copy = name ? malloc(length + 1) : NULL;
    if (!copy)
        return -1;
    memcpy(copy, line, length);
    int found = -1;
    size_t at = 0;
    for (int i = 0; found < 0 && at <= length; i++) {
        const char *field;
        size_t n;
        at = take_field(copy, length, at, separator, &field, &n) + 1;
        if (n == strlen(name) && memcmp(field, name, n) == 0)
            found = i;
    }
    free(copy);
    return found;
}
