/* libbertd: embeddings of texts from bertd, from text-embeddings-inference, and from servers with OpenAI's routes.
 *
 * Which of them an endpoint is, the library finds out by its first request to it, and remembers. bertd is asked in
 * protobuf over HTTP/1.1, the others in JSON; what a program sees is the same.
 *
 *   struct bertd_client *client = NULL;
 *   struct bertd_embeddings *found = NULL;
 *   const char *texts[] = {"one text", "another"};
 *   if (bertd_client_create(&client, NULL, NULL) == BERTD_OK &&
 *       bertd_embed(client, texts, NULL, 2, NULL, &found, NULL) == BERTD_OK)
 *       printf("%zu values each\n", found->width);
 *   bertd_free(found);
 *   bertd_client_destroy(&client);
 *
 * Ownership: what a function gives in `ret` is new where it returns BERTD_OK and untouched otherwise. Structs of
 * results are each one block: bertd_free frees one with all that its pointers name.
 *
 * Threads: a client may be used by any number of threads at once. A queue and its calls belong to one thread at a time.
 * The library has no state of its own outside of clients, starts no threads itself, writes nothing to files or
 * terminals, and neither sets signal handlers nor ends the process. libcurl below it is initialised with the first
 * client (curl_global_init), which libcurl 7.84 and later do safely in any thread; with an older one, call
 * curl_global_init yourself before there are threads.
 *
 * Growth: structs that a program fills begin with `size`, and structs of results may grow at their end. A program that
 * was built with an older header works with a newer library of the same soname.
 */
#ifndef BERTD_H
#define BERTD_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__GNUC__)
#define BERTD_API __attribute__((visibility("default")))
#else
#define BERTD_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Errors -------------------------------------------------------------------------------------------------------- */

/** How a call ended. The numbers stay. */
enum bertd_status {
    BERTD_OK = 0,
    BERTD_INVALID = 1,         /**< an argument or option is wrong; nothing was sent */
    BERTD_NO_MEMORY = 2,       /**< the allocator gave none, here */
    BERTD_CANCELLED = 3,       /**< by bertd_cancel_now or bertd_call_cancel, or the server was ended in a hurry */
    BERTD_DEADLINE = 4,        /**< `timeout_ms` passed, or the server says it would pass */
    BERTD_CONNECT = 5,         /**< no connection: name, port, proxy or socket is wrong, or nobody listens */
    BERTD_TLS = 6,             /**< no trust: certificate, name or key do not fit */
    BERTD_LOST = 7,            /**< the connection broke before the whole answer was there */
    BERTD_PROTOCOL = 8,        /**< the answer is not one of the servers that this library knows */
    BERTD_UNAUTHENTICATED = 9, /**< the API key is missing or wrong */
    BERTD_REFUSED = 10,        /**< the server says that the request is wrong; its words say what */
    BERTD_OVERLOADED = 11,     /**< the server has too much to do; `retry_after_ms` may say when to come again */
    BERTD_UNAVAILABLE = 12,    /**< the server does not serve at present */
    BERTD_SERVER = 13,         /**< the server failed on this request */
    BERTD_UNSUPPORTED = 14,    /**< this kind of server does not have this call */
    BERTD_BUFFER = 15,         /**< the caller's buffer is too small; the message says what it needs */
    BERTD_SYSTEM = 16          /**< the system gave no descriptor or libcurl could not be set up */
};

/** What went wrong. Filled where a function fails; untouched where it succeeds. */
struct bertd_error {
    enum bertd_status status;
    uint32_t http_status;    /**< of the last answer; 0: there was none */
    uint32_t retry_after_ms; /**< as the server said; 0: it did not */
    uint32_t attempts;       /**< requests that were sent for the part that failed */
    int64_t input;           /**< the input that the server names, counted from 0; -1: none */
    uint64_t reserved[4];    /**< for growth */
    char message[512];       /**< what happened and what to do: one line of UTF-8, safe on a terminal */
};

