#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct status_row {
    const char *name;
    int http;
    int grpc;
    const char *tei;
};

static const struct status_row rows[STATUS_COUNT] = {
#define X(name, http, grpc, tei) {#name, http, grpc, tei},
    STATUS_MAP(X)
#undef X
};

/* A message cut in the middle of a UTF-8 character would make the JSON that carries it invalid. */
static void trim_partial_utf8(char *text)
{
    size_t len = strlen(text);
    size_t start = len;
    while (start > 0 && ((unsigned char)text[start - 1] & 0xC0) == 0x80)
        start--;
    if (start == 0)
        return;
    unsigned char lead = (unsigned char)text[start - 1];
    size_t need = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    if (len - (start - 1) < need)
        text[start - 1] = '\0';
}

enum status error_set(struct error *err, enum status status, const char *format, ...)
{
    if (!err)
        return status;
    va_list args;
    va_start(args, format);
    err->status = status;
    int n = vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    if (n >= (int)sizeof err->message)
        trim_partial_utf8(err->message);
    return status;
}

enum status error_prefix(struct error *err, enum status status, const char *format, ...)
{
    if (!err)
        return status;
    char prefixed[sizeof err->message];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(prefixed, sizeof prefixed, format, args);
    va_end(args);
    if (n >= 0 && n < (int)sizeof prefixed)
        n += snprintf(prefixed + n, sizeof prefixed - (size_t)n, "%s", err->message);
    if (n >= (int)sizeof prefixed)
        trim_partial_utf8(prefixed);
    memcpy(err->message, prefixed, sizeof prefixed);
    err->status = status;
    return status;
}

const char *status_name(enum status status)
{
    return rows[status].name;
}

int status_http(enum status status)
{
    return rows[status].http;
}

int status_grpc(enum status status)
{
    return rows[status].grpc;
}

const char *status_tei(enum status status)
{
    return rows[status].tei;
}
