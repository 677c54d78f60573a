#include "server/http/media.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

/* What names of media types are made of. */
static const char token_characters[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

bool http_media_is_json(const char *type)
{
    static const char prefix[] = "application/";
    if (!type || strncasecmp(type, prefix, sizeof prefix - 1) != 0)
        return false;
    const char *subtype = type + sizeof prefix - 1;
    size_t len = strcspn(subtype, "; \t");
    const char *last = subtype + len - 4;
    if (len < 4 || strncasecmp(last, "json", 4) != 0 || strspn(subtype, token_characters) < len)
        return false;
    return len == 4 || (len > 5 && last[-1] == '+');
}
