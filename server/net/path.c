#include "server/net/path.h"

#include <string.h>

#include "base/hex.h"

size_t net_path_decode(char *path)
{
    size_t len = strlen(path);
    if (strstr(path, "%00"))
        return len;
    char *to = path;
    for (const char *from = path, *end = path + len; from < end; to++) {
        int byte = base_hex_escape(from, (size_t)(end - from));
        *to = byte < 0 ? *from : (char)byte;
        from += byte < 0 ? 1 : 3;
    }
    *to = '\0';
    return (size_t)(to - path);
}
