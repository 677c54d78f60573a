/* The tokenizer. Byte 0 chooses: an even one parses the rest as tokenizer.json and, where it is good, encodes that
 * JSON with it; an odd one encodes the rest with a built-in vocabulary, whose switches are bits 1 to 4. Bytes 1 and 2
 * are the token limit and where the rest is split in two for a pair.
 *
 * What must hold: ids are below the vocabulary's size; spans lie in the text, between characters; the same text gives
 * the same tokens; truncation gives the first or last tokens of the whole; what is decoded is whole characters. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "server/token/token.h"
#include "tests/fuzz/require.h"

enum { HEADER = 3, MAX_ARENA = 64 << 20, UNTOUCHED = 0x5a };

static const char built_in[] =
    "{\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":%s,\"handle_chinese_chars\":%s,\"strip_accents\":%s,"
    "\"lowercase\":%s},\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},\"post_processor\":{\"type\":"
    "\"BertProcessing\","
    "\"cls\":[\"[CLS]\",1],\"sep\":[\"[SEP]\",2]},\"decoder\":{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":"
    "true},"
    "\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"##\","
    "\"max_input_chars_per_word\":20,\"vocab\":{\"[UNK]\":0,\"[CLS]\":1,\"[SEP]\":2,\"a\":3,\"##a\":4,\"aa\":5,"
    "\"aaaab\":6,\"##b\":7,\"b\":8,\"##aab\":9,\"\u4e2d\":10,\"\u1112\":11,\"##\u1161\":12,\"\u302e\":13,"
    "\"##\u302e\":14,\"##\ua9c0\":15,\"e\":16,\"\u00e9\":17,\".\":18,\"i\":19,\"##\u0307\":20,\"A\":21,\"'\":22,"
    "\"##\u0301\":23,\"##\U0001d165\":24,\"\U0001d158\":25}},\"added_tokens\":["
    "{\"content\":\"[SEP]\",\"special\":true},{\"content\":\"[SEP\",\"special\":true,\"rstrip\":true},"
    "{\"content\":\"ab\",\"normalized\":%s,\"single_word\":true},{\"content\":\" \",\"normalized\":%s,\"rstrip\":true},"
    "{\"content\":\"B \u4e2d\",\"normalized\":%s,\"lstrip\":true}]}";

static const struct token_vocab *find_built_in(unsigned switches)
{
    static struct token_vocab *vocabs[32];
    if (!vocabs[switches]) {
        char json[4096];
        const char *on[5];
        for (int i = 0; i < 5; i++)
            on[i] = switches >> i & 1 ? "true" : "false";
        int len = snprintf(json, sizeof json, built_in, on[0], on[1], on[2], on[3], on[4], on[4], on[4]);
        struct error err = {0};
        if (token_vocab_parse(&vocabs[switches], json, (size_t)len, &err) != STATUS_OK) {
            fprintf(stderr, "built-in: %s\n", err.message);
            abort();
        }
    }
    return vocabs[switches];
}

static bool is_boundary(const uint8_t *text, size_t len, uint32_t at)
{
    return at == len || (at < len && (text[at] & 0xC0) != 0x80);
}

static void check_text(const struct token_vocab *vocab, const struct token_encoding *e, const uint8_t *text, size_t len)
{
    uint32_t size = token_vocab_size(vocab);
    for (uint32_t i = 0; i < e->n; i++) {
        REQUIRE(e->ids[i] < size && token_vocab_text(vocab, e->ids[i]));
        REQUIRE(e->type_ids[i] <= 1);
        if (e->template_token[i])
            continue;
        REQUIRE(e->spans[i].start < e->spans[i].stop && e->spans[i].stop <= len);
        REQUIRE(is_boundary(text, len, e->spans[i].start) && is_boundary(text, len, e->spans[i].stop));
    }
}

/* `n` tokens of one encoding are those of another. */
static void check_equal(const struct token_encoding *a, uint32_t at_a, const struct token_encoding *b, uint32_t at_b,
                        uint32_t n)
{
    REQUIRE(at_a + n <= a->n && at_b + n <= b->n);
    for (uint32_t i = 0; i < n; i++) {
        REQUIRE(a->ids[at_a + i] == b->ids[at_b + i]);
        REQUIRE(a->spans[at_a + i].start == b->spans[at_b + i].start);
        REQUIRE(a->spans[at_a + i].stop == b->spans[at_b + i].stop);
    }
}

