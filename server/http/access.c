#include "server/http/access.h"

#include <string.h>

const char *http_access_origin(const char *list, const char *origin)
{
    if (!list || !origin)
        return NULL;
    size_t origin_len = strlen(origin);
    while (*list) {
        size_t len = strcspn(list, ", ");
        if (len == 1 && *list == '*')
            return "*";
        if (len == origin_len && memcmp(list, origin, len) == 0)
            return origin;
        list += len + strspn(list + len, ", ");
    }
    return NULL;
}
