/* Loading: what is refused and how it is named, vocab.txt, ids and special tokens. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/token/support.h"

#define MODEL                                                                                                          \
    "\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"u\",\"continuing_subword_prefix\":\"##\","                      \
    "\"max_input_chars_per_word\":100,\"vocab\":{\"u\":0,\"c\":1,\"s\":2,\"a\":5,\"##b\":4}}"
#define NORMALIZER "\"normalizer\":{\"type\":\"BertNormalizer\"},"
#define SPLITTER   "\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"
#define BEGIN      "{" NORMALIZER SPLITTER
#define WITH(more) BEGIN MODEL "," more "}"

static const struct {
    const char *json;
    enum status status;
    const char *words; /* that the message must hold */
} refused[] = {
    {"", STATUS_FORMAT, "line 1"},
    {"[]", STATUS_UNSUPPORTED, "normalizer"},
    {"{", STATUS_FORMAT, "line 1"},
    {"{\"a\":1,\"a\":2}", STATUS_FORMAT, "duplicate"},
    {"{\"a\":\"\xff\"}", STATUS_FORMAT, "line 1"},
    {"{" SPLITTER MODEL "}", STATUS_UNSUPPORTED, "\"normalizer\" is nothing; only BertNormalizer"},
    {"{\"normalizer\":null," SPLITTER MODEL "}", STATUS_UNSUPPORTED, "\"normalizer\" is null"},
    {"{\"normalizer\":{\"type\":\"NFC\"}," SPLITTER MODEL "}", STATUS_UNSUPPORTED, "\"normalizer\" is NFC"},
    {"{\"normalizer\":{\"type\":\"BertNormalizer\",\"lowercase\":1}," SPLITTER MODEL "}", STATUS_FORMAT,
     "\"lowercase\" is a number"},
    {"{" NORMALIZER "\"pre_tokenizer\":{\"type\":\"ByteLevel\"}," MODEL "}", STATUS_UNSUPPORTED,
     "\"pre_tokenizer\" is ByteLevel; only BertPreTokenizer"},
    {BEGIN "\"model\":{\"type\":\"BPE\",\"vocab\":{},\"merges\":[]}}", STATUS_UNSUPPORTED, "\"model\" is BPE"},
    {BEGIN "\"model\":{\"type\":\"Unigram\",\"vocab\":[]}}", STATUS_UNSUPPORTED, "\"model\" is Unigram"},
    {BEGIN "\"model\":{\"vocab\":{},\"merges\":[]}}", STATUS_UNSUPPORTED, "WordPiece"},
    {BEGIN "\"model\":7}", STATUS_UNSUPPORTED, "\"model\" is a number"},
    {BEGIN "\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"x\",\"continuing_subword_prefix\":\"##\","
           "\"max_input_chars_per_word\":100,\"vocab\":{\"u\":0}}}",
     STATUS_FORMAT, "\"x\" is not in the vocabulary"},
    {BEGIN "\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"u\",\"continuing_subword_prefix\":\"##\","
           "\"max_input_chars_per_word\":1001,\"vocab\":{\"u\":0}}}",
     STATUS_UNSUPPORTED, "\"max_input_chars_per_word\" is 1001; the limit is 1000"},
    {BEGIN "\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"u\",\"continuing_subword_prefix\":\"##\","
           "\"max_input_chars_per_word\":-1,\"vocab\":{\"u\":0}}}",
     STATUS_FORMAT, "not a whole number"},
    {BEGIN "\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"u\",\"continuing_subword_prefix\":\"##\","
           "\"max_input_chars_per_word\":100,\"vocab\":{\"u\":0,\"v\":0}}}",
     STATUS_FORMAT, "\"u\" and \"v\" both have the id 0"},
    {BEGIN "\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"u\",\"continuing_subword_prefix\":\"##\","
           "\"max_input_chars_per_word\":100,\"vocab\":{\"u\":4194304}}}",
     STATUS_UNSUPPORTED, "model.vocab: \"u\" is 4194304"},
    {BEGIN "\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"u\",\"continuing_subword_prefix\":\"##\","
           "\"max_input_chars_per_word\":100,\"vocab\":{\"u\":1.5}}}",
     STATUS_FORMAT, "model.vocab: \"u\" is a number, not a whole number"},
    {BEGIN "\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"u\",\"continuing_subword_prefix\":\"##\","
           "\"max_input_chars_per_word\":100,\"vocab\":[]}}",
     STATUS_FORMAT, "\"vocab\" is an array"},
    {BEGIN "\"model\":{\"type\":\"WordPiece\",\"continuing_subword_prefix\":\"##\","
           "\"max_input_chars_per_word\":100,\"vocab\":{\"u\":0}}}",
     STATUS_FORMAT, "model: \"unk_token\" is missing"},
    {WITH("\"added_tokens\":{}"), STATUS_FORMAT, "added_tokens"},
    {WITH("\"added_tokens\":[{}]"), STATUS_FORMAT, "added_tokens[0]: \"content\""},
    {WITH("\"added_tokens\":[{\"content\":\"x\",\"lstrip\":\"no\"}]"), STATUS_FORMAT, "\"lstrip\" is a string"},
    {WITH("\"added_tokens\":[{\"content\":\"x\",\"normalized\":false}]"), STATUS_FORMAT, "\"a\" and \"x\" both have"},
    {WITH("\"added_tokens\":[{\"content\":\"a\"},{\"content\":\"\u0301\",\"normalized\":true}]"), STATUS_UNSUPPORTED,
     "normalises to nothing"},
    {WITH("\"post_processor\":{\"type\":\"RobertaProcessing\"}"), STATUS_UNSUPPORTED,
     "\"post_processor\" is RobertaProcessing"},
    {WITH("\"post_processor\":{\"type\":\"BertProcessing\",\"cls\":[\"c\",1],\"sep\":[\"s\",3]}"), STATUS_FORMAT,
     "3 is not an id"},
    {WITH("\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[],\"pair\":[]}"), STATUS_UNSUPPORTED,
     "post_processor.single: each text must occur once"},
    {WITH("\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"Sequence\":{\"id\":\"C\",\"type_id\":0}}]"
          "}"),
     STATUS_FORMAT, "sequence \"C\" is neither A nor B"},
    {WITH("\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"Sequence\":{\"id\":\"A\",\"type_id\":2}}]"
          "}"),
     STATUS_UNSUPPORTED, "\"type_id\" is 2"},
    {WITH("\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"c\",\"type_id\":"
          "0}}]}"),
     STATUS_FORMAT, "\"ids\" is missing"},
    {WITH("\"decoder\":{\"type\":\"BPEDecoder\"}"), STATUS_UNSUPPORTED, "\"decoder\" is BPEDecoder"},
    {WITH("\"decoder\":{\"type\":\"WordPiece\"}"), STATUS_FORMAT, "\"prefix\""},
};

