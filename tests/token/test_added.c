/* Added tokens from every file that may name them, and tokenizers of other classes. The ids are those of transformers
 * 4.57 and, but where noted, of 5.24 (AutoTokenizer on the same files). */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "tests/token/support.h"

static const char vocabulary[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\nworld\nHello\nWorld\na\nb\nc\n##a\n##b\n"
                                 "##c\n[\n]\nent\n<\n>\nitem\n:\nquery\nword\n.\n";

/* tokenizer.json of the same vocabulary, with some of its fields. */
static void put_description(const char *normalizer, const char *added)
{
    struct buf text = {0};
    buf_printf(&text,
               "{\"added_tokens\":[%s],\"normalizer\":{\"type\":\"BertNormalizer\"%s},\"pre_tokenizer\":{\"type\":"
               "\"BertPreTokenizer\"},\"post_processor\":{\"type\":\"BertProcessing\",\"sep\":[\"[SEP]\",3],\"cls\":["
               "\"[CLS]\",2]},\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":"
               "\"##\",\"max_input_chars_per_word\":100,\"vocab\":{",
               added, normalizer);
    char lines[sizeof vocabulary], *save = NULL;
    memcpy(lines, vocabulary, sizeof lines);
    int id = 0;
    for (char *line = strtok_r(lines, "\n", &save); line; line = strtok_r(NULL, "\n", &save), id++)
        buf_printf(&text, "%s\"%s\":%d", id ? "," : "", line, id);
    buf_puts(&text, "}}}");
    support_put_bytes("tokenizer.json", text.data, text.len);
    buf_finish(&text);
}

struct files {
    const char *config, *added, *map;
};

static struct token_vocab *load(struct files files, bool described)
{
    support_make_dir();
    support_put_file("vocab.txt", vocabulary);
    if (described)
        put_description("", "{\"content\":\"[MASK]\",\"special\":true}");
    if (files.config)
        support_put_file("tokenizer_config.json", files.config);
    if (files.added)
        support_put_file("added_tokens.json", files.added);
    if (files.map)
        support_put_file("special_tokens_map.json", files.map);
    struct token_vocab *vocab = support_load_dir();
    support_remove_dir();
    return vocab;
}

#define ADDED    "{\"<item>\":26,\"[ENT]\":25}"
#define SPECIALS "{\"additional_special_tokens\":[\"[ENT]\"]}"
#define FLAGS    "\"lstrip\":false,\"rstrip\":false,\"single_word\":false"

static const char first[] = "hello [ENT] world <item>", second[] = "HELLO [ent]world <ITEM>x [MASK]",
                  third[] = "a [ENT]  b  <item> , [mask]";

Test(added, in_added_tokens_json)
{
    for (int described = 0; described < 2; described++) {
        struct token_vocab *vocab = load((struct files){.added = ADDED}, described);
        cr_expect_eq(token_vocab_size(vocab), 27);
        EXPECT_IDS(vocab, first, 2, 5, 25, 6, 26, 3);
        EXPECT_IDS(vocab, second, 2, 5, 25, 6, 26, 1, 4, 3);
        EXPECT_IDS(vocab, third, 2, 9, 25, 10, 26, 1, 15, 1, 16, 3);
        cr_expect_not(token_vocab_is_special(vocab, 25));
        token_vocab_destroy(&vocab);
    }
}

/* Here 5.24 takes [ENT] for an ordinary one, found in any case. */
Test(added, special_where_special_tokens_map_says_so)
{
    struct token_vocab *vocab = load((struct files){.added = ADDED, .map = SPECIALS}, false);
    EXPECT_IDS(vocab, first, 2, 5, 25, 6, 26, 3);
    EXPECT_IDS(vocab, second, 2, 5, 15, 17, 16, 6, 26, 1, 4, 3);
    cr_expect(token_vocab_is_special(vocab, 25) && !token_vocab_is_special(vocab, 26));
    token_vocab_destroy(&vocab);
}

Test(added, in_added_tokens_decoder_which_goes_before_the_older_files)
{
    static const char config[] =
        "{\"added_tokens_decoder\":{\"26\":{\"content\":\"<item>\"," FLAGS ",\"normalized\":true,\"special\":false},"
        "\"25\":{\"content\":\"[ENT]\"," FLAGS ",\"normalized\":false,\"special\":true}}}";
    for (int described = 0; described < 2; described++) {
        struct token_vocab *vocab =
            load((struct files){.config = config, .added = "{\"hello\":40}", .map = "{\"mask_token\":\"world\"}"},
                 described);
        EXPECT_IDS(vocab, first, 2, 5, 25, 6, 26, 3);
        EXPECT_IDS(vocab, second, 2, 5, 15, 17, 16, 6, 26, 1, 4, 3);
        EXPECT_IDS(vocab, third, 2, 9, 25, 10, 26, 1, 15, 1, 16, 3);
        EXPECT_IDS(vocab, "helloworld", 2, 1, 3);
        token_vocab_destroy(&vocab);
    }
}

Test(added, as_additional_special_tokens_by_every_name)
{
    static const struct files cases[] = {
        {.config = "{\"additional_special_tokens\":[\"[ENT]\",\"<item>\"]}"},
        {.config = "{\"extra_special_tokens\":[\"[ENT]\",{\"content\":\"<item>\",\"__type\":\"AddedToken\"," FLAGS
                   ",\"normalized\":false}]}"},
        {.config = "{\"extra_special_tokens\":{\"ent_token\":\"[ENT]\",\"item_token\":\"<item>\"}}"},
        {.config = "{\"extra_special_tokens\":[],\"additional_special_tokens\":[\"[ENT]\",\"<item>\"]}"},
        {.map = "{\"additional_special_tokens\":[{\"content\":\"[ENT]\"," FLAGS ",\"normalized\":false},\"<item>\"]}"},
        {.map = "{\"additional_special_tokens\":[\"[ENT]\",\"<item>\"]}"},
    };
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        struct token_vocab *vocab = load(cases[i / 2], i % 2);
        EXPECT_IDS(vocab, first, 2, 5, 25, 6, 26, 3);
        EXPECT_IDS(vocab, second, 2, 5, 15, 17, 16, 6, 18, 20, 19, 1, 4, 3);
        cr_expect(token_vocab_is_special(vocab, 25) && token_vocab_is_special(vocab, 26));
        token_vocab_destroy(&vocab);
    }
}

