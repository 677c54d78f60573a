#include "server/serve/telemetry.h"

#include <math.h>

#include "server/serve/server.h"

enum { DURATIONS = 57, LEAST_DURATIONS = 35, POWERS = 21 };

/* Bucket bounds as text-embeddings-inference has them: durations 10 us * 1.5^n, its 35 and then on to what the time
 * limit can be; sizes powers of two. */
static const double durations[DURATIONS] = {
    1.5e-05,    2.25e-05,    3.375e-05,  5.0625e-05, 7.59375e-05, 0.000113906, 0.000170859, 0.000256289, 0.000384434,
    0.00057665, 0.000864976, 0.00129746, 0.0019462,  0.00291929,  0.00437894,  0.00656841,  0.00985261,  0.0147789,
    0.0221684,  0.0332526,   0.0498789,  0.0748183,  0.112227,    0.168341,    0.252512,    0.378768,    0.568151,
    0.852227,   1.27834,     1.91751,    2.87627,    4.3144,      6.4716,      9.7074,      14.5611,     21.8416,
    32.7625,    49.1437,     73.7155,    110.573,    165.86,      248.79,      373.185,     559.777,     839.666,
    1259.5,     1889.25,     2833.87,    4250.81,    6376.22,     9564.32,     14346.5,     21519.7,     32279.6,
    48419.4,    72629.1,     108944};
static const double powers[POWERS] = {1,    2,    4,    8,     16,    32,    64,     128,    256,    512,    1024,
                                      2048, 4096, 8192, 16384, 32768, 65536, 131072, 262144, 524288, 1048576};

static const char *const method_labels[SERVE_REQUEST_KINDS] = {"method=\"single\"", "method=\"batch\"",
                                                               "method=\"tokenize\"", "method=\"decode\""};

/* Labels of the ways to fail, without repeating a name that several statuses share. */
static const struct {
    enum status status;
    const char *label;
} failures[] = {
    {STATUS_EMPTY, "err=\"empty\""},           {STATUS_VALIDATION, "err=\"validation\""},
    {STATUS_TOKENIZER, "err=\"tokenizer\""},   {STATUS_BACKEND, "err=\"backend\""},
    {STATUS_OVERLOADED, "err=\"overloaded\""}, {STATUS_UNHEALTHY, "err=\"unhealthy\""},
    {STATUS_TIMEOUT, "err=\"timeout\""},       {STATUS_CANCELLED, "err=\"cancelled\""},
    {STATUS_INTERNAL, "err=\"internal\""},     {STATUS_UNAUTHENTICATED, "err=\"unauthenticated\""},
};

static void make_counters(struct serve_telemetry *t)
{
    for (int i = 0; i < SERVE_REQUEST_KINDS; i++)
        t->requests[i] = metrics_counter_create(
            t->registry, (struct metrics_name){"te_request_count", method_labels[i], "Requests begun"});
    for (int i = 0; i < SERVE_REQUEST_KINDS; i++)
        t->successes[i] = metrics_counter_create(
            t->registry, (struct metrics_name){"te_request_success", method_labels[i], "Requests answered with 200"});
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++)
        t->failures[failures[i].status] =
            metrics_counter_create(t->registry, (struct metrics_name){"te_request_failure", failures[i].label,
                                                                      "Requests for inference or tokens that failed"});
    t->failures[STATUS_MALFORMED] = t->failures[STATUS_TOO_LARGE] = t->failures[STATUS_VALIDATION];
    t->failures[STATUS_MEDIA_TYPE] = t->failures[STATUS_NOT_FOUND] = t->failures[STATUS_VALIDATION];
    t->failures[STATUS_METHOD] = t->failures[STATUS_UNIMPLEMENTED] = t->failures[STATUS_VALIDATION];
    t->failures[STATUS_OTHER_MODEL] = t->failures[STATUS_VALIDATION];
    t->failures[STATUS_FORBIDDEN] = t->failures[STATUS_UNAUTHENTICATED];
    t->failures[STATUS_NO_MEMORY] = t->failures[STATUS_INTERNAL];
    t->inputs =
        metrics_counter_create(t->registry, (struct metrics_name){"te_embed_count", NULL, "Texts to be embedded"});
    t->embedded =
        metrics_counter_create(t->registry, (struct metrics_name){"te_embed_success", NULL, "Texts embedded"});
    t->truncated = metrics_counter_create(
        t->registry, (struct metrics_name){"bertd_truncated_inputs_total", NULL, "Texts that were cut"});
    t->unknown_fields = metrics_counter_create(
        t->registry, (struct metrics_name){"bertd_unknown_fields_total", NULL, "Fields of requests that were ignored"});
}

