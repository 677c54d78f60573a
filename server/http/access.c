#include "server/http/access.h"

#include <stddef.h>
#include <string.h>

bool http_access_key(const char *key, const char *authorization)
{
    static const char scheme[] = "bearer "; /* in any case */
    if (!key)
        return true;
    if (!authorization)
        return false;
    size_t given_len = strlen(authorization);
    size_t key_len = strlen(key);
    unsigned difference = given_len != key_len + sizeof scheme - 1;
    /* Always as many steps as the client's header has bytes: the time tells nothing about the key. */
    for (size_t i = 0; i < given_len; i++) {
        size_t k = i - (sizeof scheme - 1);
        char want = i < sizeof scheme - 1 ? scheme[i] : key[k < key_len ? k : 0];
        char given = authorization[i];
        if (i < sizeof scheme - 1 && given >= 'A' && given <= 'Z')
            given = (char)(given - 'A' + 'a');
        difference |= (unsigned char)(given ^ want);
    }
    return difference == 0;
}
