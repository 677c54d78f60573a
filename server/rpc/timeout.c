#include "server/rpc/timeout.h"

#include <stdlib.h>
#include <string.h>

enum { GRPC_DIGITS = 8, CONNECT_DIGITS = 10 };

static bool read_number(const char *text, size_t most, uint64_t *ret, const char **ret_end)
{
    size_t len = strspn(text, "0123456789");
    if (len == 0 || len > most)
        return false;
    *ret = strtoull(text, NULL, 10);
    *ret_end = text + len;
    return true;
}

static uint64_t unit_ns(char unit)
{
    switch (unit) {
    case 'H':
        return 3600000000000u;
    case 'M':
        return 60000000000u;
    case 'S':
        return 1000000000u;
    case 'm':
        return 1000000u;
    case 'u':
        return 1000u;
    case 'n':
        return 1u;
    default:
        return 0;
    }
}

bool rpc_timeout_grpc(const char *text, uint64_t *ret_ns)
{
    uint64_t number = 0;
    const char *unit = NULL;
    if (!read_number(text, GRPC_DIGITS, &number, &unit))
        return false;
    uint64_t scale = unit_ns(*unit);
    if (scale == 0 || unit[1])
        return false;
    *ret_ns = number > UINT64_MAX / scale ? UINT64_MAX : number * scale;
    return true;
}

bool rpc_timeout_connect(const char *text, uint64_t *ret_ns)
{
    uint64_t number = 0;
    const char *end = NULL;
    if (!read_number(text, CONNECT_DIGITS, &number, &end) || *end)
        return false;
    *ret_ns = number * unit_ns('m');
    return true;
}

uint64_t rpc_timeout_deadline(uint64_t now_ns, uint64_t after_ns)
{
    return after_ns > UINT64_MAX - now_ns ? 0 : now_ns + after_ns;
}
