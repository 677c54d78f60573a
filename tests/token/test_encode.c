/* What the golden cases do not show of encoding: errors, limits, truncation, memory. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "server/token/scan.h"
#include "tests/token/support.h"

static const struct token_options whole = {.add_special_tokens = true};

Test(encode, names_the_byte_that_is_not_utf8)
{
    static const struct {
        const char *text;
        size_t len;
        const char *position;
    } bad[] = {
        {"\x80", 1, "byte 0"},
        {"abc\xff", 4, "byte 3"},
        {"01234567\xC3", 9, "byte 8"},
        {"\xC3\xA9\xC0\x80", 4, "byte 2"},               /* overlong NUL */
        {"ab\xED\xA0\x80", 5, "byte 2"},                 /* a surrogate */
        {"a\xF4\x90\x80\x80", 5, "byte 1"},              /* above U+10FFFF */
        {"\xE2\x82", 2, "byte 0"},                       /* cut off */
        {"0123456789abcdef\xE2\x28\xA1", 19, "byte 16"}, /* no continuation */
        {"a\0\xF0\x9F\x99\x82\xF8\x88\x80\x80\x80", 11, "byte 6"},
    };
    struct token_vocab *vocab = support_tokenizer("uncased");
    struct arena *arena = arena_create(1 << 20);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct token_encoding e = {.n = 77};
        struct error err = {0};
        cr_assert_eq(token_encode(vocab, bad[i].text, bad[i].len, &whole, arena, &e, &err), STATUS_TOKENIZER);
        cr_assert(strstr(err.message, bad[i].position), "%s, not %s", err.message, bad[i].position);
        cr_assert_eq(token_encode_pair(vocab, "a", 1, bad[i].text, bad[i].len, &whole, arena, &e, &err),
                     STATUS_TOKENIZER);
        cr_assert_eq(e.n, 77, "the result was touched");
    }
    arena_destroy(&arena);
    token_vocab_destroy(&vocab);
}

Test(encode, takes_an_empty_text_and_nul)
{
    struct token_vocab *vocab = support_tokenizer("uncased");
    struct arena *arena = arena_create(1 << 20);
    struct token_encoding e;
    cr_assert_eq(token_encode(vocab, "", 0, &whole, arena, &e, NULL), STATUS_OK);
    cr_assert(e.n == 2 && e.n_full == 2 && e.template_token[0] && e.template_token[1]);
    cr_assert_eq(token_encode(vocab, "a\0b", 3, &whole, arena, &e, NULL), STATUS_OK);
    cr_assert(e.n == 4 && e.spans[1].start == 0 && e.spans[1].stop == 1 && e.spans[2].start == 2);
    struct token_options bare = {.add_special_tokens = false};
    cr_assert_eq(token_encode(vocab, "", 0, &bare, arena, &e, NULL), STATUS_OK);
    cr_assert_eq(e.n, 0);
    arena_destroy(&arena);
    token_vocab_destroy(&vocab);
}

Test(encode, refuses_a_text_past_the_limit)
{
    struct token_vocab *vocab = support_tokenizer("uncased");
    struct arena *arena = arena_create(1 << 20);
    struct token_encoding e = {.n = 77};
    struct error err = {0};
    cr_assert_eq(token_encode(vocab, "", (size_t)TOKEN_MAX_TEXT + 1, &whole, arena, &e, &err), STATUS_TOKENIZER);
    cr_assert(strstr(err.message, "268435456"), "%s", err.message);
    cr_assert_eq(e.n, 77);
    arena_destroy(&arena);
    token_vocab_destroy(&vocab);
}