static void check_decoding(const struct token_vocab *vocab, const struct token_encoding *e, struct arena *arena)
{
    for (int skip = 0; skip < 2; skip++) {
        char *text;
        size_t len;
        REQUIRE(token_decode(vocab, e->ids, e->n, skip, arena, &text, &len, NULL) == STATUS_OK);
        REQUIRE(text[len] == '\0' && strlen(text) == len);
        struct token_encoding again;
        struct token_options bare = {0};
        REQUIRE(token_encode(vocab, text, len, &bare, arena, &again, NULL) == STATUS_OK); /* it is UTF-8 */
        check_text(vocab, &again, (const uint8_t *)text, len);
    }
}

/* Without the template, so that tokens and places are the same. */
static bool encode(const struct token_vocab *vocab, const uint8_t *text, size_t len, uint32_t limit,
                   enum token_direction direction, struct arena *arena, struct token_encoding *ret)
{
    struct token_options options = {false, limit, direction};
    struct error err = {0};
    memset(ret, UNTOUCHED, sizeof *ret);
    enum status status = token_encode(vocab, (const char *)text, len, &options, arena, ret, &err);
    if (status != STATUS_OK) {
        REQUIRE(status == STATUS_TOKENIZER && err.message[0]);
        for (size_t i = 0; i < sizeof *ret; i++)
            REQUIRE(((const uint8_t *)ret)[i] == UNTOUCHED);
        return false;
    }
    check_text(vocab, ret, text, len);
    REQUIRE(limit == 0 || ret->n <= limit);
    return true;
}

static void check_pair(const struct token_vocab *vocab, bool is_bert, const uint8_t *text, size_t len, size_t split,
                       uint32_t limit, enum token_direction direction, struct arena *arena)
{
    struct token_encoding a, b, pair;
    if (!encode(vocab, text, split, 0, direction, arena, &a) ||
        !encode(vocab, text + split, len - split, 0, direction, arena, &b))
        return;
    struct token_options options = {true, limit, direction};
    REQUIRE(token_encode_pair(vocab, (const char *)text, split, (const char *)text + split, len - split, &options,
                              arena, &pair, NULL) == STATUS_OK);
    uint32_t added = 0, first = 0, second = 0;
    for (uint32_t i = 0; i < pair.n; i++) {
        added += pair.template_token[i];
        first += !pair.template_token[i] && !pair.type_ids[i];
        second += !pair.template_token[i] && pair.type_ids[i];
    }
    REQUIRE(pair.n_full == a.n + b.n + added);
    if (limit == 0 || limit >= added)
        REQUIRE(pair.n == (limit && limit < pair.n_full ? limit : pair.n_full));
    if (!is_bert)
        return; /* where the texts stand is not known here */
    check_equal(&pair, 1, &a, direction == TOKEN_LEFT ? a.n - first : 0, first);
    check_equal(&pair, first + 2, &b, direction == TOKEN_LEFT ? b.n - second : 0, second);
}

static void check_all(const struct token_vocab *vocab, bool is_bert, const uint8_t *text, size_t len, uint8_t limit,
                      uint8_t split, enum token_direction direction)
{
    struct arena *arena = arena_create(MAX_ARENA);
    struct token_encoding whole, again, cut;
    REQUIRE(arena);
    if (encode(vocab, text, len, 0, direction, arena, &whole)) {
        REQUIRE(whole.n == whole.n_full);
        REQUIRE(encode(vocab, text, len, 0, direction, arena, &again) && again.n == whole.n);
        check_equal(&again, 0, &whole, 0, whole.n);
        REQUIRE(encode(vocab, text, len, limit, direction, arena, &cut) && cut.n_full == whole.n);
        REQUIRE(cut.n == (limit && limit < whole.n ? limit : whole.n));
        check_equal(&cut, 0, &whole, direction == TOKEN_LEFT ? whole.n - cut.n : 0, cut.n);
        check_decoding(vocab, &whole, arena);
    }
    check_pair(vocab, is_bert, text, len, len * split / 256, limit, direction, arena);
    arena_destroy(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < HEADER)
        return 0;
    const uint8_t *text = data + HEADER;
    size_t len = size - HEADER;
    enum token_direction direction = data[0] & 64 ? TOKEN_LEFT : TOKEN_RIGHT;
    if (data[0] & 1) {
        check_all(find_built_in(data[0] >> 1 & 31), true, text, len, data[1], data[2], direction);
        return 0;
    }
    struct token_vocab *vocab = NULL;
    struct error err = {0};
    enum status status = token_vocab_parse(&vocab, (const char *)text, len, &err);
    if (status == STATUS_OK) {
        check_all(vocab, false, text, len, data[1], data[2], direction);
        token_vocab_destroy(&vocab);
    }
    REQUIRE(status == STATUS_OK || ((status == STATUS_FORMAT || status == STATUS_UNSUPPORTED) && err.message[0]));
    REQUIRE(!vocab);
    return 0;
}
