/* Canonical ordering where it shows: runs of combining characters of which some outlive strip_accents.
 * Room-private. */
#ifndef BERTD_TOKEN_MARKS_H
#define BERTD_TOKEN_MARKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/token/normalise.h"

/** The text that runs are sought in. */
struct token_run {
    const uint8_t *text; /* valid UTF-8, borrowed */
    size_t begin, stop;  /* a run does not reach beyond */
    bool clean_text;     /* characters that cleaning drops do not end a run */
    uint64_t *steps;     /* grows by the characters looked at */
};

/** Put what strip_accents leaves of the run that the character at `at` belongs to, in canonical order; returns the
 *  run's end. All before `at` has been put. `at` is the run's first TOKEN_CHAR_ORDERED character: itself combining,
 *  or a letter whose decomposition ends in combining code points.
 *  Time: linear in the run's length. No memory. */
size_t token_marks_put(const struct token_run *run, size_t at, struct token_sink *sink);

#endif