/** The name of a status, "OVERLOADED" for BERTD_OVERLOADED; "UNKNOWN" for what is none. Static. Thread: any */
BERTD_API const char *bertd_status_name(enum bertd_status status);

/** The version of the library, "0.1.0". Static. Thread: any */
BERTD_API const char *bertd_version(void);

/* Clients ------------------------------------------------------------------------------------------------------- */

struct bertd_client;
struct bertd_cancel;

/** What a client is made with. Everything that is 0 or NULL has the default. Borrowed for bertd_client_create. */
struct bertd_options {
    size_t size; /**< sizeof(struct bertd_options); bertd_options_default sets it */

    /** [n_endpoints] where the servers are: "http://host:3000", "https://host/prefix", "unix:/run/bertd.sock". All
     * serve the same model. A request goes to the one with the fewest requests of this client, the first of these in
     * order; where one fails, to another. Default: "http://127.0.0.1:3000". */
    const char *const *endpoints;
    size_t n_endpoints; /**< at most 64 */

    const char *api_key; /**< sent as Authorization: Bearer; default: none */
    const char *model;   /**< named to servers with OpenAI's routes; default: the one that they serve, if it is one */
    const char *proxy; /**< URL of a proxy; "": none; default: as the variables http_proxy, https_proxy, no_proxy say */

    const char *ca_file;   /**< PEM of whom to trust; default: the system's */
    const char *cert_file; /**< PEM of the client's certificate, where the server asks for one */
    const char *key_file;  /**< PEM of its key */
    int insecure;          /**< 1: whoever answers is trusted. For tests */

    uint32_t timeout_ms;         /**< of calls that do not say: for all of a call, tries included; default: 60000 */
    uint32_t connect_timeout_ms; /**< for one connection, and how long the machine at its other end may acknowledge
                                      nothing before it is LOST; default: 5000 */
    uint32_t retries;            /**< further tries of a request; default: 4; BERTD_NO_RETRIES: none */
    uint32_t backoff_ms;         /**< before the first retry, doubled with each up to 10 s, 50% to 100% of it by chance;
                                      default: 100 */
    uint32_t breaker_failures;   /**< failures in a row after which an endpoint rests; default: 5 */
    uint32_t breaker_rest_ms;    /**< its first rest, doubled with each up to 30 s; then one request tries it;
                                      default: 1000 */
    uint32_t connections;        /**< requests at once of one call that is split; default: 4, at most 64 */
    uint32_t max_batch;         /**< texts in one request; default: what the server takes (256 where it does not say) */
    uint64_t max_request_bytes; /**< of texts in one request; default: 1000000 */
    uint64_t max_answer_bytes;  /**< of one answer; what is longer is PROTOCOL; default: 1 GiB */

    /** Where the library's memory comes from: all three or none; default: the C library. They are called in any thread,
     *  and bertd_free calls the last one. libcurl has its own (curl_global_init_mem). */
    void *(*allocate)(void *cookie, size_t size);
    void *(*reallocate)(void *cookie, void *memory, size_t size);
    void (*release)(void *cookie, void *memory);
    void *memory_cookie;
};

/** For `retries`: a request is tried once. */
#define BERTD_NO_RETRIES UINT32_MAX

/** Options with their defaults. Thread: any */
static inline struct bertd_options bertd_options_default(void)
{
    struct bertd_options options;
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    return options;
}

/** Make a client. Nothing is sent: endpoints are reached by the first call.
 *  ret      new; bertd_client_destroy
 *  options  NULL: the defaults
 *  err      may be NULL, here and everywhere
 *  Errors:  INVALID, naming the option; NO_MEMORY; SYSTEM. Thread: any */
BERTD_API enum bertd_status bertd_client_create(struct bertd_client **ret, const struct bertd_options *options,
                                                struct bertd_error *err);

/** Close connections and free the client; `*client` becomes NULL, and may be NULL. Its queues must have been destroyed,
 *  and no call may run. Results and errors stay valid. Thread: any, once */
