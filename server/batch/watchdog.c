#include "server/batch/watchdog.h"

#include <math.h>

#define STALL_NS     1300e6
#define FACTOR_SHORT 20 /* up to .. */
#define SHORT_NS     300e6
#ifdef __SANITIZE_THREAD__
#define FACTOR_LONG 40 /* the tests' machine is shared, and there one launch takes seconds */
#else
#define FACTOR_LONG 4
#endif
#define MEMORY 64 /* launches */

double watchdog_limit_ns(double predicted_ns, double patience)
{
    double many = fmin(FACTOR_SHORT * predicted_ns, SHORT_NS);
    return STALL_NS + fmax(many, FACTOR_LONG * patience * predicted_ns);
}

double watchdog_was_slow(double patience, double then)
{
    return fmin(fmax(patience, 2 * then), WATCHDOG_MOST_PATIENCE);
}

double watchdog_was_fine(double patience)
{
    return patience + (1 - patience) / MEMORY;
}
