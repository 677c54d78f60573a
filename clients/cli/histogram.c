#include "clients/cli/histogram.h"

#include <math.h>

/* Nanoseconds below 2 * STEPS have a step each; above, a power of two has STEPS of them. */
static unsigned step_of(uint64_t ns)
{
    if (ns < 2 * CLI_HISTOGRAM_STEPS)
        return (unsigned)ns;
    unsigned shift = (unsigned)(63 - __builtin_clzll(ns)) - 7;
    return shift * CLI_HISTOGRAM_STEPS + (unsigned)(ns >> shift);
}

/* The highest time of a step. */
static double top_of(unsigned step)
{
    if (step < 2 * CLI_HISTOGRAM_STEPS)
        return step * 1e-9;
    unsigned shift = step / CLI_HISTOGRAM_STEPS - 1;
    uint64_t low = step - shift * CLI_HISTOGRAM_STEPS;
    return ((double)((low + 1) << shift) - 1) * 1e-9;
}

void cli_histogram_add(struct cli_histogram *histogram, double seconds)
{
    double ns = seconds * 1e9;
    uint64_t whole = ns < 1 ? 1 : ns > 1e18 ? (uint64_t)1e18 : (uint64_t)ns;
    histogram->counts[step_of(whole)]++;
    histogram->n++;
    histogram->sum += seconds;
    if (seconds > histogram->most)
        histogram->most = seconds;
}

double cli_histogram_quantile(const struct cli_histogram *histogram, double share)
{
    uint64_t wanted = (uint64_t)ceil(share * (double)histogram->n), seen = 0;
    if (wanted == 0)
        wanted = 1;
    for (unsigned i = 0; i < 64 * CLI_HISTOGRAM_STEPS; i++) {
        seen += histogram->counts[i];
        if (seen >= wanted)
            return top_of(i) < histogram->most ? top_of(i) : histogram->most;
    }
    return histogram->most;
}

double cli_histogram_mean(const struct cli_histogram *histogram)
{
    return histogram->n > 0 ? histogram->sum / (double)histogram->n : 0;
}
