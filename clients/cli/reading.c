#include "clients/cli/reading.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clients/cli/metrics.h"
#include "clients/cli/terminal.h"

static const char *const class_labels[CLI_CLASSES] = {"class=\"interactive\"", "class=\"bulk\""};
static const char *const class_names[CLI_CLASSES] = {"interactive", "bulk"};

/* What a counter grew by in a second. */
static double rate(const struct cli_reading *reading, const char *before, const char *name, const char *label)
{
    double grown = cli_metrics_sum(reading->metrics, name, label);
    if (before)
        grown -= cli_metrics_sum(before, name, label);
    double seconds = before ? reading->interval : reading->up_seconds;
    return seconds > 0 && grown > 0 ? grown / seconds : 0;
}

static void read_classes(struct cli_reading *reading, const char *before)
{
    for (int i = 0; i < CLI_CLASSES; i++) {
        struct cli_class *class = &reading->classes[i];
        const char *label = class_labels[i];
        class->requests = rate(reading, before, "bertd_request_seconds_count", label);
        class->p50 = cli_metrics_quantile(reading->metrics, before, "bertd_request_seconds", label, 0.5);
        class->p99 = cli_metrics_quantile(reading->metrics, before, "bertd_request_seconds", label, 0.99);
        class->queue_items = cli_metrics_sum(reading->metrics, "bertd_queue_items", label);
        class->queue_tokens = cli_metrics_sum(reading->metrics, "bertd_queue_tokens", label);
    }
}

static void read_metrics(struct cli_reading *reading, const char *before)
{
    const char *text = reading->metrics;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    double began = cli_metrics_sum(text, "process_start_time_seconds", NULL);
    reading->up_seconds = began > 0 && (double)now.tv_sec > began ? (double)now.tv_sec - began : 0;
    reading->draining = cli_metrics_sum(text, "bertd_draining", NULL) > 0;
    reading->ready = cli_metrics_sum(text, "bertd_boards_ready", NULL);
    reading->n_boards = cli_metrics_sum(text, "bertd_boards", NULL);
    reading->texts = rate(reading, before, "te_embed_success", NULL);
    reading->tokens = rate(reading, before, "te_request_input_length_sum", NULL);
    reading->failed = rate(reading, before, "te_request_failure", NULL);
    double hits = rate(reading, before, "bertd_cache_hits_total", NULL);
    double misses = rate(reading, before, "bertd_cache_misses_total", NULL) +
                    rate(reading, before, "bertd_cache_coalesced_total", NULL);
    bool cache = cli_metrics_sum(text, "bertd_limit_cache_bytes", NULL) > 0;
    reading->hit_share = !cache ? -1 : hits > 0 ? hits / (hits + misses) : 0;
    reading->active_requests = cli_metrics_sum(text, "bertd_active_requests", NULL);
    reading->running_texts = cli_metrics_sum(text, "bertd_running_texts", NULL);
    reading->connections = cli_metrics_sum(text, "bertd_connections", NULL);
    reading->memory_bytes = cli_metrics_sum(text, "process_resident_memory_bytes", NULL);
    reading->cpu = rate(reading, before, "process_cpu_seconds_total", NULL);
    read_classes(reading, before);
}

enum bertd_status cli_reading_take(struct cli_reading *ret, const struct cli_reading *before,
                                   struct bertd_client *client, const struct bertd_call_options *call,
                                   struct bertd_error *error)
{
    struct bertd_text *boards = NULL, *metrics = NULL;
    struct cli_reading reading = {.time = cli_now()};
    enum bertd_status status = bertd_get(client, "/boards", call, &boards, error);
    if (status == BERTD_OK)
        status = bertd_get(client, "/metrics", call, &metrics, error);
    if (status == BERTD_OK) {
        reading.boards = json_loadb(boards->data, boards->length, 0, NULL);
        reading.metrics = strdup(metrics->data);
        if (!reading.metrics || !json_is_array(json_object_get(reading.boards, "boards"))) {
            error->status = status = BERTD_PROTOCOL;
            snprintf(error->message, sizeof error->message, "what /boards answers is not bertd's: status needs bertd");
        }
    }
    bertd_free(boards);
    bertd_free(metrics);
    if (status != BERTD_OK) {
        cli_reading_finish(&reading);
        return status;
    }
    reading.interval = before ? reading.time - before->time : 0;
    read_metrics(&reading, before ? before->metrics : NULL);
    *ret = reading;
    return BERTD_OK;
}

void cli_reading_finish(struct cli_reading *reading)
{
    free(reading->metrics);
    json_decref(reading->boards);
    *reading = (struct cli_reading){0};
}

json_t *cli_reading_json(const struct cli_reading *reading)
{
    json_t *classes = json_object();
    for (int i = 0; i < CLI_CLASSES; i++) {
        const struct cli_class *class = &reading->classes[i];
        json_object_set_new(classes, class_names[i],
                            json_pack("{s:f, s:f, s:f, s:f, s:f}", "requests_per_second", class->requests,
                                      "p50_seconds", class->p50, "p99_seconds", class->p99, "queue_texts",
                                      class->queue_items, "queue_tokens", class->queue_tokens));
    }
    json_t *root =
        json_pack("{s:f, s:b, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:o, s:O}", "interval_seconds",
                  reading->interval, "draining", (int)reading->draining, "boards_ready", reading->ready, "boards_all",
                  reading->n_boards, "texts_per_second", reading->texts, "tokens_per_second", reading->tokens,
                  "failed_per_second", reading->failed, "active_requests", reading->active_requests, "running_texts",
                  reading->running_texts, "connections", reading->connections, "memory_bytes", reading->memory_bytes,
                  "cpu_cores", reading->cpu, "up_seconds", reading->up_seconds, "classes", classes, "boards",
                  json_object_get(reading->boards, "boards"));
    if (root)
        json_object_set_new(root, "cache_hit_share",
                            reading->hit_share < 0 ? json_null() : json_real(reading->hit_share));
    return root;
}
