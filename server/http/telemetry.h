/* What the server counts: the names of text-embeddings-inference (te_), and ours (bertd_). Private to the room. */
#ifndef BERTD_HTTP_TELEMETRY_H
#define BERTD_HTTP_TELEMETRY_H

#include "base/status.h"
#include "server/batch/batch.h"
#include "server/metrics/metrics.h"

struct http_server;

enum http_method_label { HTTP_SINGLE, HTTP_BATCH, HTTP_TOKENIZE, HTTP_DECODE, HTTP_METHOD_LABELS };

struct http_telemetry {
    struct metrics_registry *registry;
    struct metrics_counter *requests[HTTP_METHOD_LABELS];
    struct metrics_counter *successes[HTTP_METHOD_LABELS];
    struct metrics_counter *failures[STATUS_COUNT];
    struct metrics_counter *inputs; /* te_embed_count: texts, not requests */
    struct metrics_counter *embedded;
    struct metrics_histogram *duration;
    struct metrics_histogram *tokenization;
    struct metrics_histogram *queue;
    struct metrics_histogram *queue_of[BATCH_CLASSES];
    struct metrics_histogram *inference;
    struct metrics_histogram *input_length;
    struct metrics_histogram *batch_size;
    struct metrics_histogram *batch_tokens;
};

/** Make all metrics of the server in its registry, and follow its batch room's dispatches. Errors: NO_MEMORY. */
enum status http_telemetry_init(struct http_server *server, struct error *err);

#endif
