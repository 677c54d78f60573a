/* What a client is made of. Everything but what `lock` guards is read-only once it is made. */
#ifndef BERTD_CLIENT_CLIENT_H
#define BERTD_CLIENT_CLIENT_H

#include <pthread.h>

#include "clients/c/bertd.h"
#include "clients/c/memory.h"

enum { BERTD_MAX_ENDPOINTS = 64, BERTD_MAX_CONNECTIONS = 64 };

/** What is known of a server. All but `server` is 0 where it does not tell. */
struct bertd_knowledge {
    enum bertd_server server;
    bool rest_only;     /**< bertd without EmbedBatch */
    uint32_t max_batch; /**< texts of one request */
    const char *model;  /**< for OpenAI's routes; the endpoint's */
};

/** One of the servers. */
struct bertd_endpoint {
    char *shown;             /**< as it was given, for messages, without a password */
    char *base;              /**< URL without a slash at its end */
    char *socket;            /**< path of a Unix socket, or NULL */
    bool openai;             /**< its address ends with /v1 */
    struct bertd_info *info; /**< texts that `known` names; NULL: not asked yet */
    struct bertd_knowledge known;
    unsigned running;        /**< requests under way */
    unsigned failures;       /**< in a row */
    bool probing;            /**< a request tries whether it is well again */
    uint64_t rests_until_ms; /**< it gets no request before, by its failures or its Retry-After */
    struct bertd_error last; /**< why it rests */
};

struct bertd_client {
    struct bertd_memory memory;
    struct bertd_options options; /**< with defaults filled in; texts are copies, `endpoints` is NULL */
    struct bertd_endpoint *endpoints;
    size_t n_endpoints;
    bool curl;            /**< libcurl was initialised */
    pthread_mutex_t lock; /**< guards endpoints from `info` on, `random`, `failed_trials` and `idle` */
    uint64_t random;
    uint32_t failed_trials;   /* so often an endpoint that had rested failed again */
    struct bertd_queue *idle; /**< for calls that wait */
    unsigned n_idle;
};

/** Milliseconds of a clock that only goes forward. */
uint64_t bertd_client_now_ms(void);

#endif
