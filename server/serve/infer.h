/* Inference: inputs are tokenised and submitted to the scheduler; the results are held until they are encoded. */
#ifndef BERTD_SERVE_INFER_H
#define BERTD_SERVE_INFER_H

#include "server/serve/call.h"
#include "server/serve/input.h"
#include "server/serve/share.h"
#include "server/token/token.h"

/** What is asked for. */
struct serve_infer_spec {
    struct serve_inputs inputs;
    bool truncate;          /* cut what is too long; else it is refused */
    bool chunk;             /* split what is too long into windows instead */
    uint32_t chunk_overlap; /* tokens that neighbouring windows share */
    enum token_direction direction;
    struct serve_string prompt_name; /* bytes NULL: none */
    enum batch_pooling pooling;      /* NONE: a vector a token */
    /* Of pooled vectors: */
    uint32_t dimensions; /* keep so many values; 0: all */
    bool normalize;      /* to length 1, after cutting */
};

/** One input of the request. */
struct serve_infer_input {
    uint32_t first_item;
    uint32_t n_items;  /* more than one: windows */
    uint32_t n_tokens; /* that its vectors stand for, each counted once */
    bool truncated;    /* some of it was left out */
};

/** One request's inference; in the call's arena. */
struct serve_infer {
    struct serve_call *call;
    struct batch_work work;
    struct batch_item *items; /* [n_items], an input's next to each other; `out` holds the results, not normalised */
    uint32_t n_items;
    struct serve_party party; /* its parts [n_items] belong to the items; none where nothing is shared */
    struct batch_item *led;   /* [party.n_leads], copies of the items that the work has where results are shared */
    struct serve_infer_input *inputs; /* [n_inputs] */
    uint32_t n_inputs;
    uint32_t width; /* values in a vector */
    uint32_t keep;  /* of them, asked for */
    bool normalize;
    bool single;              /* for the metrics */
    uint64_t n_values;        /* in all results */
    uint64_t tokens;          /* of all items, special ones included */
    uint64_t chars;           /* of all inputs; ids count as one each */
    uint64_t begun_ns;        /* when tokenization began */
    uint64_t tokenization_ns; /* of all inputs */
};

/** What an inference took and covered, as transports tell it beside the results. */
struct serve_infer_report {
    uint64_t total_ns;        /* from the whole request to now */
    uint64_t tokenization_ns; /* mean over the inputs */
    uint64_t queue_ns;        /* mean over the sequences that were not in the cache */
    uint64_t inference_ns;    /* mean over the sequences that were not in the cache */
    uint64_t chars;           /* of all inputs */
    uint64_t tokens;          /* of all sequences, whether boards or the cache gave their vectors */
    uint32_t n_computed;      /* sequences that were not in the cache */
    uint32_t n_cached;        /* inputs that were wholly in the cache */
    uint32_t n_truncated;     /* inputs that their vectors do not stand for as a whole: see serve_infer_input */
};

/** Tokenise and have computed what is not in the cache; the end of a method's start. `spec` and what it points to are
 * borrowed for the call. When the work is done, the method's encode finds the results as call->infer. PENDING: the call
 * has been handed over and may even be finished: touch it no more. DONE: call->status is one of EMPTY, VALIDATION,
 * TOKENIZER, OVERLOADED (memory), NO_MEMORY. Later it may also become OVERLOADED, UNHEALTHY, TIMEOUT (not done by the
 * deadline, or already past it), CANCELLED or BACKEND. */
enum serve_progress serve_infer_start(struct serve_call *call, const struct serve_infer_spec *spec);
/** One vector an input [n_inputs][width], of each the first `keep` values: windows are pooled, vectors cut and
 *  normalised, in place. Once, for a call whose status is OK and whose pooling is not NONE. Borrowed from the call. */
const float *serve_infer_rows(struct serve_infer *infer);
/** The cosines of the first input's vector with each of the others', ret [n_inputs - 1]. As serve_infer_rows, in its
 *  place. */
void serve_infer_similarities(struct serve_infer *infer, float *ret);
/** The vectors of one input's tokens [n_tokens][width], where the pooling is NONE. Borrowed from the call. */
const float *serve_infer_tokens(const struct serve_infer *infer, uint32_t input);
/** Of a call whose status is OK. */
void serve_infer_report(const struct serve_infer *infer, struct serve_infer_report *ret);

/** Visit with each figure of the report under the name that clients of text-embeddings-inference know, "x-queue-time",
 *  and as text, times in whole milliseconds. Both strings are borrowed until `visit` returns. */
void serve_infer_tell(const struct serve_infer *infer, const struct serve_infer_report *report,
                      void (*visit)(void *cookie, const char *name, const char *value), void *cookie);

/** Add a successful inference to the metrics. The room's own. */
void serve_infer_count(const struct serve_infer *infer);
/** The cosine of two vectors [n], 0 where one of them is zero. Summed in double precision in order. The room's own. */
float serve_cosine(const float *a, const float *b, uint32_t n);
/** Divide the first `n` values by their length (L2); zero stays zero. Summed in double precision in order, so that
 *  the bits depend on the values alone. The room's own. */
void serve_normalize(float *values, uint32_t n);

#endif