Test(added, special_tokens_map_names_the_special_tokens)
{
    static const char map[] = "{\"mask_token\":{\"content\":\"world\",\"lstrip\":true,\"normalized\":false,\"rstrip\":"
                              "false,\"single_word\":false},\"additional_special_tokens\":[\"[ENT]\"]}";
    struct token_vocab *vocab = load((struct files){.map = map}, false);
    EXPECT_IDS(vocab, first, 2, 5, 25, 6, 18, 20, 19, 3);
    EXPECT_IDS(vocab, second, 2, 5, 15, 17, 16, 6, 18, 20, 19, 1, 15, 1, 16, 3);
    cr_expect(token_vocab_is_special(vocab, 6) && !token_vocab_is_special(vocab, 4));
    token_vocab_destroy(&vocab);
}

/* Many, in no time: their number has no limit of its own. */
Test(added, a_hundred_thousand)
{
    enum { N = 100000 };
    struct buf text = {0}, more = {0};
    buf_puts(&text, "{");
    for (int i = 0; i < N; i++)
        buf_printf(&text, "%s\"<x%d>\":%d", i ? "," : "", i, 25 + i);
    buf_puts(&text, "}");
    buf_append(&text, "", 1);
    /* all of them special, too */
    buf_puts(&more, "{\"additional_special_tokens\":[");
    for (int i = 0; i < N; i++)
        buf_printf(&more, "%s\"<x%d>\"", i ? "," : "", i);
    buf_puts(&more, "]}");
    buf_append(&more, "", 1);
    struct token_vocab *vocab = load((struct files){.added = text.data, .map = more.data}, false);
    cr_expect(token_vocab_is_special(vocab, 25 + N - 1));
    cr_expect_eq(token_vocab_size(vocab), 25 + N);
    EXPECT_IDS(vocab, "hello <x0><x99999> <x100000>", 2, 5, 25, 25 + N - 1, 18, 1, 19, 3);
    token_vocab_destroy(&vocab);
    buf_finish(&text);
    buf_finish(&more);
}

