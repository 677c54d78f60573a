/* Added tokens: entries that are found in the text as they stand, before words are made. Room-private. */
#ifndef BERTD_TOKEN_ADDED_H
#define BERTD_TOKEN_ADDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "server/token/trie.h"

/** One of tokenizer.json's added_tokens. */
struct token_added {
    const char *text; /* borrowed from the vocabulary */
    uint32_t id;
    bool special;
    bool single_word; /* found only where no word character touches it */
    bool lstrip;      /* takes the white space before it */
    bool rstrip;      /* and behind it */
    bool normalized;  /* sought in the normalised text, in its own normalised form */
};

/** A set of added tokens to look for; the values of the trie are indices into the vocabulary's `added`. */
struct token_matcher {
    const struct token_added *added; /* borrowed */
    struct token_trie trie;
    bool first[256]; /* bytes that a token starts with */
    bool any;
};

/** A search through one text, from left to right. */
struct token_search {
    const struct token_matcher *matcher;
    const uint8_t *text; /* [len], UTF-8, borrowed */
    size_t len;
    size_t at;          /* where to look on */
    size_t taken;       /* the end of the match before */
    size_t white_until; /* white space is known to reach from `at` or before to here */
    uint64_t steps;     /* bytes and nodes looked at */
};

struct token_match {
    size_t start, stop;
    const struct token_added *token;
};

/** The next match: leftmost, then longest. False when there is none. A match may be empty or start before the end of
 *  the one before, where white space that one took in is part of its own text. */
bool token_search_next(struct token_search *search, struct token_match *ret);

#endif