Test(vocab, refuses_by_name_what_it_does_not_know)
{
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct token_vocab *vocab = NULL;
        struct error err = {0};
        enum status status = token_vocab_parse(&vocab, refused[i].json, strlen(refused[i].json), &err);
        cr_assert_eq(status, refused[i].status, "%s: %s: %s", refused[i].json, status_name(status), err.message);
        cr_assert(strstr(err.message, refused[i].words), "\"%s\" does not say \"%s\"", err.message, refused[i].words);
        cr_assert_null(vocab, "the result was touched");
    }
}

Test(vocab, refuses_long_entries)
{
    static char json[12000], entry[5000];
    memset(entry, 'x', sizeof entry - 1);
    snprintf(json, sizeof json,
             "{" NORMALIZER SPLITTER "\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"u\","
             "\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":9,\"vocab\":{\"u\":0,\"%s\":1}}}",
             entry);
    struct token_vocab *vocab = NULL;
    struct error err = {0};
    cr_assert_eq(token_vocab_parse(&vocab, json, strlen(json), &err), STATUS_UNSUPPORTED);
    cr_assert(strstr(err.message, "4999 bytes; the limit is 4096"), "%s", err.message);
}

Test(vocab, gives_ids_entries_and_special_tokens)
{
    struct token_vocab *vocab =
        support_parse(WITH("\"added_tokens\":[{\"content\":\"c\",\"special\":true},{\"content\":\"s\"},"
                           "{\"content\":\"\"},{\"content\":\"s\",\"special\":true}]"));
    cr_assert_eq(token_vocab_size(vocab), 6);
    cr_assert_str_eq(token_vocab_text(vocab, 0), "u");
    cr_assert_str_eq(token_vocab_text(vocab, 4), "##b");
    cr_assert_null(token_vocab_text(vocab, 3));
    cr_assert_null(token_vocab_text(vocab, 6));
    cr_assert_null(token_vocab_text(vocab, UINT32_MAX));
    cr_assert(token_vocab_is_special(vocab, 1));
    cr_assert(!token_vocab_is_special(vocab, 2) && !token_vocab_is_special(vocab, 0));
    cr_assert(!token_vocab_is_special(vocab, 6) && !token_vocab_is_special(vocab, UINT32_MAX));
    token_vocab_destroy(&vocab);
    cr_assert_null(vocab);
    token_vocab_destroy(&vocab);
}

