#include "server/batch/watchdog.h"

#include <math.h>
#include <stdbool.h>

#define STALL_NS     1300e6
#define FACTOR_SHORT 20 /* up to .. */
#define SHORT_NS     300e6
#define FACTOR_LONG  4
#define MEMORY       32 /* launches */

static double long_ns(const struct watchdog *watchdog, double predicted_ns)
{
    return FACTOR_LONG * watchdog->base * predicted_ns;
}

static bool is_long(const struct watchdog *watchdog, double predicted_ns)
{
    return long_ns(watchdog, predicted_ns) > SHORT_NS;
}

void watchdog_init(struct watchdog *watchdog, double base)
{
    *watchdog = (struct watchdog){.base = fmax(base, 1), .scale = 1};
}

double watchdog_limit_ns(const struct watchdog *watchdog, double predicted_ns, double then)
{
    if (is_long(watchdog, predicted_ns))
        return STALL_NS + then * long_ns(watchdog, predicted_ns);
    return STALL_NS + fmin(FACTOR_SHORT * predicted_ns, SHORT_NS);
}

void watchdog_was_slow(struct watchdog *watchdog, double predicted_ns, double then)
{
    if (is_long(watchdog, predicted_ns))
        watchdog->scale = fmin(fmax(watchdog->scale, 2 * then), WATCHDOG_MAX_SCALE);
}

void watchdog_was_fine(struct watchdog *watchdog)
{
    watchdog->scale += (1 - watchdog->scale) / MEMORY;
}
