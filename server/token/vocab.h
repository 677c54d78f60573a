/* What a tokenizer was loaded from, ready for encoding. Room-private; read-only once built. */
#ifndef BERTD_TOKEN_VOCAB_H
#define BERTD_TOKEN_VOCAB_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "server/token/added.h"
#include "server/token/token.h"
#include "server/token/trie.h"

enum {
    TOKEN_MAX_ID = 1 << 22,    /* ids are below it */
    TOKEN_MAX_WORD = 1000,     /* the most that max_input_chars_per_word may be */
    TOKEN_MAX_ENTRY = 1 << 12, /* bytes of an entry */
    TOKEN_MAX_TEMPLATE = 16,   /* items of a template */
    TOKEN_MAX_JSON = 64 << 20, /* bytes of tokenizer.json, vocab.txt, tokenizer_config.json */
};

/** BertNormalizer's switches. */
struct token_switches {
    bool clean_text;
    bool handle_chinese_chars;
    bool strip_accents;
    bool lowercase;
};

enum token_slot { TOKEN_SLOT_ID, TOKEN_SLOT_FIRST, TOKEN_SLOT_SECOND }; /* a special token, or a text's tokens */

struct token_template_item {
    enum token_slot slot;
    uint32_t id; /* of a special token */
    uint8_t type_id;
};

/** The order of texts and special tokens. */
struct token_template {
    uint32_t n;
    uint32_t n_special; /* items that are special tokens */
    struct token_template_item items[TOKEN_MAX_TEMPLATE];
};

/** What to do with an ASCII byte; anything above TOKEN_ASCII_LAST is the letter to put into the word. */
enum token_ascii { TOKEN_ASCII_OTHER, TOKEN_ASCII_SPACE, TOKEN_ASCII_PUNCT, TOKEN_ASCII_DROP, TOKEN_ASCII_LAST = 3 };

struct token_vocab {
    const char **texts; /* [size], into `bytes`; NULL where an id has no entry */
    bool *special;      /* [size] */
    char *bytes;
    uint32_t size;
    struct token_switches switches;
    uint8_t ascii[256]; /* what the normaliser makes of a byte; at and above 0x80 TOKEN_ASCII_OTHER */

    struct token_trie pieces; /* the entries of the model: not those that only added_tokens knows */
    uint32_t continuation;    /* the node behind the prefix of continuing pieces; may be TOKEN_TRIE_NONE */
    uint32_t unk_id;
    uint32_t max_word; /* code points; a longer word is unknown */

    struct token_added *added; /* [n_added] */
    uint32_t n_added;
    struct token_matcher raw;        /* those sought in the text */
    struct token_matcher normalised; /* those sought in the normalised text */

    struct token_template single, pair;

    bool has_decoder; /* otherwise entries are joined with spaces */
    bool cleanup;
    char *decoder_prefix;
    char note[128]; /* a contradiction in the directory's files; "": none */
};

/** Fill a zeroed vocab from a parsed tokenizer.json, borrowed for the call. After an error finish it all the same.
 *  Errors: FORMAT, UNSUPPORTED, NO_MEMORY */
enum status token_vocab_read(struct token_vocab *vocab, const json_t *root, struct error *err);
/** The same as a new vocabulary; free with token_vocab_destroy. */
enum status token_vocab_create(struct token_vocab **ret, const json_t *root, struct error *err);
/** Fill texts, special, pieces, continuation, unk_id, added from `model` and `added_tokens` (may be NULL). */
enum status token_entries_read(struct token_vocab *vocab, const json_t *model, const json_t *added_tokens,
                               struct error *err);
/** Fill single and pair from `post_processor` (may be NULL or null: nothing is added). */
enum status token_template_read(struct token_vocab *vocab, const json_t *post_processor, struct error *err);
/** The parts that follow from the switches and the added tokens: `ascii`, `raw`, `normalised`. */
enum status token_vocab_prepare(struct token_vocab *vocab, struct error *err);

#endif
