#include "clients/cli/metrics.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS_MAX 256

struct sample {
    const char *labels; /* borrowed, `labels_length` bytes */
    size_t labels_length;
    double value;
};

/* The next sample of a name from *at on, which is moved behind it. */
static bool next_sample(const char **at, const char *name, struct sample *ret)
{
    size_t length = strlen(name);
    for (const char *line = *at; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        if (strncmp(line, name, length) != 0 || (line[length] != '{' && line[length] != ' '))
            continue;
        const char *labels = line + length;
        const char *end = labels + strcspn(labels, "}\n");
        *ret = (struct sample){labels, (size_t)(end - labels), 0};
        ret->value = strtod(*labels == '{' && *end == '}' ? end + 1 : labels, NULL);
        if (*labels != '{')
            ret->labels_length = 0;
        if (!isfinite(ret->value)) /* not for people, and none in JSON */
            ret->value = 0;
        *at = line + strcspn(line, "\n");
        return true;
    }
    return false;
}

static bool has_label(const struct sample *sample, const char *label)
{
    return !label || memmem(sample->labels, sample->labels_length, label, strlen(label)) != NULL;
}

double cli_metrics_sum(const char *text, const char *name, const char *label)
{
    double sum = 0;
    struct sample sample;
    while (next_sample(&text, name, &sample)) {
        if (has_label(&sample, label))
            sum += sample.value;
    }
    return sum;
}

struct bucket {
    double most;
    double count;
};

static size_t read_buckets(const char *text, const char *name, const char *label, struct bucket *buckets)
{
    size_t n = 0;
    struct sample sample;
    while (text && n < BUCKETS_MAX && next_sample(&text, name, &sample)) {
        const char *most = memmem(sample.labels, sample.labels_length, "le=\"", 4);
        if (most && has_label(&sample, label))
            buckets[n++] = (struct bucket){strtod(most + 4, NULL), sample.value};
    }
    return n;
}

double cli_metrics_quantile(const char *text, const char *before, const char *name, const char *label, double quantile)
{
    struct bucket now[BUCKETS_MAX], then[BUCKETS_MAX];
    char full[128];
    snprintf(full, sizeof full, "%s_bucket", name);
    size_t n = read_buckets(text, full, label, now);
    size_t n_then = read_buckets(before, full, label, then);
    for (size_t i = 0; n_then == n && i < n; i++)
        now[i].count -= then[i].count;
    double wanted = n > 0 ? now[n - 1].count * quantile : 0;
    for (size_t i = 0; wanted > 0 && i < n; i++) {
        if (now[i].count < wanted)
            continue;
        return isfinite(now[i].most) ? now[i].most : i > 0 ? now[i - 1].most : 0;
    }
    return 0;
}
