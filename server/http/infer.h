/* The core of every inference request: tokenise its inputs, submit them to the batch room, hold the results until
 * they are encoded. Endpoints of any protocol use it. Private to the room. */
#ifndef BERTD_HTTP_INFER_H
#define BERTD_HTTP_INFER_H

#include "server/http/call.h"
#include "server/http/server.h"
#include "server/wire/request.h"

/** What is asked for. */
struct http_infer_spec {
    const struct wire_inputs *inputs;
    bool truncate;
    bool chunk;
    uint32_t chunk_overlap;
    enum token_direction direction;
    struct wire_string prompt_name; /* bytes NULL: none */
    enum batch_pooling pooling;
};

/** One input of the request. */
struct http_infer_input {
    uint32_t first_item;
    uint32_t n_items;  /* more than one: windows */
    uint32_t n_tokens; /* that its vectors stand for, each counted once */
    bool truncated;    /* some of it was left out */
};

/** One request's inference; in the call's arena. */
struct http_infer {
    struct http_call *call;
    struct batch_work work;
    struct batch_item *items; /* [n_items], an input's next to each other; `out` holds the results, not normalised */
    uint32_t n_items;
    struct http_infer_input *inputs; /* [n_inputs] */
    uint32_t n_inputs;
    uint32_t width;    /* values in a vector */
    bool single;       /* for the metrics */
    uint64_t n_values; /* in all results */
    uint64_t tokens;   /* given to the boards, special ones included */
    uint64_t chars;
    uint64_t tokenization_ns; /* of all inputs */
    enum status outcome;      /* what the work came to */
};

/** Tokenise and submit. On OK the call has been handed over and may even be finished: touch it no more. When the work
 *  is done, the endpoint's encode finds it as call->infer.
 *  Errors: VALIDATION, TOKENIZER, OVERLOADED, UNHEALTHY, NO_MEMORY; the call is then still the caller's */
enum status http_infer_start(struct http_call *call, const struct http_infer_spec *spec, struct error *err);
/** Values in all results; NULL has none. */
uint64_t http_infer_values(const struct http_infer *infer);
/** One vector an input [n_inputs][width], once the work is done: windows are pooled, in place. */
float *http_infer_rows(struct http_infer *infer);
/** The vectors of one input's tokens [n_tokens][width], where the pooling is NONE. */
const float *http_infer_tokens(const struct http_infer *infer, uint32_t input);
/** Means over the items, in nanoseconds. */
uint64_t http_infer_queue_ns(const struct http_infer *infer);
uint64_t http_infer_inference_ns(const struct http_infer *infer);
/** Add a successful inference to the metrics. */
void http_infer_count(const struct http_infer *infer);

/** The places of truncated inputs as "0,5,7-9", ending in "..." where `size` is too little for all.
 *  Returns how many there are. */
uint32_t http_infer_truncated(const struct http_infer_input *inputs, uint32_t n, char *text, size_t size);

/** Divide the first `n` values by their length (L2); zero stays zero. Summed in double precision in order, so that
 *  the bits depend on the values alone. */
void http_normalize(float *values, uint32_t n);

#endif
