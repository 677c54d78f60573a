/* What requests give, whatever they were encoded in. */
#ifndef BERTD_SERVE_INPUT_H
#define BERTD_SERVE_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Text in UTF-8, borrowed; may hold NUL and need not end with one. */
struct serve_string {
    const char *bytes; /* [len] */
    size_t len;
};

/** One input: a text, or token ids. Borrowed. */
struct serve_input {
    struct serve_string text; /* where `ids` is NULL */
    const uint32_t *ids;      /* [n_ids] */
    uint32_t n_ids;
};

/** The inputs of one request. Borrowed. */
struct serve_inputs {
    const struct serve_input *items; /* [n] */
    uint32_t n;
    bool single; /* given as one input, not as an array of one: errors and metrics call it so */
};

#endif
