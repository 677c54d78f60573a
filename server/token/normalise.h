/* BERT's normaliser: cleaning, CJK spacing, accents, case. Room-private. */
#ifndef BERTD_TOKEN_NORMALISE_H
#define BERTD_TOKEN_NORMALISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/token/vocab.h"

/** What takes the normalised text. */
struct token_sink {
    /** One code point, made from the character that starts at `start` in the original. */
    void (*put)(struct token_sink *sink, uint32_t cp, uint32_t start);
    /** A short cut, may be NULL: take the original's ASCII from `at` on, at most to `stop`; returns the first byte
     *  not taken. */
    size_t (*ascii)(struct token_sink *sink, size_t at, size_t stop);
};

/** Normalise text[begin, stop), whole characters of valid UTF-8, from left to right.
 *  `steps` grows by the characters looked at. Time: linear in stop - begin. */
void token_normalise(const struct token_switches *switches, const uint8_t *text, size_t begin, size_t stop,
                     struct token_sink *sink, uint64_t *steps);

/** A sink that keeps the text. */
struct token_normal {
    struct token_sink sink;
    uint8_t *bytes;   /* [len] UTF-8; owned */
    uint32_t *starts; /* [len] where the character of each byte starts in the original; owned */
    uint32_t len;
    uint32_t capacity;
    bool failed; /* memory ran out */
};

/** Start one, empty. Free with token_normal_finish. */
void token_normal_init(struct token_normal *normal);
void token_normal_finish(struct token_normal *normal);

#endif
