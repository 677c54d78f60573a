/* What an inference came to: its vectors, what it took, and what of it is counted. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "server/serve/infer.h"
#include "server/serve/server.h"
#include "server/serve/windows.h"

const float *serve_infer_rows(struct serve_infer *infer)
{
    float *rows = infer->items[0].out;
    for (uint32_t i = 0; i < infer->n_inputs; i++) {
        const struct serve_infer_input *input = &infer->inputs[i];
        const struct batch_item *items = &infer->items[input->first_item];
        serve_windows_pool(items, input->n_items, infer->width);
        if (input->first_item > i)
            memcpy(rows + (size_t)i * infer->width, items[0].out, infer->width * sizeof *rows);
        if (infer->normalize)
            serve_normalize(rows + (size_t)i * infer->width, infer->keep);
    }
    return rows;
}

void serve_infer_similarities(struct serve_infer *infer, float *ret)
{
    const float *rows = serve_infer_rows(infer);
    for (uint32_t i = 1; i < infer->n_inputs; i++)
        ret[i - 1] = serve_cosine(rows, rows + (size_t)i * infer->width, infer->keep);
}

const float *serve_infer_tokens(const struct serve_infer *infer, uint32_t input)
{
    return infer->items[infer->inputs[input].first_item].out;
}

static bool is_cached(const struct serve_infer *infer, uint32_t item)
{
    return infer->party.n_parts > 0 && infer->party.parts[item].cached;
}

static bool is_input_cached(const struct serve_infer *infer, const struct serve_infer_input *input)
{
    for (uint32_t i = 0; i < input->n_items; i++)
        if (!is_cached(infer, input->first_item + i))
            return false;
    return true;
}

void serve_infer_report(const struct serve_infer *infer, struct serve_infer_report *ret)
{
    *ret = (struct serve_infer_report){.total_ns = clock_now_ns() - infer->call->started_ns,
                                       .tokenization_ns = infer->tokenization_ns / infer->n_inputs,
                                       .chars = infer->chars,
                                       .tokens = infer->tokens};
    for (uint32_t i = 0; i < infer->n_items; i++) {
        if (is_cached(infer, i))
            continue;
        ret->queue_ns += infer->items[i].queue_ns;
        ret->inference_ns += infer->items[i].inference_ns;
        ret->n_computed++;
    }
    if (ret->n_computed > 0) {
        ret->queue_ns /= ret->n_computed;
        ret->inference_ns /= ret->n_computed;
    }
    for (uint32_t i = 0; i < infer->n_inputs; i++) {
        ret->n_truncated += infer->inputs[i].truncated;
        ret->n_cached += is_input_cached(infer, &infer->inputs[i]);
    }
}

static uint64_t milliseconds(uint64_t ns)
{
    return ns / 1000000;
}

void serve_infer_tell(const struct serve_infer *infer, const struct serve_infer_report *report,
                      void (*visit)(void *cookie, const char *name, const char *value), void *cookie)
{
    const struct serve_options *options = serve_server_options(infer->call->server);
    const struct {
        const char *name;
        uint64_t value;
    } figures[] = {
        {"x-compute-time", milliseconds(report->total_ns)},
        {"x-compute-characters", report->chars},
        {"x-compute-tokens", report->tokens},
        {"x-total-time", milliseconds(report->total_ns)},
        {"x-tokenization-time", milliseconds(report->tokenization_ns)},
        {"x-queue-time", milliseconds(report->queue_ns)},
        {"x-inference-time", milliseconds(report->inference_ns)},
        {"x-truncated-count", report->n_truncated},
        {"x-cached-count", report->n_cached}, /* the last: absent without a cache */
    };
    size_t n = sizeof figures / sizeof *figures - (options->cache_bytes ? 0 : 1);
    visit(cookie, "x-compute-type", options->compute_type);
    for (size_t i = 0; i < n; i++) {
        char text[24];
        snprintf(text, sizeof text, "%llu", (unsigned long long)figures[i].value);
        visit(cookie, figures[i].name, text);
    }
}

static double seconds(uint64_t ns)
{
    return (double)ns * 1e-9;
}

static void count_boards(struct serve_telemetry *t, enum batch_class class, const struct serve_infer_report *report)
{
    metrics_histogram_observe(t->queue, seconds(report->queue_ns));
    metrics_histogram_observe(t->queue_of[class], seconds(report->queue_ns));
    metrics_histogram_observe(t->inference, seconds(report->inference_ns));
    metrics_histogram_observe(t->inference_of[class], seconds(report->inference_ns));
}

void serve_infer_count(const struct serve_infer *infer)
{
    struct serve_telemetry *t = &infer->call->server->telemetry;
    struct serve_infer_report report;
    serve_infer_report(infer, &report);
    metrics_counter_add(t->successes[infer->single ? SERVE_SINGLE : SERVE_BATCH], 1);
    metrics_counter_add(t->embedded, infer->n_inputs);
    metrics_counter_add(t->truncated, report.n_truncated);
    metrics_histogram_observe(t->duration, seconds(report.total_ns));
    metrics_histogram_observe(t->duration_of[infer->work.class], seconds(report.total_ns));
    metrics_histogram_observe(t->tokenization, seconds(report.tokenization_ns));
    if (report.n_computed > 0)
        count_boards(t, infer->work.class, &report);
    for (uint32_t i = 0; i < infer->n_inputs; i++)
        metrics_histogram_observe(t->input_length, infer->inputs[i].n_tokens);
}

float serve_cosine(const float *a, const float *b, uint32_t n)
{
    double product = 0, square_a = 0, square_b = 0;
    for (uint32_t i = 0; i < n; i++) {
        product += (double)a[i] * (double)b[i];
        square_a += (double)a[i] * (double)a[i];
        square_b += (double)b[i] * (double)b[i];
    }
    if (square_a == 0 || square_b == 0)
        return 0;
    return (float)(product / (sqrt(square_a) * sqrt(square_b)));
}

void serve_normalize(float *values, uint32_t n)
{
    double sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += (double)values[i] * (double)values[i];
    if (sum == 0)
        return;
    double factor = 1.0 / sqrt(sum);
    for (uint32_t i = 0; i < n; i++)
        values[i] = (float)((double)values[i] * factor);
}
