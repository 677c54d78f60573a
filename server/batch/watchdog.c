#include "server/batch/watchdog.h"

#include <math.h>
#include <stdbool.h>

#define STALL_NS     1300e6
#define FACTOR_SHORT 20 /* up to .. */
#define SHORT_NS     300e6
#ifdef __SANITIZE_THREAD__
#define FACTOR_LONG 40 /* the tests' machine is shared, and there one launch takes seconds */
#else
#define FACTOR_LONG 4
#endif
#define MEMORY 32 /* launches */

static bool is_long(double predicted_ns)
{
    return FACTOR_LONG * predicted_ns > SHORT_NS;
}

double watchdog_limit_ns(double predicted_ns, double patience)
{
    if (is_long(predicted_ns))
        return STALL_NS + FACTOR_LONG * patience * predicted_ns;
    return STALL_NS + fmin(FACTOR_SHORT * predicted_ns, SHORT_NS);
}

double watchdog_was_slow(double patience, double then, double predicted_ns)
{
    return is_long(predicted_ns) ? fmin(fmax(patience, 2 * then), WATCHDOG_MOST_PATIENCE) : patience;
}

double watchdog_was_fine(double patience)
{
    return patience + (1 - patience) / MEMORY;
}
