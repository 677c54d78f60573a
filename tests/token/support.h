/* What the token tests share: tokenizers, models, golden data and how to compare with it. */
#ifndef BERTD_TESTS_TOKEN_SUPPORT_H
#define BERTD_TESTS_TOKEN_SUPPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "server/token/token.h"

/** The real model's directory; skips the test where there is none. */
const char *support_model(void);
/** A file of the large golden data; skips the test where there is none. */
const char *support_shared(const char *name);
/** One of golden/tokenizers.json, as text: new, caller frees. */
char *support_tokenizer_text(const char *name);
/** The same, loaded; token_vocab_destroy. */
struct token_vocab *support_tokenizer(const char *name);
/** A vocabulary from JSON that must be good. */
struct token_vocab *support_parse(const char *json);

/** Called with each line of a file of JSON objects. */
typedef void support_case(const json_t *line, void *cookie);
/** Returns how many there were. */
int support_each_line(const char *path, support_case *call, void *cookie);

/** Encode a text, or a pair where `pair` is not NULL, in an arena that must hold it. */
struct token_encoding support_encode(const struct token_vocab *vocab, const json_t *text, const json_t *pair,
                                     const struct token_options *options, struct arena *arena);
/** Ids and spans (UTF-8 bytes; null for tokens of the template) are those; says which text where not. */
bool support_equal(const struct token_encoding *e, const json_t *ids, const json_t *spans, const json_t *line);

/** Write a code point as UTF-8 to `to` [4]; returns the bytes. */
size_t support_put_utf8(uint8_t *to, uint32_t cp);

/** A directory of files, made for a test: one at a time. */
void support_make_dir(void);
void support_remove_dir(void);
const char *support_dir(void);
void support_put_bytes(const char *name, const char *bytes, size_t len);
void support_put_file(const char *name, const char *text);
/** Load it, or expect that this fails with these words. */
struct token_vocab *support_load_dir(void);
void support_expect_load_error(enum status status, const char *words);

/** Expect these ids of a text, with the template's. */
void support_expect_ids(const struct token_vocab *vocab, const char *text, const uint32_t *ids, uint32_t n);
#define EXPECT_IDS(vocab, text, ...)                                                                                   \
    support_expect_ids(vocab, text, (const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / 4)

#endif
