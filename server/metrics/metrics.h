/* Counters, gauges and histograms, and their text for Prometheus (exposition format 0.0.4) or as OpenMetrics 1.0.
 *
 * Metrics are made once, at start, and live as long as their registry; counting is a relaxed atomic addition.
 */
#ifndef BERTD_METRICS_METRICS_H
#define BERTD_METRICS_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct metrics_registry;
struct metrics_counter;
struct metrics_histogram;

/** What a metric is called. All borrowed until the registry is destroyed. Metrics of one name with different labels
 *  are made one after the other; the first one's help counts. */
struct metrics_name {
    const char *name;   /* "te_request_count" */
    const char *labels; /* "method=\"single\"" as it stands between the braces; NULL: none */
    const char *help;
};

/** Asked for a gauge's value while the text is written; NAN: not known. */
typedef double metrics_read(void *cookie);
/** Writes samples of its own, each name's after metrics_write_head. */
typedef void metrics_write(void *cookie, struct buf *out);

/** New; NULL when out of memory. Free with metrics_registry_destroy. */
struct metrics_registry *metrics_registry_create(void);
/** Free with all its metrics and set to NULL; NULL is fine. */
void metrics_registry_destroy(struct metrics_registry **registry);

/** Owned by the registry. NULL when out of memory; counting on NULL does nothing. Thread: one, at start. */
struct metrics_counter *metrics_counter_create(struct metrics_registry *registry, struct metrics_name name);
/** `bounds` [n_bounds] rising upper ends, borrowed; +Inf is added. Else as a counter. */
struct metrics_histogram *metrics_histogram_create(struct metrics_registry *registry, struct metrics_name name,
                                                   const double *bounds, uint32_t n_bounds);
/** A value that is read when asked for. `counter`: it only rises, and Prometheus is told so.
 *  Returns 0, or -1 when out of memory. `read` is called by whoever writes the text. */
int metrics_gauge_create(struct metrics_registry *registry, struct metrics_name name, metrics_read *read, void *cookie,
                         int counter);
/** Have `write` add to the text, for samples that are not known at start. Returns 0, or -1 when out of memory. */
int metrics_writer_create(struct metrics_registry *registry, metrics_write *write, void *cookie);
/** Metrics of the whole process under Prometheus' usual names: process_cpu_seconds_total, process_open_fds, ..
 *  Returns 0, or -1 when out of memory. */
int metrics_process_create(struct metrics_registry *registry);

/** Thread: any. */
void metrics_counter_add(struct metrics_counter *counter, uint64_t n);
uint64_t metrics_counter_value(const struct metrics_counter *counter);
/** Thread: any. */
void metrics_histogram_observe(struct metrics_histogram *histogram, double value);

/** All metrics as text. Thread: any. */
void metrics_registry_write(struct metrics_registry *registry, struct buf *out);
/** Append to `out` what such a text [len] is in OpenMetrics. A counter whose name does not end in _total has the type
 *  unknown there, so that it keeps its name. Thread: any. */
void metrics_write_openmetrics(struct buf *out, const char *text, size_t len);
/** The lines before the first sample of a name. `type`: "counter" or "gauge". Thread: any. */
void metrics_write_head(struct buf *out, const char *name, const char *type, const char *help);

#endif
