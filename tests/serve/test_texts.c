/* From one input to its tokens: how long it may be, what is cut, and what all inputs of a request are checked for. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "server/serve/texts.h"
#include "tests/serve/vocab.h"

enum { LIMIT = 6, CHUNKS = 3, CHARS = LIMIT * 250 };

static struct serve_server server;
static struct token_vocab *vocab;
static struct arena *arena;
static struct serve_text text;
static struct error err;

static void begin(void)
{
    vocab = letters_vocab();
    arena = arena_create(1 << 24);
    server.options = (struct serve_options){
        .vocab = vocab, .max_input_length = LIMIT, .max_chunks = CHUNKS, .max_client_batch_size = 2};
}

static void end(void)
{
    arena_destroy(&arena);
    token_vocab_destroy(&vocab);
}

TestSuite(texts, .init = begin, .fini = end);

static enum status encode(const char *bytes, size_t len, struct serve_text_options options)
{
    const struct serve_input input = {.text = {bytes, len}};
    options.add_special_tokens = options.limit_tokens = true;
    return serve_text_encode(&server, &input, -1, &options, arena, &text, &err);
}

/* `n` characters of two bytes, which make no token of the vocabulary, behind an "a" and before a "b". */
static char *umlauts(size_t n, size_t *ret_len)
{
    char *bytes = malloc(2 * n + 2), *to = bytes;
    *to++ = 'a';
    for (size_t i = 0; i < n; i++, to += 2)
        memcpy(to, "\xC3\xBC", 2);
    *to++ = 'b';
    *ret_len = (size_t)(to - bytes);
    return bytes;
}

static void expect_kept(size_t umlauts_in, bool chunk, enum token_direction direction, size_t len, bool cut)
{
    size_t given = 0;
    char *bytes = umlauts(umlauts_in, &given);
    struct serve_text_options options = {.truncate = true, .chunk = chunk, .direction = direction};
    cr_assert_eq(encode(bytes, given, options), STATUS_OK, "%s", err.message);
    cr_expect_eq(text.text.len, len, "%zu of %zu", text.text.len, given);
    cr_expect_eq(text.cut, cut);
    const char *kept = text.text.bytes;
    cr_expect(direction == TOKEN_LEFT ? kept[len - 1] == 'b' : kept[0] == 'a');
    cr_expect_neq((unsigned char)kept[0] & 0xC0, 0x80, "no half character");
    free(bytes);
}

Test(texts, characters_kept)
{
    expect_kept(CHARS - 2, false, TOKEN_RIGHT, 2 * CHARS - 2, false);
    expect_kept(CHARS - 1, false, TOKEN_RIGHT, 2 * CHARS - 1, true);
    expect_kept(CHARS - 1, false, TOKEN_LEFT, 2 * CHARS - 1, true);
    expect_kept(CHARS + 9, false, TOKEN_RIGHT, 2 * CHARS - 1, true);
    expect_kept(CHUNKS * CHARS - 2, true, TOKEN_RIGHT, 2 * CHUNKS * CHARS - 2, false);
    expect_kept(CHUNKS * CHARS - 1, true, TOKEN_LEFT, 2 * CHUNKS * CHARS - 1, true);
}

Test(texts, characters_refused)
{
    size_t len = 0;
    char *bytes = umlauts(CHARS - 1, &len);
    struct serve_text_options options = {0};
    cr_expect_eq(encode(bytes, len, options), STATUS_VALIDATION);
    cr_expect_str_eq(err.message, "`inputs` must have less than 1500 characters. Given: 1501 (see --max-input-length)");
    cr_expect_eq(encode(bytes, len - 1, options), STATUS_OK, "%s", err.message);
    options.prompt = (struct serve_string){"a ", 2};
    cr_expect_eq(encode(bytes, len, options), STATUS_VALIDATION, "whatever the prompt");
    options.prompt = (struct serve_string){0};
    free(bytes);
    uint32_t *ids = calloc(CHARS + 1, sizeof *ids);
    struct serve_input input = {.ids = ids, .n_ids = CHARS + 1};
    cr_expect_eq(serve_text_encode(&server, &input, 7, &options, arena, &text, &err), STATUS_VALIDATION);
    cr_expect_str_eq(err.message,
                     "`inputs[7]` must have less than 1500 characters. Given: 1501 (see --max-input-length)");
    cr_expect_eq(serve_text_encode(&server, &input, 0, &options, arena, &text, &err), STATUS_VALIDATION);
    cr_expect(strstr(err.message, "`inputs[0]`"), "%s", err.message);
    input.n_ids = CHARS;
    cr_expect_eq(serve_text_encode(&server, &input, 7, &options, arena, &text, &err), STATUS_OK, "%s", err.message);
    free(ids);
}

Test(texts, tokens_refused)
{
    struct serve_text_options options = {0};
    cr_expect_eq(encode("a b c d", 7, options), STATUS_OK, "%s", err.message);
    cr_expect_eq(text.encoding.n, LIMIT);
    cr_expect_eq(encode("a b c d e", 9, options), STATUS_VALIDATION);
    cr_expect_str_eq(err.message, "`inputs` must have at most 6 tokens. Given: 7 (see --max-input-length)");
    options.truncate = true;
    cr_expect_eq(encode("a b c d e", 9, options), STATUS_OK, "%s", err.message);
    cr_expect(text.encoding.n == LIMIT && text.cut);
    cr_expect_eq(encode("a b c d", 7, options), STATUS_OK, "%s", err.message);
    cr_expect_not(text.cut);
    static const uint32_t unknown[] = {99};
    const struct serve_input input = {.ids = unknown, .n_ids = 1};
    options.limit_tokens = true;
    cr_expect_eq(serve_text_encode(&server, &input, -1, &options, arena, &text, &err), STATUS_VALIDATION);
    cr_expect(strstr(err.message, "99 is not the id of a token"), "%s", err.message);
}

Test(texts, inputs_of_a_request)
{
    static const uint32_t ids[] = {4};
    const struct serve_input good[] = {{.text = {"a", 1}}, {.ids = ids, .n_ids = 1}, {.text = {"", 0}}};
    const struct serve_input bad[] = {{.text = {"a", 1}}, {.ids = ids}}, empty = {.text = {"", 0}};
    cr_expect_eq(serve_inputs_check(&server, &(struct serve_inputs){good, 2, false}, "x", &err), STATUS_OK);
    cr_expect_eq(serve_inputs_check(&server, &(struct serve_inputs){good, 3, false}, "x", &err), STATUS_VALIDATION);
    cr_expect_str_eq(err.message, "batch size 3 > maximum allowed batch size 2 (see --max-client-batch-size)");
    cr_expect_eq(serve_inputs_check(&server, &(struct serve_inputs){good, 0, false}, "x", &err), STATUS_EMPTY);
    cr_expect_str_eq(err.message, "`x` cannot be empty");
    cr_expect_eq(serve_inputs_check(&server, &(struct serve_inputs){bad, 2, false}, "x", &err), STATUS_EMPTY);
    cr_expect_str_eq(err.message, "`x[1]` cannot be empty");
    cr_expect_eq(serve_inputs_check(&server, &(struct serve_inputs){&empty, 1, true}, "x", &err), STATUS_EMPTY);
    cr_expect_str_eq(err.message, "`x` cannot be empty");
}
