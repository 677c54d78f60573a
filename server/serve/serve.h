/* The request core: what becomes of a request once a transport has received it, whatever its protocol.
 *
 * It admits, validates, tokenises, submits to the scheduler, and reports a status with words, or embeddings. It knows
 * no protocol and no encoding: a transport (server/http) brings requests as calls (call.h) and says how each is decoded
 * and its answer encoded. Endpoints use infer.h and tokens.h. Several transports may share one server.
 *
 * Life: serve_server_create, the transports; serve_server_drain, serve_server_close, the transports' ends,
 * serve_server_destroy.
 */
#ifndef BERTD_SERVE_SERVE_H
#define BERTD_SERVE_SERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "server/batch/batch.h"
#include "server/metrics/metrics.h"
#include "server/token/token.h"
#include "server/trace/trace.h"

struct serve_server;

/** What is served and within which limits. Everything pointed to is borrowed until serve_server_destroy. */
struct serve_options {
    /* The model. */
    const char *model_dir; /* for the prompts of config_sentence_transformers.json */
    const char *model_id;
    const char *served_model_name;
    const char *model_dtype;     /* "int8", "float32" */
    const char *compute_type;    /* what the boards are: "cpu", "fpga+emulated" */
    const char *instruction_set; /* what they run on: "avx2" */
    const char *version;
    const struct token_vocab *vocab;
    struct batch *batch;
    uint32_t n_boards;  /* of the scheduler */
    bool inject_faults; /* requests may make boards fail */
    uint32_t width;     /* values of an embedding */
    enum batch_pooling pooling;
    bool unpooled_prompt;            /* pooling leaves out a prompt's tokens, and [CLS] before them */
    uint32_t max_input_length;       /* tokens */
    bool auto_truncate;              /* where a request does not say */
    bool auto_chunk;                 /* where a request does not say */
    uint32_t chunk_overlap;          /* tokens, where a request does not say */
    uint32_t max_chunks;             /* of one input */
    const char *default_prompt;      /* NULL: none */
    const char *default_prompt_name; /* NULL: none */
    /* Who may call, see access.h. */
    const char *api_key;       /* NULL: none */
    const char *api_keys_file; /* NULL: none */
    /* Limits. */
    uint32_t max_concurrent_requests;
    uint32_t max_client_batch_size; /* inputs of one request */
    uint32_t max_batch_tokens;      /* to be told: the scheduler keeps it */
    uint32_t max_batch_requests;    /* to be told: the scheduler keeps it; 0: no limit */
    uint64_t max_memory;            /* bytes that all requests hold at once */
    uint64_t cache_bytes;           /* for vectors that were computed before; 0: none are kept */
    bool cache_shared;              /* they serve all callers; else each only calls of its own credential */
    uint32_t request_timeout_ms;    /* 0: none */
    /* The server. */
    uint32_t workers; /* threads that decode and encode long bodies */
    struct metrics_registry *metrics;
    struct trace_exporter *traces; /* NULL: no spans are sent */
};

/** Begin to serve calls. `ret`: new; serve_server_destroy.
 *  Errors: NO_MEMORY, INTERNAL (threads), FORMAT and IO (the prompts' file), USAGE (default_prompt_name unknown,
 *  cache_bytes too few; what is wrong in the file of keys) */
enum status serve_server_create(struct serve_server **ret, const struct serve_options *options, struct error *err);
/** From now on serve_server_check fails; all else goes on. Thread: any. */
void serve_server_drain(struct serve_server *server);
/** Refuse new calls with UNHEALTHY. With `cancel`, give up those that run, too: each still becomes ready. Thread: any.
 */
void serve_server_close(struct serve_server *server, bool cancel);
/** End the threads and free, when no call is left and before batch_destroy. Sets the pointer to NULL; NULL is fine. */
void serve_server_destroy(struct serve_server **server);

/** The options as they were given. Thread: any. */
const struct serve_options *serve_server_options(const struct serve_server *server);
/** OK when a request would be served. Errors: UNHEALTHY (draining, or no board in service). Thread: any. */
enum status serve_server_check(struct serve_server *server, struct error *err);
/** Reserve `bytes` against --max-request-memory for what is not yet a call's; serve_server_release gives them back.
 *  Errors: OVERLOADED. Thread: any */
enum status serve_server_reserve(struct serve_server *server, uint64_t bytes, struct error *err);
void serve_server_release(struct serve_server *server, uint64_t bytes);
/** True from serve_server_drain or serve_server_close on. Thread: any. */
bool serve_server_is_draining(const struct serve_server *server);

#endif
