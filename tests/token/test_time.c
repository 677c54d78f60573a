/* Time is linear in the text, whatever the text: the work is counted, not timed. A step is a character read, a byte
 * searched, a code point put or a trie node visited. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/token/scan.h"
#include "tests/token/support.h"

static uint64_t count_steps(const struct token_vocab *vocab, const char *unit, size_t len)
{
    size_t unit_len = strlen(unit), n = len / unit_len;
    char *text = malloc(n * unit_len);
    for (size_t i = 0; i < n; i++)
        memcpy(text + i * unit_len, unit, unit_len);
    struct token_list list;
    token_list_init(&list, UINT32_MAX, TOKEN_RIGHT);
    uint64_t steps = 0;
    struct error err = {0};
    cr_assert_eq(token_scan(vocab, text, n * unit_len, &list, &steps, &err), STATUS_OK, "%s", err.message);
    cr_assert_geq(steps, n, "nothing was counted");
    token_list_finish(&list);
    free(text);
    return steps;
}

/* At most `most` steps a byte at every length, so that there is nothing that grows faster. */
static void check_linear(const struct token_vocab *vocab, const char *unit, double most)
{
    for (size_t len = 1 << 10; len <= 1 << 16; len *= 8) {
        double a_byte = (double)count_steps(vocab, unit, len) / (double)len;
        cr_assert_leq(a_byte, most, "%.1f steps a byte in %zu bytes of \"%s\"", a_byte, len, unit);
    }
}

Test(time, is_linear_in_hostile_text)
{
    static const char *const units[] = {
        "a",
        "a ",
        ".",
        "the cat ",
        "unaffabl ",
        "é",
        "e\u0301",
        "\u0301",
        "\u302e",
        "\u0301\u302e\ua9c0\u0323\u0345",
        "\u302e\u200b",
        "\u200b",
        "a\u0301\u302e",
        "\U0001d160",
        "\U0001d160\u302e\u0334",
        "中",
        "豈",
        "한",
        "[MAS",
        "[MASK]",
        "[MASK",
        " ",
        "\v",
        "##",
        "\u0f73\u302f\u1b44\u1dfb\U0001e000",
    };
    static const char *const names[] = {"uncased", "cased", "strip", "none", "added", "raw", "bare"};
    for (size_t t = 0; t < sizeof names / sizeof *names; t++) {
        struct token_vocab *vocab = support_tokenizer(names[t]);
        for (size_t i = 0; i < sizeof units / sizeof *units; i++)
            check_linear(vocab, units[i], 12);
        token_vocab_destroy(&vocab);
    }
}

/* Six classes have members that accent stripping leaves: each costs two passes through the run. */
Test(time, of_a_run_of_marks_is_two_passes_a_class)
{
    struct token_vocab *vocab = support_tokenizer("uncased");
    enum { LEN = 1 << 18 };
    uint64_t one = count_steps(vocab, "\u302e\u0301\u0301\u0301\u0301\u0301\u0301\u0301", LEN);
    uint64_t six = count_steps(vocab, "\u1dfb\ua9c0\U0001d165\u302e\U0001d16d\U0001e000", LEN);
    /* 8 characters in 17 bytes, 6 in 20: a step a byte for added tokens, and 4 passes against 14. */
    cr_assert_lt(one, LEN + (uint64_t)LEN * 8 / 17 * 4);
    cr_assert_lt(six, LEN + (uint64_t)LEN * 6 / 20 * 15);
    token_vocab_destroy(&vocab);
}

/* Entries a, aa, ... and one that the text almost is: each place of a word walks the whole length of an entry. */
Test(time, of_hostile_entries_is_bounded_by_their_length)
{
    enum { LONGEST = 60 };
    json_t *vocab = json_pack("{s:i, s:i, s:i}", "[UNK]", 0, "a", 1, "##a", 2);
    char entry[LONGEST + 8] = "##";
    memset(entry + 2, 'a', LONGEST);
    entry[2 + LONGEST - 1] = 'b';
    json_object_set_new(vocab, entry, json_integer(3));
    json_object_set_new(vocab, entry + 2, json_integer(4));
    json_t *root =
        json_pack("{s:{s:s}, s:{s:s}, s:{s:s, s:s, s:s, s:i, s:o}}", "normalizer", "type", "BertNormalizer",
                  "pre_tokenizer", "type", "BertPreTokenizer", "model", "type", "WordPiece", "unk_token", "[UNK]",
                  "continuing_subword_prefix", "##", "max_input_chars_per_word", 1000, "vocab", vocab);
    char *text = json_dumps(root, 0);
    struct token_vocab *hostile = support_parse(text);
    char word[1000];
    memset(word, 'a', 998);
    strcpy(word + 998, " ");
    check_linear(hostile, word, LONGEST + 8);
    cr_assert_gt(count_steps(hostile, word, 1 << 14), (uint64_t)(1 << 14) * LONGEST / 2, "the entries are not hostile");
    token_vocab_destroy(&hostile);
    free(text);
    json_decref(root);
}

/* Added tokens that take white space in, in a text of nothing else: each stretch is walked once, not once a match. */
Test(time, of_added_tokens_that_strip_is_linear)
{
    static const char *const json =
        "{\"normalizer\":{\"type\":\"BertNormalizer\"},\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"
        "\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"u\",\"continuing_subword_prefix\":\"##\","
        "\"max_input_chars_per_word\":100,\"vocab\":{\"u\":0}},\"added_tokens\":["
        "{\"content\":\" \",\"rstrip\":true,\"normalized\":false},"
        "{\"content\":\"x\",\"lstrip\":true,\"rstrip\":true,\"normalized\":false},"
        "{\"content\":\"yyyyyyyyz\",\"normalized\":true},"
        "{\"content\":\"w\",\"single_word\":true,\"lstrip\":true,\"normalized\":true}]}";
    struct token_vocab *vocab = support_parse(json);
    static const char *const units[] = {" ", "x ", "  x", "y", "w", "w ", "\t", "\u3000", "ww w"};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        check_linear(vocab, units[i], 20);
    token_vocab_destroy(&vocab);
}
