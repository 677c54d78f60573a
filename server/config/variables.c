#include <stdio.h>
#include <string.h>

#include "server/config/config.h"
#include "server/config/suggest.h"
#include "server/config/table.h"

/* Variables that are no options: of the kernels, of the tests. */
static const char *const others[] = {"BERTD_CPU_MASK", "BERTD_GOLDEN_DIR", "BERTD_STRESS_SECONDS", "BERTD_XRT_LOG",
                                     "BERTD_CARD_DIR"};
enum { MIN_BEGINNING = 4 };
static const char prefix[] = "BERTD_", tests_prefix[] = "BERTD_TEST_";

static const char *name_at(size_t i)
{
    size_t n_others = sizeof others / sizeof *others;
    return i < n_others ? others[i] : i - n_others < config_n_rows ? config_rows[i - n_others].environment : NULL;
}

static size_t n_names(void)
{
    return sizeof others / sizeof *others + config_n_rows;
}

/* The nearest name, of which some have the prefix and some have not. */
static const char *nearest(const char *name)
{
    const char *best = NULL, *bare = name + strlen(prefix);
    unsigned best_distance = (unsigned)strlen(bare) / 3 + 1; /* more than a third wrong is another word */
    for (size_t i = 0; i < n_names(); i++) {
        const char *known = name_at(i);
        if (!known)
            continue;
        size_t skip = strncmp(known, prefix, strlen(prefix)) == 0 ? strlen(prefix) : 0;
        unsigned distance = config_edit_distance(bare, strlen(bare), known + skip);
        if (strlen(bare) >= MIN_BEGINNING && strncmp(known + skip, bare, strlen(bare)) == 0)
            distance = 1; /* the end is missing */
        if (distance < best_distance) {
            best = known;
            best_distance = distance;
        }
    }
    return best;
}

bool config_is_unknown_variable(const char *entry, char *name, size_t size, const char **suggestion)
{
    snprintf(name, size, "%.*s", (int)strcspn(entry, "="), entry);
    if (strncmp(name, prefix, strlen(prefix)) != 0 || strncmp(name, tests_prefix, strlen(tests_prefix)) == 0)
        return false;
    for (size_t i = 0; i < n_names(); i++) {
        if (name_at(i) && strcmp(name, name_at(i)) == 0)
            return false;
    }
    *suggestion = nearest(name);
    return true;
}
