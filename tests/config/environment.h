/* An environment of a test's own. */
#ifndef TESTS_CONFIG_ENVIRONMENT_H
#define TESTS_CONFIG_ENVIRONMENT_H

#include <string.h>

static const char *const *environment; /* name, value, .., NULL */

static inline const char *get_env(const char *name)
{
    for (const char *const *e = environment; e && *e; e += 2) {
        if (strcmp(*e, name) == 0)
            return e[1];
    }
    return NULL;
}

#endif
