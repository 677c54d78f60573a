/* Requests as their endpoints want them, decoded from JSON bodies with the defaults of text-embeddings-inference.
 *
 * Unknown fields are ignored but told, null counts as absent, a field given twice is refused. Errors: MALFORMED (not
 * JSON), VALIDATION (a field of the wrong kind or out of its limits, named with what was expected), EMPTY, NO_MEMORY;
 * `ret` untouched on failure. Strings and arrays live in the body and the arena. Thread: any.
 */
#ifndef BERTD_WIRE_REQUEST_H
#define BERTD_WIRE_REQUEST_H

#include "server/token/token.h"
#include "server/wire/json.h"

struct wire_limits {
    uint32_t max_inputs; /* --max-client-batch-size */
};

enum { WIRE_UNKNOWN_NAMES = 4 };

/** Fields of a body that its endpoint does not have. */
struct wire_unknown {
    uint32_t n;
    struct wire_string names[WIRE_UNKNOWN_NAMES]; /* of the first ones */
};

/** A text, or token ids. */
struct wire_input {
    struct wire_string text; /* where `ids` is NULL */
    const uint32_t *ids;     /* [n_ids] */
    uint32_t n_ids;
};

struct wire_inputs {
    struct wire_input *items; /* [n], each not empty */
    uint32_t n;               /* > 0 */
    bool single;              /* `inputs` was no array of inputs */
};

/** What the server's options say for fields that are absent. */
struct wire_embed_defaults {
    bool truncate;
    bool chunk;
    uint32_t chunk_overlap;
};

/** What embedding requests have in common. */
struct wire_embed {
    struct wire_inputs inputs;
    bool truncate;
    enum token_direction direction;
    bool chunk;                     /* cut longer inputs up instead */
    uint32_t chunk_overlap;         /* tokens that neighbouring chunks share */
    struct wire_string prompt_name; /* bytes NULL: none */
    struct wire_unknown unknown;
    /* Only where `with_output` was asked for: */
    bool normalize;
    uint32_t dimensions; /* 0: all; else how many to keep, cut before normalising */
};

struct wire_tokenize {
    struct wire_inputs inputs; /* texts only */
    bool add_special_tokens;
    struct wire_string prompt_name;
    struct wire_unknown unknown;
};

struct wire_decode {
    struct wire_inputs inputs; /* ids only */
    bool skip_special_tokens;
    struct wire_unknown unknown;
};

/** POST /embed, and with `with_output` false /embed_all: {inputs, truncate?, truncation_direction?, prompt_name?,
 * chunk?, chunk_overlap?, normalize?, dimensions?}; `chunk` and `chunk_overlap` are bertd's own. */
enum status wire_embed_read(struct wire_embed *ret, const char *body, size_t len, const struct wire_limits *limits,
                            const struct wire_embed_defaults *defaults, bool with_output, struct arena *arena,
                            struct error *err);
/** POST /similarity: {inputs: {source_sentence, sentences}, parameters?: the optional fields of /embed_all}. The source
 * is the first of the inputs, the sentences follow. */
enum status wire_similarity_read(struct wire_embed *ret, const char *body, size_t len, const struct wire_limits *limits,
                                 const struct wire_embed_defaults *defaults, struct arena *arena, struct error *err);
/** POST /tokenize: {inputs, add_special_tokens?, prompt_name?}. */
enum status wire_tokenize_read(struct wire_tokenize *ret, const char *body, size_t len,
                               const struct wire_limits *limits, struct arena *arena, struct error *err);
/** POST /decode: {ids, skip_special_tokens?}. */
enum status wire_decode_read(struct wire_decode *ret, const char *body, size_t len, const struct wire_limits *limits,
                             struct arena *arena, struct error *err);

#endif
