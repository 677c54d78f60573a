/* Numbers out of /metrics, in Prometheus' text. */
#ifndef CLIENTS_CLI_METRICS_H
#define CLIENTS_CLI_METRICS_H

#include <stdbool.h>

/** The sum of all samples of a name.
 *  label    "class=\"bulk\"": of those with this label; NULL: of all
 *  Returns  0 where there is none */
double cli_metrics_sum(const char *text, const char *name, const char *label);

/** A quantile of a histogram, of what came between two readings.
 *  before   NULL: of all that came
 *  name     without _bucket
 *  Returns  the upper end of the bucket, of the last one its lower end; 0 where nothing came */
double cli_metrics_quantile(const char *text, const char *before, const char *name, const char *label, double quantile);

#endif
