#include "server/metrics/metrics.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "base/mem.h"

struct metrics_counter {
    atomic_uint_fast64_t value;
};

struct metrics_histogram {
    const double *bounds;
    uint32_t n_bounds;
    _Atomic double sum;
    atomic_uint_fast64_t buckets[]; /* [n_bounds + 1], not cumulative; the last one is +Inf */
};

struct gauge {
    metrics_read *read;
    void *cookie;
};

struct writer {
    metrics_write *write;
    void *cookie;
};

enum kind { COUNTER, GAUGE, RISING_GAUGE, HISTOGRAM, WRITER };

struct metric {
    struct metric *next;
    struct metrics_name name;
    enum kind kind;
    union {
        struct metrics_counter counter;
        struct gauge gauge;
        struct metrics_histogram histogram;
        struct writer writer;
    } of;
};

struct metrics_registry {
    struct metric *first;
    struct metric **end;
};

struct metrics_registry *metrics_registry_create(void)
{
    struct metrics_registry *registry = mem_calloc(1, sizeof *registry);
    if (registry)
        registry->end = &registry->first;
    return registry;
}

void metrics_registry_destroy(struct metrics_registry **registry)
{
    if (!*registry)
        return;
    struct metric *metric = (*registry)->first;
    while (metric) {
        struct metric *next = metric->next;
        mem_free(metric);
        metric = next;
    }
    mem_free(*registry);
    *registry = NULL;
}

static struct metric *add_metric(struct metrics_registry *registry, struct metrics_name name, enum kind kind,
                                 size_t extra)
{
    struct metric *metric = mem_calloc(1, sizeof *metric + extra);
    if (!metric)
        return NULL;
    metric->name = name;
    metric->kind = kind;
    *registry->end = metric;
    registry->end = &metric->next;
    return metric;
}

struct metrics_counter *metrics_counter_create(struct metrics_registry *registry, struct metrics_name name)
{
    struct metric *metric = add_metric(registry, name, COUNTER, 0);
    return metric ? &metric->of.counter : NULL;
}

struct metrics_histogram *metrics_histogram_create(struct metrics_registry *registry, struct metrics_name name,
                                                   const double *bounds, uint32_t n_bounds)
{
    struct metric *metric = add_metric(registry, name, HISTOGRAM, (n_bounds + 1) * sizeof(atomic_uint_fast64_t));
    if (!metric)
        return NULL;
    metric->of.histogram.bounds = bounds;
    metric->of.histogram.n_bounds = n_bounds;
    return &metric->of.histogram;
}

int metrics_gauge_create(struct metrics_registry *registry, struct metrics_name name, metrics_read *read, void *cookie,
                         int counter)
{
    struct metric *metric = add_metric(registry, name, counter ? RISING_GAUGE : GAUGE, 0);
    if (!metric)
        return -1;
    metric->of.gauge = (struct gauge){read, cookie};
    return 0;
}

int metrics_writer_create(struct metrics_registry *registry, metrics_write *write, void *cookie)
{
    struct metric *metric = add_metric(registry, (struct metrics_name){"", NULL, ""}, WRITER, 0);
    if (!metric)
        return -1;
    metric->of.writer = (struct writer){write, cookie};
    return 0;
}

void metrics_counter_add(struct metrics_counter *counter, uint64_t n)
{
    if (counter)
        atomic_fetch_add_explicit(&counter->value, n, memory_order_relaxed);
}

uint64_t metrics_counter_value(const struct metrics_counter *counter)
{
    return counter ? atomic_load_explicit(&counter->value, memory_order_relaxed) : 0;
}

void metrics_histogram_observe(struct metrics_histogram *histogram, double value)
{
    if (!histogram)
        return;
    uint32_t low = 0;
    uint32_t high = histogram->n_bounds;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (value <= histogram->bounds[middle])
            high = middle;
        else
            low = middle + 1;
    }
    atomic_fetch_add_explicit(&histogram->buckets[low], 1, memory_order_relaxed);
    double sum = atomic_load_explicit(&histogram->sum, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&histogram->sum, &sum, sum + value, memory_order_relaxed,
                                                  memory_order_relaxed)) {
    }
}

/* Counts in full; else thirteen digits: 0.1 and not 0.10000000000000001, and moments since 1970 by milliseconds, so
 * that two starts within a second are told apart. */
static void write_number(struct buf *out, double value)
{
    if (isnan(value)) {
        buf_puts(out, "NaN");
        return;
    }
    if (isinf(value)) {
        buf_puts(out, value > 0 ? "+Inf" : "-Inf");
        return;
    }
    buf_printf(out, value == floor(value) && fabs(value) < 1e15 ? "%.0f" : "%.13g", value);
}

static void write_sample(struct buf *out, const struct metrics_name *name, const char *suffix, double value)
{
    buf_printf(out, "%s%s", name->name, suffix);
    if (name->labels)
        buf_printf(out, "{%s}", name->labels);
    buf_puts(out, " ");
    write_number(out, value);
    buf_puts(out, "\n");
}

static void write_histogram(struct buf *out, const struct metrics_name *name, struct metrics_histogram *histogram)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i <= histogram->n_bounds; i++) {
        total += atomic_load_explicit(&histogram->buckets[i], memory_order_relaxed);
        buf_printf(out, "%s_bucket{%s%sle=\"", name->name, name->labels ? name->labels : "", name->labels ? "," : "");
        write_number(out, i < histogram->n_bounds ? histogram->bounds[i] : INFINITY);
        buf_printf(out, "\"} %llu\n", (unsigned long long)total);
    }
    write_sample(out, name, "_sum", atomic_load_explicit(&histogram->sum, memory_order_relaxed));
    write_sample(out, name, "_count", (double)total);
}

static void write_metric(struct buf *out, struct metric *metric)
{
    switch (metric->kind) {
    case COUNTER:
        write_sample(out, &metric->name, "", (double)metrics_counter_value(&metric->of.counter));
        break;
    case GAUGE:
    case RISING_GAUGE:
        write_sample(out, &metric->name, "", metric->of.gauge.read(metric->of.gauge.cookie));
        break;
    case HISTOGRAM:
        write_histogram(out, &metric->name, &metric->of.histogram);
        break;
    case WRITER:
        metric->of.writer.write(metric->of.writer.cookie, out);
        break;
    }
}

void metrics_write_head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void metrics_registry_write(struct metrics_registry *registry, struct buf *out)
{
    static const char *const types[] = {"counter", "gauge", "counter", "histogram", NULL};
    const char *last = "";
    for (struct metric *metric = registry->first; metric; metric = metric->next) {
        if (metric->kind != WRITER && strcmp(last, metric->name.name) != 0)
            metrics_write_head(out, metric->name.name, types[metric->kind], metric->name.help);
        last = metric->name.name;
        write_metric(out, metric);
    }
}
