/* Calls that are under way. A call's texts are divided into parts as connections become free; each part is one request,
 * sent again where that helps. All of a call belongs to its queue's thread. */
#ifndef BERTD_CLIENT_CALL_H
#define BERTD_CLIENT_CALL_H

#include <curl/curl.h>

#include "clients/c/client.h"

enum bertd_operation { BERTD_EMBED, BERTD_EMBED_ALL, BERTD_TOKENIZE, BERTD_INFO, BERTD_HEALTH, BERTD_GET };

/** What a call is asked for. Everything is borrowed. */
struct bertd_inputs {
    enum bertd_operation operation;
    const char *const *texts; /**< [n] */
    const size_t *lengths;    /**< [n] or NULL */
    size_t n;                 /**< 1 for operations without texts */
    const char *path;         /**< of GET */
};

/** One request of libcurl's, with the memory that it uses again and again. */
struct bertd_transfer {
    CURL *easy;
    struct curl_slist *headers;
    struct bertd_bytes url;
    struct bertd_bytes body;
    struct bertd_bytes answer;
    size_t max_answer;
    bool too_long; /**< the answer is longer than that */
    bool listens;  /**< it waits for bytes of its connection, not for the connection */
    struct bertd_part *part;
    struct bertd_transfer *next; /**< among those that are free */
    char words[CURL_ERROR_SIZE];
};

enum bertd_step {
    BERTD_STEP_WAITING, /**< until `not_before_ms` */
    BERTD_STEP_INFO,    /**< finds out what answers: GET /info */
    BERTD_STEP_MODELS,  /**< and where that is not there: GET /v1/models */
    BERTD_STEP_REQUEST  /**< what the call is for */
};

/** One request of a call and its retries. */
struct bertd_part {
    struct bertd_call *call;
    struct bertd_part *next;
    size_t begin;
    size_t end; /**< begin: texts are not chosen yet */
    enum bertd_step step;
    uint64_t not_before_ms;
    uint32_t tries;
    bool waits;             /**< since all endpoints rest */
    uint32_t failed_trials; /**< of the client, that have been counted as its own */
    uint64_t tried;         /**< endpoints since the last pause */
    struct bertd_endpoint *endpoint;
    struct bertd_knowledge known;
    struct bertd_transfer *transfer;
};

/** Results of a part that are put together at the end. */
struct bertd_piece {
    struct bertd_piece *next; /**< by `begin` */
    size_t begin;
    size_t n;
    size_t *counts;            /**< [n] tokens of each text */
    struct bertd_bytes values; /**< floats, or struct bertd_token with offsets for texts */
    struct bertd_bytes texts;
};

/** Calls in the order in which they came. */
struct bertd_calls {
    struct bertd_call *first;
    struct bertd_call *last;
};

struct bertd_call {
    struct bertd_queue *queue;
    struct bertd_calls *list; /**< of the queue, in which this one is */
    struct bertd_call *next;
    struct bertd_call *previous;
    struct bertd_inputs inputs;
    struct bertd_call_options options;
    void *cookie;
    uint64_t deadline_ms;
    uint32_t retries;
    size_t next_text;  /**< the first that is in no part */
    size_t texts_done; /**< whose results are there */
    struct bertd_part *parts;
    unsigned n_parts;
    int cancel_fd; /**< the call's copy; -1: none */
    bool done;
    struct bertd_error error;
    /* Results: */
    struct bertd_embeddings *embeddings;
    bool lacks_tokens; /**< a part did not tell */
    bool lacks_truncated;
    struct bertd_piece *pieces;
    size_t width;
    void *result; /**< a block, when done */
};

/** A new call in its queue; nothing is sent yet.
 *  Errors: INVALID, NO_MEMORY, SYSTEM */
enum bertd_status bertd_call_create(struct bertd_queue *queue, const struct bertd_inputs *inputs,
                                    const struct bertd_call_options *options, void *cookie, struct bertd_call **ret,
                                    struct bertd_error *err);
/** Send what can be sent now, and see to deadline and cancellation. */
void bertd_call_advance(struct bertd_call *call, uint64_t now_ms);
/** A transfer of one of its parts ended. */
void bertd_call_on_transfer(struct bertd_transfer *transfer, CURLcode code, uint64_t now_ms);
/** End it where it is not done. */
void bertd_call_fail(struct bertd_call *call, const struct bertd_error *err);
/** Put it into another list of its queue. */
void bertd_call_move(struct bertd_call *call, struct bertd_calls *list);
/** When the call wants to be advanced, whatever happens. */
uint64_t bertd_call_wakes_ms(const struct bertd_call *call);

/** Length of a text of the call. */
size_t bertd_call_length(const struct bertd_inputs *inputs, size_t i);

#endif
