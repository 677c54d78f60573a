/* What the reference library knows of each code point: tables made at build time from unicode/unicode.tsv.
 * Room-private. Its Unicode data are old on purpose, so a newer Unicode library does not replace them. */
#ifndef BERTD_TOKEN_UNICODE_H
#define BERTD_TOKEN_UNICODE_H

#include <stdint.h>

enum token_char_flag {
    TOKEN_CHAR_DROP = 1 << 0,    /* removed by clean_text */
    TOKEN_CHAR_SPACE = 1 << 1,   /* turned to U+0020 by clean_text */
    TOKEN_CHAR_WHITE = 1 << 2,   /* splits words */
    TOKEN_CHAR_PUNCT = 1 << 3,   /* a word of its own */
    TOKEN_CHAR_CJK = 1 << 4,     /* set apart by handle_chinese_chars */
    TOKEN_CHAR_MARK = 1 << 5,    /* removed by strip_accents */
    TOKEN_CHAR_WORD = 1 << 6,    /* a word character to an added token with single_word */
    TOKEN_CHAR_ORDERED = 1 << 7, /* its decomposition holds a combining code point that strip_accents leaves */
};

/** One kind of code point. Hangul syllables do not carry their decomposition: it is arithmetic. */
struct token_char {
    int32_t lower;   /* added to the code point, gives its lower case */
    uint16_t nfd;    /* where its canonical decomposition starts in token_char_nfd */
    uint8_t nfd_len; /* code points of the decomposition; 0: none */
    uint8_t ccc;     /* canonical combining class of the (first) code point */
    uint32_t flags;  /* of enum token_char_flag */
};

enum { TOKEN_CHAR_BLOCK = 128 };

extern const uint16_t token_char_blocks[0x110000 / TOKEN_CHAR_BLOCK];
extern const uint16_t token_char_cells[][TOKEN_CHAR_BLOCK];
extern const struct token_char token_char_records[];
extern const uint32_t token_char_nfd[];

/** The record of a code point below 0x110000. Thread: any. */
static inline const struct token_char *token_char_of(uint32_t cp)
{
    return &token_char_records[token_char_cells[token_char_blocks[cp / TOKEN_CHAR_BLOCK]][cp % TOKEN_CHAR_BLOCK]];
}

#endif