BERTD_API void bertd_client_destroy(struct bertd_client **client);

/** Free a result: struct bertd_embeddings, bertd_token_embeddings, bertd_tokens, bertd_info, bertd_text. NULL is fine.
 *  Thread: any */
BERTD_API void bertd_free(void *result);

/* Options of a call --------------------------------------------------------------------------------------------- */

/** Which work goes first where a server has more than it can do. Other servers than bertd do not know it. */
enum bertd_priority {
    BERTD_PRIORITY_DEFAULT = 0, /**< by the size of the request */
    BERTD_PRIORITY_INTERACTIVE = 1,
    BERTD_PRIORITY_BULK = 2
};

/** Yes, no, or as the server does it. */
enum bertd_choice { BERTD_DEFAULT = 0, BERTD_YES = 1, BERTD_NO = 2 };

/** The end at which a text that is too long is cut. */
enum bertd_direction { BERTD_RIGHT = 0, BERTD_LEFT = 1 };

/** How a call is made. Everything that is 0 or NULL has the default. Borrowed until the call is done. */
struct bertd_call_options {
    size_t size;                  /**< sizeof(struct bertd_call_options); bertd_call_options_default sets it */
    uint32_t timeout_ms;          /**< for the whole call, tries included; default: the client's. The server is
                                       told what is left of it, and drops what cannot be done by then */
    enum bertd_priority priority; /**< default: by size */
    enum bertd_choice truncate;   /**< cut texts that are too long, or refuse them; default: as the server does */
    enum bertd_direction truncate_direction; /**< default: right */
    enum bertd_choice normalize; /**< vectors of length 1; default: yes. Servers with OpenAI's routes decide */
    enum bertd_choice chunk;     /**< bertd: embed long texts in pieces, pooled; default: as the server does */
    uint32_t dimensions;         /**< keep so many values of a vector; default: all */
    const char *prompt_name;     /**< one of the model's prompts, put before each text; default: the server's */
    const char *request_id;      /**< what the server's log calls the requests; default: the server chooses */
    const char *traceparent;     /**< the trace that the requests belong to, as W3C Trace Context has it */
    struct bertd_cancel *cancel; /**< ends the call from another thread; default: none. Lives until then */
    float *buffer;               /**< bertd_embed: where vectors go; default: into the result's own block */
    size_t capacity;             /**< floats that `buffer` has room for */
};

/** Call options with their defaults. Thread: any */
static inline struct bertd_call_options bertd_call_options_default(void)
{
    struct bertd_call_options options;
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    return options;
}

/** Make a switch that ends calls. One may serve many calls, of many threads, one after the other too.
 *  ret      new; bertd_cancel_destroy
 *  Errors:  NO_MEMORY, SYSTEM. Thread: any */
BERTD_API enum bertd_status bertd_cancel_create(struct bertd_client *client, struct bertd_cancel **ret,
                                                struct bertd_error *err);

/** End all calls that have this switch, and those that get it later, with CANCELLED. Connections in use are closed, by
 *  which bertd notices and drops the work. Thread: any, and signal handlers */
BERTD_API void bertd_cancel_now(struct bertd_cancel *cancel);

/** Free a switch that no call has any more; `*cancel` becomes NULL, and may be NULL. Thread: any, once */
BERTD_API void bertd_cancel_destroy(struct bertd_cancel **cancel);

/* Calls that wait ----------------------------------------------------------------------------------------------- */
/* Texts are UTF-8: texts[n], lengths[n] in bytes, or NULL where each text ends with NUL. Borrowed for the call.
 * `options` may be NULL. Thread: any.
 *
 * What is tried again (embedding changes nothing on the server, so it is safe): connections that fail or break, and the
 * answers 429, 499, 502 and 503. Before that the library waits, as long as Retry-After says and at least the back-off;
 * with another endpoint that serves it does not wait. A wait that would go past the deadline is not begun: the call
 * ends at once with the last error. What is not tried again: all else, and time-outs of the call. */

