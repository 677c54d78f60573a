/* Normalised text to words, words to pieces of the vocabulary. Room-private. */
#ifndef BERTD_TOKEN_WORDS_H
#define BERTD_TOKEN_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/token/list.h"
#include "server/token/normalise.h"
#include "server/token/vocab.h"

/** A sink that splits what it is given into words and lists their pieces. Call token_words_end when a stretch of text
 *  ends: words do not reach over added tokens. */
struct token_words {
    struct token_sink sink;
    const struct token_vocab *vocab; /* borrowed */
    const uint8_t *text;             /* the original, borrowed */
    struct token_list *list;         /* borrowed */
    uint64_t steps;                  /* trie nodes visited and pieces listed */

    /* The word being gathered; past the vocabulary's limit it is counted, but not kept. */
    uint32_t chars;
    uint32_t len;         /* bytes kept */
    uint32_t first, last; /* where its first and last character start in the original */
    uint8_t bytes[4 * TOKEN_MAX_WORD];
    uint32_t starts[4 * TOKEN_MAX_WORD]; /* where the character of each byte starts in the original */
};

/** Start, with no word begun. Nothing to free. */
void token_words_init(struct token_words *words, const struct token_vocab *vocab, const uint8_t *text,
                      struct token_list *list);
/** The stretch of text ends: list the word begun. */
void token_words_end(struct token_words *words);
/** Where the original's character that starts at `start` ends. */
uint32_t token_char_stop(const uint8_t *text, uint32_t start);

#endif
