/* Times in steps of less than 1%, in memory that does not grow. */
#ifndef CLIENTS_CLI_HISTOGRAM_H
#define CLIENTS_CLI_HISTOGRAM_H

#include <stdint.h>

#define CLI_HISTOGRAM_STEPS 128 /* of each power of two */

/** All 0 is an empty one. */
struct cli_histogram {
    uint64_t counts[64 * CLI_HISTOGRAM_STEPS];
    uint64_t n;
    double sum;  /**< seconds */
    double most; /**< seconds, exact */
};

/** Count a time. Below a nanosecond it is one. */
void cli_histogram_add(struct cli_histogram *histogram, double seconds);

/** The time that a share of all do not exceed, 0 to 1; 0 where there is none. */
double cli_histogram_quantile(const struct cli_histogram *histogram, double share);

/** The mean; 0 where there is none. */
double cli_histogram_mean(const struct cli_histogram *histogram);

#endif