/** Vectors of texts. */
struct bertd_embeddings {
    size_t rows;              /**< texts */
    size_t width;             /**< values of one vector */
    float *vectors;           /**< [rows][width], in the order of the texts; the caller's `buffer` where there is one */
    const uint32_t *tokens;   /**< [rows] tokens that each vector stands for; NULL: the server did not tell */
    const uint8_t *truncated; /**< [rows] 1: the text was cut; NULL: the server did not tell */
    uint64_t total_tokens;    /**< of all texts, as the server counts; 0: it did not tell */
};

/** Embed texts. More than one request takes are split, sent over several connections, and put together in order. All
 *  succeed, or the call fails.
 *  ret      new; bertd_free
 *  Errors:  all of enum bertd_status but UNSUPPORTED; INVALID where n is 0 */
BERTD_API enum bertd_status bertd_embed(struct bertd_client *client, const char *const *texts, const size_t *lengths,
                                        size_t n, const struct bertd_call_options *options,
                                        struct bertd_embeddings **ret, struct bertd_error *err);

/** Embed one text that ends with NUL.
 *  vector     [capacity] floats; the first *ret_width are set. What is in it after a failure is not defined
 *  ret_width  may be NULL
 *  Errors:    as bertd_embed; BUFFER where the vector is longer than `capacity` */
BERTD_API enum bertd_status bertd_embed_one(struct bertd_client *client, const char *text,
                                            const struct bertd_call_options *options, float *vector, size_t capacity,
                                            size_t *ret_width, struct bertd_error *err);

/** Vectors of each token of texts. */
struct bertd_token_embeddings {
    size_t texts;
    size_t width;         /**< values of one vector */
    const size_t *begin;  /**< [texts + 1] text i has the rows begin[i] to begin[i + 1] - 1 of `vectors` */
    const float *vectors; /**< [begin[texts]][width]: last hidden states, neither pooled nor normalised */
};

/** Embed each token of texts, special tokens included. `normalize`, `dimensions` and `buffer` do not count.
 *  ret      new; bertd_free
 *  Errors:  as bertd_embed; UNSUPPORTED by servers with OpenAI's routes */
BERTD_API enum bertd_status bertd_embed_all(struct bertd_client *client, const char *const *texts,
                                            const size_t *lengths, size_t n, const struct bertd_call_options *options,
                                            struct bertd_token_embeddings **ret, struct bertd_error *err);

/** How near texts are to another one: the cosines of their vectors, computed here from one bertd_embed.
 *  source   ends with NUL
 *  scores   [n], from -1 to 1. Untouched on failure
 *  Errors:  as bertd_embed */
BERTD_API enum bertd_status bertd_similarity(struct bertd_client *client, const char *source, const char *const *texts,
                                             const size_t *lengths, size_t n, const struct bertd_call_options *options,
                                             float *scores, struct bertd_error *err);

/** One token. */
struct bertd_token {
    uint32_t id;
    uint32_t special; /**< 1: added by the model's template, no part of the text; `begin` and `end` are 0 */
    size_t begin;     /**< where it begins in the text, in bytes of UTF-8 */
    size_t end;       /**< the first byte behind it */
    const char *text; /**< as it stands in the text, ends with NUL */
    size_t length;    /**< of `text`, in bytes */
};

/** Tokens of texts. */
struct bertd_tokens {
    size_t texts;
    const size_t *begin;              /**< [texts + 1] text i has tokens[begin[i]] to tokens[begin[i + 1] - 1] */
    const struct bertd_token *tokens; /**< [begin[texts]] */
};

/** Cut texts into tokens, with special ones. Nothing is left out. Of `options`, prompt_name and what is about the call
 *  as such count.
 *  ret      new; bertd_free
 *  Errors:  as bertd_embed; UNSUPPORTED by servers with OpenAI's routes */
