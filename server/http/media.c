#include "server/http/media.h"

#include <stddef.h>
#include <stdlib.h>
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

/* How specific a range is where it has the type: 3 for the type itself, 2 for its kind, 1 for all; 0: it has not. */
static int specificity(const char *range, size_t len, const char *type)
{
    size_t slash = strcspn(type, "/") + 1;
    if (len == strlen(type) && strncasecmp(range, type, len) == 0)
        return 3;
    if (len == slash + 1 && range[slash] == '*' && strncasecmp(range, type, slash) == 0)
        return 2;
    return len == 3 && strncmp(range, "*/*", 3) == 0;
}

/* The weight in parameters [len] such as ";version=1.0.0;q=0.5"; 1 where there is none. */
static double weight(const char *parameters, size_t len)
{
    const char *end = parameters + len;
    for (const char *at = parameters; at < end; at++) {
        if (*at != ';')
            continue;
        const char *name = at + 1 + strspn(at + 1, " \t");
        if (end - name >= 2 && (name[0] == 'q' || name[0] == 'Q') && name[1] == '=') {
            double q = strtod(name + 2, NULL);
            return q >= 0 && q <= 1 ? q : 0;
        }
    }
    return 1;
}

double http_media_quality(const char *accept, const char *type)
{
    double quality = accept ? 0 : 1;
    int best = 0;
    for (const char *at = accept; at && *at;) {
        at += strspn(at, ", \t");
        size_t whole = strcspn(at, ","), len = strcspn(at, "; \t,");
        int found = specificity(at, len, type);
        double q = weight(at + len, whole - len);
        if (found > best || (found > 0 && found == best && q > quality))
            quality = q;
        best = found > best ? found : best;
        at += whole;
    }
    return quality;
}

bool http_read_number(const char *text, uint64_t *ret)
{
    size_t len = strspn(text, "0123456789");
    if (len == 0 || len > 18 || text[len])
        return false;
    *ret = strtoull(text, NULL, 10);
    return true;
}
