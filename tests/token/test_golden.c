/* Ids and offsets against the reference library's: golden/ (always), and the large set of the real model. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/token/support.h"

enum { MAX_TOKENIZERS = 16 };

/* The tokenizers loaded so far, by name. */
struct tokenizers {
    char names[MAX_TOKENIZERS][32];
    struct token_vocab *vocabs[MAX_TOKENIZERS];
    int n;
    int bad;
};

static const struct token_vocab *find_tokenizer(struct tokenizers *all, const char *name)
{
    int i = 0;
    while (i < all->n && strcmp(all->names[i], name) != 0)
        i++;
    if (i == all->n) {
        cr_assert_lt(i, MAX_TOKENIZERS);
        snprintf(all->names[i], sizeof all->names[i], "%s", name);
        all->vocabs[i] = support_tokenizer(name);
        all->n++;
    }
    return all->vocabs[i];
}

static bool encodes_as(const struct token_vocab *vocab, const json_t *line, struct arena *arena)
{
    struct token_options options = {.add_special_tokens = !json_is_true(json_object_get(line, "bare")),
                                    .max_tokens = (uint32_t)json_integer_value(json_object_get(line, "max")),
                                    .direction =
                                        json_is_true(json_object_get(line, "left")) ? TOKEN_LEFT : TOKEN_RIGHT};
    struct token_encoding e =
        support_encode(vocab, json_object_get(line, "text"), json_object_get(line, "pair"), &options, arena);
    bool good = support_equal(&e, json_object_get(line, "ids"), json_object_get(line, "spans"), line);
    for (uint32_t i = 0; good && i < e.n; i++)
        good = e.type_ids[i] == json_integer_value(json_array_get(json_object_get(line, "types"), i));
    return good && e.n_full == json_integer_value(json_object_get(line, "full"));
}

static bool decodes_as(const struct token_vocab *vocab, const json_t *line, struct arena *arena)
{
    const json_t *array = json_object_get(line, "decode"), *text = json_object_get(line, "text");
    size_t n = json_array_size(array), len;
    uint32_t *ids = arena_alloc_array(arena, n, sizeof *ids, sizeof *ids);
    for (size_t i = 0; i < n; i++)
        ids[i] = (uint32_t)json_integer_value(json_array_get(array, i));
    char *got;
    bool skip = json_is_true(json_object_get(line, "skip"));
    cr_assert_eq(token_decode(vocab, ids, n, skip, arena, &got, &len, NULL), STATUS_OK);
    cr_assert_eq(got[len], '\0');
    bool good = len == json_string_length(text) && memcmp(got, json_string_value(text), len) == 0;
    if (!good)
        fprintf(stderr, "decoded \"%s\", not \"%s\"\n", got, json_string_value(text));
    return good;
}

static void check_own(const json_t *line, void *cookie)
{
    struct tokenizers *all = cookie;
    const struct token_vocab *vocab = find_tokenizer(all, json_string_value(json_object_get(line, "tokenizer")));
    struct arena *arena = arena_create(1 << 20);
    bool good = json_object_get(line, "decode") ? decodes_as(vocab, line, arena) : encodes_as(vocab, line, arena);
    if (!good) {
        char *text = json_dumps(line, JSON_ENSURE_ASCII | JSON_COMPACT);
        fprintf(stderr, "%s\n", text);
        free(text);
        all->bad++;
    }
    arena_destroy(&arena);
}

Test(golden, every_case_of_our_own)
{
    struct tokenizers all = {0};
    int n = support_each_line(SOURCE_DIR "/tests/token/golden/cases.jsonl", check_own, &all);
    cr_assert_geq(n, 1000);
    cr_assert_geq(all.n, 11);
    cr_assert_eq(all.bad, 0, "%d of %d cases differ", all.bad, n);
    while (all.n > 0)
        token_vocab_destroy(&all.vocabs[--all.n]);
}

struct real {
    struct token_vocab *vocab;
    int bad;
};

static void check_real(const json_t *line, void *cookie)
{
    struct real *real = cookie;
    struct token_options options = {.add_special_tokens = true};
    struct arena *arena = arena_create(16 << 20);
    struct token_encoding e = support_encode(real->vocab, json_object_get(line, "text"), NULL, &options, arena);
    real->bad += !support_equal(&e, json_object_get(line, "ids"), json_object_get(line, "offsets"), line);
    for (uint32_t i = 0; i < e.n; i++)
        cr_assert_str_eq(token_vocab_text(real->vocab, e.ids[i]),
                         json_string_value(json_array_get(json_object_get(line, "tokens"), i)));
    arena_destroy(&arena);
}

Test(golden, every_case_of_the_real_model)
{
    struct real real = {0};
    struct error err = {0};
    const char *model = support_model();
    cr_assert_eq(token_vocab_load(&real.vocab, model, &err), STATUS_OK, "%s", err.message);
    int n = support_each_line(support_shared("tokenizer.jsonl"), check_real, &real);
    cr_assert_eq(n, 604);
    cr_assert_eq(real.bad, 0, "%d of %d cases differ", real.bad, n);
    token_vocab_destroy(&real.vocab);
}
