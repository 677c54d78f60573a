#include "server/model/scan.h"

#include <string.h>

static void skip_space(struct model_scan *scan)
{
    while (scan->at < scan->end && (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\r' || *scan->at == '\t'))
        scan->at++;
}

bool model_scan_take(struct model_scan *scan, char c)
{
    skip_space(scan);
    if (scan->at == scan->end || *scan->at != c)
        return false;
    scan->at++;
    return true;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* `at` is behind the backslash. */
static bool skip_escape(struct model_scan *scan)
{
    if (scan->at == scan->end || *scan->at == '\0' || !strchr("\"\\/bfnrtu", *scan->at))
        return false;
    if (*scan->at++ != 'u')
        return true;
    for (int i = 0; i < 4; i++, scan->at++) {
        if (scan->at == scan->end || !is_hex(*scan->at))
            return false;
    }
    return true;
}

bool model_scan_string(struct model_scan *scan, struct model_slice *ret)
{
    if (!model_scan_take(scan, '"'))
        return false;
    const char *begin = scan->at;
    while (scan->at < scan->end && *scan->at != '"') {
        if ((unsigned char)*scan->at < 0x20)
            return false;
        if (*scan->at++ == '\\' && !skip_escape(scan))
            return false;
    }
    if (scan->at == scan->end)
        return false;
    *ret = (struct model_slice){.data = begin, .len = (size_t)(scan->at - begin)};
    scan->at++;
    return true;
}

bool model_scan_count(struct model_scan *scan, uint64_t *ret)
{
    skip_space(scan);
    const char *begin = scan->at;
    uint64_t value = 0;
    for (; scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9'; scan->at++) {
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*scan->at - '0'), &value))
            return false;
    }
    size_t digits = (size_t)(scan->at - begin);
    if (digits == 0 || (digits > 1 && *begin == '0'))
        return false;
    *ret = value;
    return true;
}

bool model_scan_done(struct model_scan *scan)
{
    skip_space(scan);
    return scan->at == scan->end;
}

bool model_slice_is(struct model_slice slice, const char *text)
{
    return slice.len == strlen(text) && memcmp(slice.data, text, slice.len) == 0;
}