BERTD_API enum bertd_status bertd_tokenize(struct bertd_client *client, const char *const *texts, const size_t *lengths,
                                           size_t n, const struct bertd_call_options *options,
                                           struct bertd_tokens **ret, struct bertd_error *err);

/** What answers at an endpoint. */
enum bertd_server {
    BERTD_SERVER_UNKNOWN = 0,
    BERTD_SERVER_BERTD = 1,
    BERTD_SERVER_TEI = 2,   /**< text-embeddings-inference */
    BERTD_SERVER_OPENAI = 3 /**< another with /v1/embeddings */
};

/** What is served. Texts are never NULL: "" where the server does not tell; so are numbers 0. */
struct bertd_info {
    enum bertd_server server;
    const char *endpoint; /**< which was asked */
    const char *version;  /**< of the server */
    const char *model_id;
    const char *served_model_name;
    const char *model_dtype;   /**< "int8", "float32" */
    const char *pooling;       /**< "mean", "cls", "max" */
    uint32_t max_input_length; /**< tokens of one text */
    uint32_t max_batch_tokens;
    uint32_t max_concurrent_requests;
    uint32_t max_client_batch_size; /**< texts of one request */
    uint32_t boards;                /**< bertd's */
    int auto_truncate;              /**< 1: texts that are too long are cut where a call does not say */
    const char *json;               /**< the whole answer */
    size_t json_length;             /**< bytes of `json`, which ends with NUL besides */
};

/** Ask one endpoint what it serves.
 *  ret      new; bertd_free
 *  Errors:  as bertd_embed */
BERTD_API enum bertd_status bertd_get_info(struct bertd_client *client, const struct bertd_call_options *options,
                                           struct bertd_info **ret, struct bertd_error *err);

/** Whether at least one endpoint serves: each is asked until one says so. OK: it does.
 *  Errors:  UNAVAILABLE, CONNECT and others: what the last one said */
BERTD_API enum bertd_status bertd_check_health(struct bertd_client *client, const struct bertd_call_options *options,
                                               struct bertd_error *err);

/** Bytes. */
struct bertd_text {
    const char *data; /**< [length], ends with NUL besides */
    size_t length;
};

/** GET a path of one endpoint, for what has no function here: "/boards", "/metrics".
 *  path     begins with "/"; the endpoint's own prefix is put before it
 *  ret      the body of the answer 200; new; bertd_free
 *  Errors:  as bertd_embed; UNSUPPORTED where there is no such path */
BERTD_API enum bertd_status bertd_get(struct bertd_client *client, const char *path,
                                      const struct bertd_call_options *options, struct bertd_text **ret,
                                      struct bertd_error *err);

/* Calls that do not wait ---------------------------------------------------------------------------------------- */
/* A queue holds any number of calls that are under way. It works on them inside of bertd_queue_poll and
 * bertd_queue_wait and nowhere else. In an event loop: wait until bertd_queue_fd is readable or bertd_queue_timeout_ms
 * has passed, then call bertd_queue_poll until it gives NULL. Submitting a call changes the time-out. */

struct bertd_queue;
struct bertd_call;

/** Make a queue, with connections of its own.
 *  ret      new; bertd_queue_destroy, before its client is destroyed
 *  Errors:  NO_MEMORY, SYSTEM. Thread: any */
BERTD_API enum bertd_status bertd_queue_create(struct bertd_client *client, struct bertd_queue **ret,
                                               struct bertd_error *err);

/** Cancel and destroy the queue's calls, close its connections, free it; `*queue` becomes NULL, and may be NULL.
 *  Thread: the queue's */
BERTD_API void bertd_queue_destroy(struct bertd_queue **queue);

/** Begin to embed texts.
 *  texts, lengths, options  as for bertd_embed, but borrowed until the call is done
 *  cookie   what bertd_call_cookie gives
 *  ret      new; bertd_call_destroy
 *  Errors:  INVALID, NO_MEMORY; all others are the call's. Thread: the queue's */