static void make_cache_counters(struct serve_telemetry *t)
{
    t->cache_hits =
        metrics_counter_create(t->registry, (struct metrics_name){"bertd_cache_hits_total", NULL,
                                                                  "Sequences whose vectors were in the cache"});
    t->cache_misses =
        metrics_counter_create(t->registry, (struct metrics_name){"bertd_cache_misses_total", NULL,
                                                                  "Sequences that were given to the boards instead"});
    t->coalesced = metrics_counter_create(
        t->registry, (struct metrics_name){"bertd_cache_coalesced_total", NULL,
                                           "Sequences that waited for an equal one that was being computed"});
}

/* So many buckets that the last one ends at the time limit or later. */
static uint32_t count_durations(uint32_t limit_ms)
{
    uint32_t n = LEAST_DURATIONS;
    while (n < DURATIONS && (limit_ms == 0 || durations[n - 1] * 1000 < limit_ms))
        n++;
    return n;
}

static struct metrics_histogram *seconds(struct serve_telemetry *t, const char *name, const char *help)
{
    return metrics_histogram_create(t->registry, (struct metrics_name){name, NULL, help}, durations, t->n_durations);
}

static void seconds_by_class(struct serve_telemetry *t, struct metrics_histogram **ret, const char *name,
                             const char *help)
{
    static const char *const classes[BATCH_CLASSES] = {"class=\"interactive\"", "class=\"bulk\""};
    for (int c = 0; c < BATCH_CLASSES; c++)
        ret[c] = metrics_histogram_create(t->registry, (struct metrics_name){name, classes[c], help}, durations,
                                          t->n_durations);
}

static struct metrics_histogram *sizes(struct serve_telemetry *t, const char *name, const char *help, uint32_t n)
{
    return metrics_histogram_create(t->registry, (struct metrics_name){name, NULL, help}, powers, n);
}

static void make_histograms(struct serve_telemetry *t)
{
    t->duration = seconds(t, "te_request_duration", "Seconds from the whole request to its encoded answer");
    t->tokenization = seconds(t, "te_request_tokenization_duration", "Seconds of tokenizing, a text");
    t->queue = seconds(t, "te_request_queue_duration", "Seconds of waiting for a board, mean over the texts");
    t->inference = seconds(t, "te_request_inference_duration", "Seconds on a board, mean over the texts");
    seconds_by_class(t, t->duration_of, "bertd_request_seconds", "Seconds of a request, by class");
    seconds_by_class(t, t->queue_of, "bertd_queue_seconds", "Seconds of waiting for a board, mean over the texts");
    seconds_by_class(t, t->inference_of, "bertd_inference_seconds", "Seconds on a board, mean over the texts");
    t->input_length = sizes(t, "te_request_input_length", "Tokens of a text, after truncation", 17);
    t->batch_size = sizes(t, "te_batch_next_size", "Texts in a batch", 13);
    t->batch_tokens = sizes(t, "te_batch_next_tokens", "Tokens in a batch", POWERS);
}

static struct batch_stats stats_of(void *cookie)
{
    struct batch_stats stats;
    batch_get_stats(((struct serve_server *)cookie)->options.batch, &stats);
    return stats;
}

static double queue_size(void *cookie)
{
    return stats_of(cookie).queued_items;
}

static double running_items(void *cookie)
{
    return stats_of(cookie).running_items;
}

static double boards_ready(void *cookie)
{
    return stats_of(cookie).boards_ready;
}

static double active_requests(void *cookie)
{
    return atomic_load(&((struct serve_server *)cookie)->active);
}

static double request_memory(void *cookie)
{
    return (double)atomic_load(&((struct serve_server *)cookie)->memory);
}

static double draining(void *cookie)
{
    return atomic_load(&((struct serve_server *)cookie)->draining);
}

static double boards(void *cookie)
{
    return ((struct serve_server *)cookie)->options.n_boards;
}

static double limit_requests(void *cookie)
{
    return ((struct serve_server *)cookie)->options.max_concurrent_requests;
}

static double limit_inputs(void *cookie)
{
    return ((struct serve_server *)cookie)->options.max_client_batch_size;
}

static double limit_input_tokens(void *cookie)
{
    return ((struct serve_server *)cookie)->options.max_input_length;
}

static double limit_batch_tokens(void *cookie)
{
    return ((struct serve_server *)cookie)->options.max_batch_tokens;
}

static double limit_memory(void *cookie)
{
    return (double)((struct serve_server *)cookie)->options.max_memory;
}

static double limit_seconds(void *cookie)
{
    uint32_t ms = ((struct serve_server *)cookie)->options.request_timeout_ms;
    return ms ? ms * 1e-3 : INFINITY;
}