static const char lines[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\r\n[MASK]\ne\n\u00e9\nE\n##b \n##b\r中\n\ne\n中b";

Test(vocab, reads_vocab_txt_with_the_defaults_of_bert)
{
    support_make_dir();
    support_put_file("vocab.txt", lines);
    struct token_vocab *vocab = support_load_dir();
    cr_assert_eq(token_vocab_size(vocab), 14);
    cr_assert_str_eq(token_vocab_text(vocab, 8), "##b ");
    cr_assert_str_eq(token_vocab_text(vocab, 9), "##b");
    cr_assert_str_eq(token_vocab_text(vocab, 11), "");
    cr_assert_str_eq(token_vocab_text(vocab, 12), "e", "of equal lines the last counts");
    cr_assert_null(token_vocab_text(vocab, 5));
    EXPECT_IDS(vocab, "E é eb 中b [MASK]q", 2, 12, 12, 12, 9, 10, 1, 4, 1, 3);
    cr_assert(token_vocab_is_special(vocab, 4) && token_vocab_is_special(vocab, 0));
    token_vocab_destroy(&vocab);

    support_put_file("tokenizer_config.json", "{\"do_lower_case\":false,\"tokenize_chinese_chars\":false,"
                                              "\"mask_token\":{\"content\":\"e\"},\"cls_token\":\"[PAD]\"}");
    vocab = support_load_dir();
    EXPECT_IDS(vocab, "E é e 中b [MASK]", 0, 7, 6, 12, 13, 1, 1, 1, 3);
    token_vocab_destroy(&vocab);

    support_put_file("tokenizer_config.json", "{\"strip_accents\":false}");
    vocab = support_load_dir();
    EXPECT_IDS(vocab, "É E", 2, 6, 12, 3);
    token_vocab_destroy(&vocab);
    support_remove_dir();
}

Test(vocab, prefers_tokenizer_json)
{
    support_make_dir();
    support_put_file("vocab.txt", lines);
    char *json = support_tokenizer_text("cased");
    support_put_file("tokenizer.json", json);
    struct token_vocab *vocab = support_load_dir();
    cr_assert_gt(token_vocab_size(vocab), 100);
    token_vocab_destroy(&vocab);
    free(json);
    support_put_file("tokenizer.json", "{}");
    support_expect_load_error(STATUS_UNSUPPORTED, "/tokenizer.json: ");
    support_put_file("tokenizer.json", "");
    support_expect_load_error(STATUS_FORMAT, "/tokenizer.json: the file is empty");
    support_remove_dir();
}

Test(vocab, refuses_bad_directories)
{
    support_make_dir();
    support_expect_load_error(STATUS_IO, "neither tokenizer.json nor vocab.txt");
    support_put_file("vocab.txt", "[UNK]\n[CLS]\n");
    support_expect_load_error(STATUS_FORMAT, "\"[SEP]\" is not in vocab.txt");
    support_put_file("vocab.txt", "[SEP]\n[CLS]\n");
    support_expect_load_error(STATUS_FORMAT, "\"[UNK]\" is not in the vocabulary");
    support_put_bytes("vocab.txt", "a\nb\0\n", 5);
    support_expect_load_error(STATUS_FORMAT, "line 2");
    support_put_file("vocab.txt", "a\n\xff\n");
    support_expect_load_error(STATUS_FORMAT, "line 2");
    support_put_file("vocab.txt", lines);
    support_put_file("tokenizer_config.json", "{\"do_lower_case\":\"yes\"}");
    support_expect_load_error(STATUS_FORMAT, "\"do_lower_case\" is a string");
    support_put_file("tokenizer_config.json", "{\"do_basic_tokenize\":false}");
    support_expect_load_error(STATUS_UNSUPPORTED, "do_basic_tokenize");
    support_put_file("tokenizer_config.json", "nonsense");
    support_expect_load_error(STATUS_FORMAT, "tokenizer_config.json: line 1");
    support_remove_dir();
    support_expect_load_error(STATUS_IO, support_dir());
}

static void expect_same_text(const struct token_vocab *a, const struct token_vocab *b, uint32_t id)
{
    cr_assert_str_eq(token_vocab_text(a, id), token_vocab_text(b, id));
    cr_assert_eq(token_vocab_is_special(a, id), token_vocab_is_special(b, id));
}

Test(vocab, vocab_txt_of_the_real_model_is_its_tokenizer_json)
{
    struct error err = {0};
    struct token_vocab *json = NULL, *text;
    const char *model = support_model();
    cr_assert_eq(token_vocab_load(&json, model, &err), STATUS_OK, "%s", err.message);
    support_make_dir();
    char path[1200], link[128];
    snprintf(path, sizeof path, "%s/vocab.txt", model);
    snprintf(link, sizeof link, "%s/vocab.txt", support_dir());
    cr_assert_eq(symlink(path, link), 0);
    text = support_load_dir();
    cr_assert(token_vocab_size(json) == 30522 && token_vocab_size(text) == 30522);
    for (uint32_t id = 0; id < 30522; id++)
        expect_same_text(json, text, id);
    EXPECT_IDS(text, "Hello, World! Unaffable café", 101, 7592, 1010, 2088, 999, 14477, 20961, 3468, 7668, 102);
    token_vocab_destroy(&json);
    token_vocab_destroy(&text);
    support_remove_dir();
}