BERTD_API enum bertd_status bertd_submit_embed(struct bertd_queue *queue, const char *const *texts,
                                               const size_t *lengths, size_t n,
                                               const struct bertd_call_options *options, void *cookie,
                                               struct bertd_call **ret, struct bertd_error *err);

/** Begin to embed each token of texts; else as bertd_submit_embed. */
BERTD_API enum bertd_status bertd_submit_embed_all(struct bertd_queue *queue, const char *const *texts,
                                                   const size_t *lengths, size_t n,
                                                   const struct bertd_call_options *options, void *cookie,
                                                   struct bertd_call **ret, struct bertd_error *err);

/** Begin to tokenize texts; else as bertd_submit_embed. */
BERTD_API enum bertd_status bertd_submit_tokenize(struct bertd_queue *queue, const char *const *texts,
                                                  const size_t *lengths, size_t n,
                                                  const struct bertd_call_options *options, void *cookie,
                                                  struct bertd_call **ret, struct bertd_error *err);

/** A descriptor that is readable when there is something to do; for poll, select, epoll. It stays the same, and is the
 *  queue's: not to be read or closed. Thread: any */
BERTD_API int bertd_queue_fd(const struct bertd_queue *queue);

/** Milliseconds after which bertd_queue_poll wants to be called, whatever the descriptor says; -1: no need. As poll
 *  takes it. Thread: the queue's */
BERTD_API int bertd_queue_timeout_ms(const struct bertd_queue *queue);

/** Do what can be done without waiting, then give a call that is done, each once; NULL: none is. Still the caller's to
 *  destroy. Thread: the queue's */
BERTD_API struct bertd_call *bertd_queue_poll(struct bertd_queue *queue);

/** Do what bertd_queue_poll does, but wait until a call is done. NULL: `timeout_ms` passed, or nothing is under way.
 *  timeout_ms  -1: as long as it takes. Thread: the queue's */
BERTD_API struct bertd_call *bertd_queue_wait(struct bertd_queue *queue, int timeout_ms);

/** Calls that are not done. Thread: the queue's */
BERTD_API size_t bertd_queue_pending(const struct bertd_queue *queue);

/** The cookie that the call was submitted with. Thread: the queue's */
BERTD_API void *bertd_call_cookie(const struct bertd_call *call);

/** How a call ended. Returns BERTD_OK also while it is not done. Thread: the queue's */
BERTD_API enum bertd_status bertd_call_status(const struct bertd_call *call, struct bertd_error *err);

/** Take the result of a call that is done: what bertd_embed gives.
 *  ret      new; bertd_free. A second time there is none
 *  Errors:  how the call failed; INVALID where it is not done, is of another kind, or its result was taken.
 *  Thread:  the queue's */
BERTD_API enum bertd_status bertd_call_embeddings(struct bertd_call *call, struct bertd_embeddings **ret,
                                                  struct bertd_error *err);

/** Take the result of a call of bertd_submit_embed_all; else as bertd_call_embeddings. */
BERTD_API enum bertd_status bertd_call_token_embeddings(struct bertd_call *call, struct bertd_token_embeddings **ret,
                                                        struct bertd_error *err);

/** Take the result of a call of bertd_submit_tokenize; else as bertd_call_embeddings. */
BERTD_API enum bertd_status bertd_call_tokens(struct bertd_call *call, struct bertd_tokens **ret,
                                              struct bertd_error *err);

/** End a call with CANCELLED: it is done then, and bertd_queue_poll gives it. Nothing where it is done already.
 *  Thread: the queue's; elsewhere use `cancel` of the call's options */
BERTD_API void bertd_call_cancel(struct bertd_call *call);

/** Cancel a call that is not done, and free it with a result that was not taken; `*call` becomes NULL, and may be NULL.
 *  Thread: the queue's */
BERTD_API void bertd_call_destroy(struct bertd_call **call);

#ifdef __cplusplus
}
#endif

#endif
