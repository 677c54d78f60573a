/* The HTTP server: routes in text-embeddings-inference's conventions over libmicrohttpd.
 *
 * Life: http_listen (early: tells whether the port is free), http_server_create (serves from then on),
 * http_server_drain, http_server_close, http_server_active until 0, http_server_destroy.
 */
#ifndef BERTD_HTTP_HTTP_H
#define BERTD_HTTP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "server/batch/batch.h"
#include "server/metrics/metrics.h"
#include "server/token/token.h"

struct http_server;

/** What is served and within which limits. Everything pointed to is borrowed until http_server_destroy. */
struct http_options {
    /* The model. */
    const char *model_dir; /* for the prompts of config_sentence_transformers.json */
    const char *model_id;
    const char *served_model_name;
    const char *model_dtype;  /* "int8", "float32" */
    const char *compute_type; /* x-compute-type: what the boards are */
    const char *version;
    const struct token_vocab *vocab;
    struct batch *batch;
    uint32_t n_boards;  /* of the batch room */
    bool inject_faults; /* POST /admin/faults may */
    uint32_t width;     /* values of an embedding */
    enum batch_pooling pooling;
    uint32_t max_input_length; /* tokens */
    bool auto_truncate;
    bool auto_chunk;                 /* what these two mean where a request does not say */
    uint32_t chunk_overlap;          /* tokens */
    uint32_t max_chunks;             /* of one input */
    const char *default_prompt;      /* NULL: none */
    const char *default_prompt_name; /* NULL: none */
    /* Limits. */
    uint32_t max_concurrent_requests;
    uint32_t max_client_batch_size;
    uint32_t max_batch_tokens;   /* these two for /info */
    uint32_t max_batch_requests; /* 0: no limit */
    uint64_t payload_limit;
    uint64_t max_memory; /* bytes that all requests hold at once */
    uint32_t max_connections;
    uint32_t max_connections_per_ip; /* 0: no limit */
    uint32_t idle_timeout_s;
    uint32_t request_timeout_ms; /* 0: none */
    /* The server. */
    const char *api_key;           /* NULL: none asked for */
    const char *cors_allow_origin; /* NULL: none; "*", or origins with commas between */
    uint32_t workers;
    uint32_t cores; /* for the number of event threads */
    struct metrics_registry *metrics;
};

/** Bind a TCP socket without listening yet: others see the port taken, clients are refused.
 *  ret_fd    new; http_server_create takes it, else close it
 *  ret_port  the port, of use where `port` is 0
 *  Errors: USAGE (no such address), IO (taken, not allowed), naming address and port */
enum status http_listen(int *ret_fd, uint16_t *ret_port, const char *hostname, uint16_t port, struct error *err);
/** Begin to serve on `listen_fd`, which is taken on success. `ret`: new; http_server_destroy.
 *  Errors: NO_MEMORY, INTERNAL (threads, sockets), FORMAT (the prompts), USAGE (default_prompt_name unknown) */
enum status http_server_create(struct http_server **ret, const struct http_options *options, int listen_fd,
                               struct error *err);
/** From now on /health answers 503 and connections are closed after their answer; all else goes on. Thread: any. */
void http_server_drain(struct http_server *server);
/** Accept no more connections, answer new requests with 503. With `cancel`, give up those that run, too. */
void http_server_close(struct http_server *server, bool cancel);
/** Requests that have begun and whose answer is not yet sent. Thread: any. */
uint32_t http_server_active(struct http_server *server);
/** Close, cancel what runs and wait for it, cut what is being sent, free. Before batch_destroy. Sets the pointer to
 *  NULL; NULL is fine. */
void http_server_destroy(struct http_server **server);

/** The version of libmicrohttpd that runs, "1.0.1"; static. Before 1.0 some malformed requests get no answer. */
const char *http_library_version(void);

/** Ask the server at this address for /health, within 5 seconds. OK where it answers 200; UNHEALTHY else, saying what
 *  came instead. 0.0.0.0 and :: are asked at the loopback address. */
enum status http_check(const char *hostname, uint16_t port, struct error *err);

#endif