static struct serve_cache_stats cache_stats_of(void *cookie)
{
    struct serve_cache *cache = ((struct serve_server *)cookie)->cache;
    struct serve_cache_stats stats = {0};
    if (cache)
        serve_cache_get_stats(cache, &stats);
    return stats;
}

static double cache_bytes(void *cookie)
{
    return (double)cache_stats_of(cookie).bytes;
}

static double cache_entries(void *cookie)
{
    return (double)cache_stats_of(cookie).entries;
}

static double cache_evictions(void *cookie)
{
    return (double)cache_stats_of(cookie).evictions;
}

static double limit_cache(void *cookie)
{
    return (double)((struct serve_server *)cookie)->options.cache_bytes;
}

static int make_gauges(struct serve_server *server)
{
    static const struct {
        struct metrics_name name;
        metrics_read *read;
    } gauges[] = {
        {{"te_queue_size", NULL, "Texts waiting for a board"}, queue_size},
        {{"bertd_running_texts", NULL, "Texts on a board"}, running_items},
        {{"bertd_active_requests", NULL, "Requests being worked on"}, active_requests},
        {{"bertd_request_memory_bytes", NULL, "Memory held by requests"}, request_memory},
        {{"bertd_boards_ready", NULL, "Boards in service"}, boards_ready},
        {{"bertd_boards", NULL, "Boards that the server was started with"}, boards},
        {{"bertd_draining", NULL, "1 from SIGTERM on"}, draining},
        {{"bertd_limit_concurrent_requests", NULL, "--max-concurrent-requests"}, limit_requests},
        {{"bertd_limit_request_inputs", NULL, "--max-client-batch-size"}, limit_inputs},
        {{"bertd_limit_input_tokens", NULL, "--max-input-length, or what the model takes"}, limit_input_tokens},
        {{"bertd_limit_batch_tokens", NULL, "--max-batch-tokens"}, limit_batch_tokens},
        {{"bertd_limit_request_memory_bytes", NULL, "--max-request-memory"}, limit_memory},
        {{"bertd_limit_request_seconds", NULL, "--request-timeout-ms"}, limit_seconds},
        {{"bertd_limit_cache_bytes", NULL, "--cache-bytes"}, limit_cache},
        {{"bertd_cache_bytes", NULL, "Memory in use for vectors that were computed before"}, cache_bytes},
        {{"bertd_cache_entries", NULL, "Vectors in the cache"}, cache_entries},
    };
    static const struct metrics_name evictions = {"bertd_cache_evictions_total", NULL,
                                                  "Vectors that were dropped from the cache for others"};
    int failed = metrics_gauge_create(server->telemetry.registry, evictions, cache_evictions, server, 1);
    for (size_t i = 0; i < sizeof gauges / sizeof *gauges; i++)
        failed |= metrics_gauge_create(server->telemetry.registry, gauges[i].name, gauges[i].read, server, 0);
    return failed;
}

static double spans_sent(void *cookie)
{
    struct trace_stats stats;
    trace_exporter_get_stats(cookie, &stats);
    return (double)stats.sent;
}

static double spans_dropped(void *cookie)
{
    struct trace_stats stats;
    trace_exporter_get_stats(cookie, &stats);
    return (double)stats.dropped;
}

static int make_trace_counters(struct serve_telemetry *t, struct trace_exporter *traces)
{
    const struct metrics_name sent = {"bertd_spans_sent_total", NULL, "Spans that the collector has taken"};
    const struct metrics_name dropped = {"bertd_spans_dropped_total", NULL,
                                         "Spans that were not sent, or that the collector has not taken"};
    if (!traces)
        return 0;
    return metrics_gauge_create(t->registry, sent, spans_sent, traces, 1) |
           metrics_gauge_create(t->registry, dropped, spans_dropped, traces, 1);
}

static void on_dispatch(void *cookie, uint32_t sequences, uint32_t tokens)
{
    struct serve_telemetry *telemetry = cookie;
    metrics_histogram_observe(telemetry->batch_size, sequences);
    metrics_histogram_observe(telemetry->batch_tokens, tokens);
}

enum status serve_telemetry_init(struct serve_server *server, struct error *err)
{
    struct serve_telemetry *t = &server->telemetry;
    t->registry = server->options.metrics;
    t->n_durations = count_durations(server->options.request_timeout_ms);
    make_counters(t);
    make_cache_counters(t);
    make_histograms(t);
    if (!t->batch_tokens || make_gauges(server) || make_trace_counters(t, server->options.traces) ||
        metrics_process_create(t->registry))
        return error_set(err, STATUS_NO_MEMORY, "no memory for the metrics");
    batch_set_on_dispatch(server->options.batch, on_dispatch, t);
    return STATUS_OK;
}
