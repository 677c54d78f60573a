#include "server/config/suggest.h"

#include <string.h>

#include "server/config/table.h"

enum { MAX_WORD = 63 };

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

unsigned config_edit_distance(const char *a, size_t a_len, const char *b)
{
    size_t n = a_len < MAX_WORD ? a_len : MAX_WORD;
    size_t m = strnlen(b, MAX_WORD);
    unsigned rows[3][MAX_WORD + 1]; /* the row before last, the last, this one */
    for (size_t j = 0; j <= m; j++)
        rows[1][j] = (unsigned)j;
    for (size_t i = 1; i <= n; i++) {
        rows[2][0] = (unsigned)i;
        for (size_t j = 1; j <= m; j++) {
            unsigned replace = rows[1][j - 1] + (a[i - 1] != b[j - 1]);
            rows[2][j] = least(replace, least(rows[1][j], rows[2][j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                rows[2][j] = least(rows[2][j], rows[0][j - 2] + 1);
        }
        memmove(rows[0], rows[1], 2 * sizeof rows[0]);
    }
    return rows[1][m];
}

const char *config_suggest(const char *word, size_t len)
{
    static const char *const others[] = {"help", "version", "check"};
    const char *best = NULL;
    unsigned best_distance = (unsigned)(len / 3) + 1; /* more than a third wrong is another word */
    for (size_t i = 0; i < config_n_rows + 3; i++) {
        if (i < config_n_rows && config_rows[i].kind == OPTION_GROUP)
            continue;
        const char *name = i < config_n_rows ? config_rows[i].flag : others[i - config_n_rows];
        unsigned distance = config_edit_distance(word, len, name);
        if (distance < best_distance) {
            best = name;
            best_distance = distance;
        }
    }
    return best;
}
