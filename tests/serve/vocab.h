/* A vocabulary small enough to read tokens from. */
#ifndef TESTS_SERVE_VOCAB_H
#define TESTS_SERVE_VOCAB_H

#include <criterion/criterion.h>

#include "server/token/token.h"

/* [CLS] 2, [SEP] 3; the words a to j are 4 to 13. */
static const char letters_json[] =
    "{\"version\":\"1.0\",\"added_tokens\":["
    "{\"id\":2,\"content\":\"[CLS]\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false,"
    "\"special\":true},"
    "{\"id\":3,\"content\":\"[SEP]\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false,"
    "\"special\":true}],"
    "\"normalizer\":{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":true,"
    "\"strip_accents\":null,\"lowercase\":true},\"pre_tokenizer\":{\"type\":\"BertPreTokenizer\"},"
    "\"post_processor\":{\"type\":\"BertProcessing\",\"sep\":[\"[SEP]\",3],\"cls\":[\"[CLS]\",2]},\"decoder\":null,"
    "\"model\":{\"type\":\"WordPiece\",\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"##\","
    "\"max_input_chars_per_word\":100,\"vocab\":{\"[PAD]\":0,\"[UNK]\":1,\"[CLS]\":2,\"[SEP]\":3,\"a\":4,\"b\":5,\"c\":"
    "6,"
    "\"d\":7,\"e\":8,\"f\":9,\"g\":10,\"h\":11,\"i\":12,\"j\":13}}}";

/* New; token_vocab_destroy. */
static inline struct token_vocab *letters_vocab(void)
{
    struct token_vocab *vocab = NULL;
    struct error err;
    cr_assert_eq(token_vocab_parse(&vocab, letters_json, sizeof letters_json - 1, &err), STATUS_OK, "%s", err.message);
    return vocab;
}

#endif