Test(encode, uses_of_the_arena_what_the_result_takes)
{
    struct token_vocab *vocab = support_tokenizer("uncased");
    enum { LEN = 200000 };
    char *text = malloc(LEN);
    memset(text, '.', LEN);
    struct arena *arena = arena_create(64 << 20);
    struct token_options cut = {.add_special_tokens = true, .max_tokens = 128};
    struct token_encoding e = {0};
    cr_assert_eq(token_encode(vocab, text, LEN, &cut, arena, &e, NULL), STATUS_OK);
    cr_assert(e.n == 128 && e.n_full == LEN + 2);
    cr_assert_leq(arena_used(arena), 128 * 14);
    cr_assert_eq(token_encode(vocab, text, LEN, &whole, arena, &e, NULL), STATUS_OK);
    cr_assert_leq(arena_used(arena), (128 + LEN + 2) * 14);
    arena_destroy(&arena);

    arena = arena_create(LEN);
    struct error err = {0};
    e.n = 77;
    cr_assert_eq(token_encode(vocab, text, LEN, &whole, arena, &e, &err), STATUS_NO_MEMORY);
    cr_assert(e.n == 77 && err.message[0]);
    arena_destroy(&arena);
    free(text);
    token_vocab_destroy(&vocab);
}

/* The tokens of `cut` that are not the template's are those of `full` from `from` on. */
static bool is_part(const struct token_encoding *cut, const struct token_encoding *full, uint32_t from)
{
    for (uint32_t i = 1; i + 1 < cut->n; i++)
        if (cut->ids[i] != full->ids[from + i] || cut->spans[i].start != full->spans[from + i].start ||
            cut->spans[i].stop != full->spans[from + i].stop)
            return false;
    return cut->ids[0] == full->ids[0] && cut->ids[cut->n - 1] == full->ids[full->n - 1];
}

Test(encode, truncation_keeps_the_first_or_last_tokens)
{
    static const char text[] = "the cat, unaffables sat [MASK] on qqq é中文 the mat. 한국 a b c don't";
    struct token_vocab *vocab = support_tokenizer("uncased");
    struct arena *arena = arena_create(4 << 20);
    struct token_encoding full, cut;
    cr_assert_eq(token_encode(vocab, text, sizeof text - 1, &whole, arena, &full, NULL), STATUS_OK);
    cr_assert_gt(full.n, 25);
    for (uint32_t limit = 1; limit < full.n + 3; limit++) {
        for (int left = 0; left < 2; left++) {
            struct token_options options = {true, limit, left ? TOKEN_LEFT : TOKEN_RIGHT};
            cr_assert_eq(token_encode(vocab, text, sizeof text - 1, &options, arena, &cut, NULL), STATUS_OK);
            uint32_t expected = limit < 2 ? 2 : limit < full.n ? limit : full.n; /* the template's always stay */
            cr_assert(cut.n == expected && cut.n_full == full.n);
            cr_assert(is_part(&cut, &full, left ? full.n - cut.n : 0), "limit %u", limit);
        }
    }
    arena_destroy(&arena);
    token_vocab_destroy(&vocab);
}

Test(encode, a_pair_shares_the_limit)
{
    struct token_vocab *vocab = support_tokenizer("uncased");
    struct arena *arena = arena_create(16 << 20);
    char text[64];
    memset(text, '.', sizeof text);
    for (uint32_t a = 0; a <= 12; a++) {
        for (uint32_t b = 0; b <= 12; b++) {
            for (uint32_t limit = 3; limit < 30; limit++) {
                struct token_options options = {true, limit, TOKEN_RIGHT};
                struct token_encoding e;
                cr_assert_eq(token_encode_pair(vocab, text, a, text, b, &options, arena, &e, NULL), STATUS_OK);
                uint32_t budget = limit - 3, shorter = a < b ? a : b, second = 0;
                for (uint32_t i = 0; i < e.n; i++)
                    second += e.type_ids[i] && !e.template_token[i];
                uint32_t first = e.n - 3 - second;
                cr_assert(e.n_full == a + b + 3 && e.n == (a + b + 3 < limit ? a + b + 3 : limit));
                uint32_t kept = a + b <= budget || 2 * shorter <= budget ? shorter : budget / 2;
                cr_assert_eq(a <= b ? first : second, kept, "%u and %u within %u", a, b, budget);
            }
        }
    }
    arena_destroy(&arena);
    token_vocab_destroy(&vocab);
}