Test(added, mistakes_are_named)
{
    static const struct {
        const char *file, *text, *words;
    } cases[] = {
        {"added_tokens.json", "[]", "/added_tokens.json: not an object"},
        {"added_tokens.json", "{\"x\":\"y\"}", "added_tokens.json: \"x\" is a string, not an id"},
        {"special_tokens_map.json", "{", "/special_tokens_map.json: line 1"},
        {"special_tokens_map.json", "{\"additional_special_tokens\":[5]}", "an added token is a number"},
        {"tokenizer_config.json", "{\"added_tokens_decoder\":{\"x\":{\"content\":\"y\"}}}", "\"x\" is not the id"},
        {"tokenizer_config.json", "{\"added_tokens_decoder\":{\"25\":\"y\"}}", "\"25\" is not the id"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        support_make_dir();
        support_put_file("vocab.txt", vocabulary);
        support_put_file(cases[i].file, cases[i].text);
        support_expect_load_error(STATUS_FORMAT, cases[i].words);
        support_remove_dir();
    }
}

static void expect_class(const char *class, bool in_config, bool described, bool taken)
{
    char text[160];
    struct error err = {0};
    struct token_vocab *vocab = NULL;
    support_make_dir();
    support_put_file("vocab.txt", vocabulary);
    if (described)
        put_description("", "");
    snprintf(text, sizeof text, "{\"tokenizer_class\":\"%s\"}", class);
    support_put_file(in_config ? "config.json" : "tokenizer_config.json", text);
    enum status status = token_vocab_load(&vocab, support_dir(), &err);
    cr_expect_eq(status, taken ? STATUS_OK : STATUS_UNSUPPORTED, "%s: %s", class, err.message);
    snprintf(text, sizeof text, "%s.json: tokenizer_class is \"%s\"", in_config ? "/config" : "/tokenizer_config",
             class);
    cr_expect(taken || strstr(err.message, text), "\"%s\" does not say \"%s\"", err.message, text);
    token_vocab_destroy(&vocab);
    support_remove_dir();
}

Test(class, only_those_that_are_berts_wordpiece)
{
    static const char *const taken[] = {"BertTokenizer",           "BertTokenizerFast",   "DistilBertTokenizerFast",
                                        "ElectraTokenizer",        "MobileBertTokenizer", "ConvBertTokenizerFast",
                                        "SqueezeBertTokenizerFast"};
    static const char *const refused[] = {
        "BertJapaneseTokenizer", "XLMTokenizer",     "BertTokenizers",  "BertweetTokenizer", "PreTrainedTokenizerFast",
        "MPNetTokenizerFast",    "RoCBertTokenizer", "FunnelTokenizer", "bertTokenizer"};
    for (size_t i = 0; i < 2 * sizeof taken / sizeof *taken; i++)
        expect_class(taken[i / 2], i % 2, false, true);
    for (size_t i = 0; i < 2 * sizeof refused / sizeof *refused; i++)
        expect_class(refused[i / 2], i % 2, false, false);
    expect_class("PreTrainedTokenizerFast", false, true, true);
    expect_class("TokenizersBackend", false, true, true);
    expect_class("BertJapaneseTokenizer", false, true, false);
    expect_class("BertJapaneseTokenizer", true, true, false);
}

Test(class, the_tokenizers_file_goes_before_config_json)
{
    support_make_dir();
    support_put_file("vocab.txt", vocabulary);
    support_put_file("config.json", "{\"tokenizer_class\":\"BertJapaneseTokenizer\"}");
    support_put_file("tokenizer_config.json", "{\"tokenizer_class\":\"BertTokenizer\"}");
    struct token_vocab *vocab = support_load_dir();
    token_vocab_destroy(&vocab);
    support_put_file("tokenizer_config.json", "{\"tokenizer_class\":null,\"word_tokenizer_type\":\"mecab\"}");
    support_expect_load_error(STATUS_UNSUPPORTED, "/config.json: tokenizer_class is \"BertJapaneseTokenizer\"");
    support_put_file("config.json", "{}");
    support_expect_load_error(STATUS_UNSUPPORTED, "word_tokenizer_type is \"mecab\"");
    support_put_file("tokenizer_config.json", "{\"subword_tokenizer_type\":\"character\"}");
    support_expect_load_error(STATUS_UNSUPPORTED, "subword_tokenizer_type is \"character\"");
    support_remove_dir();
}

Test(note, says_where_the_two_files_disagree)
{
    static const struct {
        const char *normalizer, *config, *note;
    } cases[] = {
        {"", "{}", NULL},
        {"", "{\"do_lower_case\":true,\"strip_accents\":null,\"tokenize_chinese_chars\":true}", NULL},
        {"", "{\"do_lower_case\":false}",
         "tokenizer_config.json has do_lower_case false, tokenizer.json true, which counts"},
        {",\"lowercase\":false", "{\"do_lower_case\":true}",
         "tokenizer_config.json has do_lower_case true, tokenizer.json false, which counts"},
        {"", "{\"strip_accents\":false}",
         "tokenizer_config.json has strip_accents false, tokenizer.json true, which counts"},
        {"", "{\"tokenize_chinese_chars\":false}",
         "tokenizer_config.json has tokenize_chinese_chars false, tokenizer.json true, which counts"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        support_make_dir();
        put_description(cases[i].normalizer, "");
        support_put_file("tokenizer_config.json", cases[i].config);
        struct token_vocab *vocab = support_load_dir();
        const char *note = token_vocab_note(vocab);
        cr_expect(cases[i].note ? note && strcmp(note, cases[i].note) == 0 : !note, "%zu: %s", i, note ? note : "-");
        cr_expect_eq(token_vocab_lowercases(vocab), cases[i].normalizer[0] == '\0');
        token_vocab_destroy(&vocab);
        support_remove_dir();
    }
}
