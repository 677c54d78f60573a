/* What the server counts: the names of text-embeddings-inference (te_), and ours (bertd_). Private to the room. */
#ifndef BERTD_SERVE_TELEMETRY_H
#define BERTD_SERVE_TELEMETRY_H

#include "base/status.h"
#include "server/batch/batch.h"
#include "server/metrics/metrics.h"

struct serve_server;

enum serve_request_kind { SERVE_SINGLE, SERVE_BATCH, SERVE_TOKENIZE, SERVE_DECODE, SERVE_REQUEST_KINDS };

struct serve_telemetry {
    struct metrics_registry *registry;
    uint32_t n_durations; /* buckets of histograms of seconds */
    struct metrics_counter *requests[SERVE_REQUEST_KINDS];
    struct metrics_counter *successes[SERVE_REQUEST_KINDS];
    struct metrics_counter *failures[STATUS_COUNT];
    struct metrics_counter *inputs; /* te_embed_count: texts, not requests */
    struct metrics_counter *embedded;
    struct metrics_counter *truncated;
    struct metrics_counter *unknown_fields;
    struct metrics_counter *cache_hits;
    struct metrics_counter *cache_misses;
    struct metrics_counter *coalesced;
    struct metrics_histogram *duration;
    struct metrics_histogram *duration_of[BATCH_CLASSES];
    struct metrics_histogram *tokenization;
    struct metrics_histogram *queue;
    struct metrics_histogram *queue_of[BATCH_CLASSES];
    struct metrics_histogram *inference;
    struct metrics_histogram *inference_of[BATCH_CLASSES];
    struct metrics_histogram *input_length;
    struct metrics_histogram *batch_size;
    struct metrics_histogram *batch_tokens;
};

/** Make all metrics of the server in its registry, and follow its scheduler's dispatches. Errors: NO_MEMORY. */
enum status serve_telemetry_init(struct serve_server *server, struct error *err);

#endif
