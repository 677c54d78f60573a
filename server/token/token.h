/* Text to token ids and back: WordPiece with BERT's normaliser, as Hugging Face's fast tokenizer does it. */
#ifndef BERTD_TOKEN_TOKEN_H
#define BERTD_TOKEN_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

struct token_vocab;

/** Where a token came from in the original text: UTF-8 bytes, half open. */
struct token_span {
    uint32_t start;
    uint32_t stop;
};

/** One encoded text or pair; the arrays live in the arena given to the encoder. */
struct token_encoding {
    uint32_t n;
    uint32_t *ids;            /* [n] */
    struct token_span *spans; /* [n]; meaningless where `template_token` */
    uint8_t *type_ids;        /* [n]; 1 in the second text of a pair and its [SEP] */
    bool *template_token;     /* [n]; a [CLS] or [SEP] that the template added */
    uint32_t n_full;          /* what n would have been without truncation */
};

enum token_direction { TOKEN_RIGHT, TOKEN_LEFT }; /* the end that truncation cuts at */

struct token_options {
    bool add_special_tokens;
    uint32_t max_tokens; /* truncate to this many, with the template's, which always stay; 0: never truncate */
    enum token_direction direction;
};

/** Load from a model directory: tokenizer.json if there, else vocab.txt (with tokenizer_config.json's do_lower_case
 *  and friends); added tokens also from tokenizer_config.json, special_tokens_map.json and added_tokens.json.
 * Truncation and padding settings of tokenizer.json are ignored on purpose. ret     new; free with token_vocab_destroy
 *  Errors: IO, FORMAT, UNSUPPORTED (another class, model or normaliser than BERT's, named), NO_MEMORY
 *  Thread: any; the vocabulary is read-only afterwards */
enum status token_vocab_load(struct token_vocab **ret, const char *model_dir, struct error *err);
/** The same from bytes: `tokenizer_json` [len]; borrowed for the call. (Also what the fuzzer feeds.) */
enum status token_vocab_parse(struct token_vocab **ret, const char *tokenizer_json, size_t len, struct error *err);
/** Free and set to NULL; NULL is fine. */
void token_vocab_destroy(struct token_vocab **vocab);

/** Number of ids: all ids are below it. */
uint32_t token_vocab_size(const struct token_vocab *vocab);
/** The entry of an id, NUL-terminated, borrowed; NULL when the id is not in the vocabulary. */
const char *token_vocab_text(const struct token_vocab *vocab, uint32_t id);
/** True for [CLS], [SEP] and the other special added tokens. */
bool token_vocab_is_special(const struct token_vocab *vocab, uint32_t id);

/** True when texts are put into lower case. */
bool token_vocab_lowercases(const struct token_vocab *vocab);
/** What tokenizer_config.json says otherwise than tokenizer.json, for a warning; NULL: nothing. Borrowed. */
const char *token_vocab_note(const struct token_vocab *vocab);

/** Encode one text.
 *  text    [len] UTF-8, may hold NUL; borrowed for the call
 *  ret     arrays live in `arena`
 *  Errors: TOKENIZER (not UTF-8: names the byte's position; over 256 MiB), NO_MEMORY; `ret` untouched on failure
 *  Time:   linear in len, whatever the text
 *  Thread: any
 *  Source: huggingface/tokenizers 0.21, BertNormalizer, BertPreTokenizer, WordPiece */
enum status token_encode(const struct token_vocab *vocab, const char *text, size_t len,
                         const struct token_options *options, struct arena *arena, struct token_encoding *ret,
                         struct error *err);
/** Encode a pair: [CLS] a [SEP] b [SEP]. Truncation cuts the longer text first. Else as token_encode. */
enum status token_encode_pair(const struct token_vocab *vocab, const char *a, size_t a_len, const char *b, size_t b_len,
                              const struct token_options *options, struct arena *arena, struct token_encoding *ret,
                              struct error *err);
/** Ids back to text, as the WordPiece decoder does (## joined, its clean-up of spaces before punctuation).
 *  Ids outside the vocabulary give nothing. `ret_text` lives in `arena`, NUL-terminated.
 *  Errors: NO_MEMORY. Thread: any. */
enum status token_decode(const struct token_vocab *vocab, const uint32_t *ids, size_t n, bool skip_special_tokens,
                         struct arena *arena, char **ret_text, size_t *ret_len, struct error *err);

#endif
