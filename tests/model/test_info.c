/* What a directory says besides the weights: its files together. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "server/model/model.h"
#include "tests/model/writer.h"

#define MODULES(more) "[{\"path\": \"\", \"type\": \"sentence_transformers.models.Transformer\"}" more "]"
#define POOLING(path) ", {\"path\": \"" path "\", \"type\": \"sentence_transformers.models.Pooling\"}"
#define NORMALIZE     ", {\"path\": \"2_Normalize\", \"type\": \"sentence_transformers.models.Normalize\"}"
#define MEAN          "{\"pooling_mode_mean_tokens\": true}"

static char *dir;

static void make(void)
{
    struct writer_model model = writer_default();
    dir = writer_directory();
    writer_config(dir, &model);
    writer_weights(dir, &model);
}

static void drop(void)
{
    writer_remove(dir);
}

static struct model_info read_info(void)
{
    struct model_info info;
    struct error err;
    cr_assert_eq(model_read_info(&info, dir, false, &err), STATUS_OK, "%s", err.message);
    return info;
}

static void expect_error(enum status expected, const char *file, const char *message)
{
    struct model_info info = {.max_seq_length = 77};
    struct error err;
    cr_assert_eq(model_read_info(&info, dir, false, &err), expected, "%s", err.message);
    cr_assert(strstr(err.message, file) && strstr(err.message, message), "%s", err.message);
    cr_assert_eq(info.max_seq_length, 77, "touched on failure");
}

TestSuite(info, .init = make, .fini = drop);

Test(info, a_bare_bert)
{
    struct model_info info = read_info();
    cr_assert(!info.pooling_known && !info.normalize && info.pooling == MODEL_POOL_CLS);
    cr_assert_eq(info.max_seq_length, 8, "the model's positions");
    cr_assert_str_eq(info.checkpoint_dtype, "F32");
    cr_assert_eq(info.shape.hidden, 16);
}

Test(info, a_sentence_transformer)
{
    writer_text(dir, "modules.json", MODULES(POOLING("1_Pooling") NORMALIZE));
    writer_text(dir, "1_Pooling/config.json", MEAN);
    writer_text(dir, "sentence_bert_config.json", "{\"max_seq_length\": 5}");
    struct model_info info = read_info();
    cr_assert(info.pooling_known && info.normalize && info.pooling == MODEL_POOL_MEAN);
    cr_assert_eq(info.max_seq_length, 5);
}

Test(info, a_transformer_alone_has_no_pooling)
{
    writer_text(dir, "modules.json", MODULES(""));
    writer_text(dir, "1_Pooling/config.json", MEAN); /* left over: modules.json does not name it */
    struct model_info info = read_info();
    cr_assert(!info.pooling_known && !info.normalize && info.pooling == MODEL_POOL_CLS);
}

Test(info, pooling_without_modules)
{
    writer_text(dir, "1_Pooling/config.json", "{\"pooling_mode_max_tokens\": true}");
    struct model_info info = read_info();
    cr_assert(info.pooling_known && !info.normalize && info.pooling == MODEL_POOL_MAX);
}

Test(info, the_poolings_folder_may_have_any_name)
{
    writer_text(dir, "modules.json", MODULES(POOLING("elsewhere")));
    writer_text(dir, "elsewhere/config.json", MEAN);
    struct model_info info = read_info();
    cr_assert(info.pooling_known && !info.normalize && info.pooling == MODEL_POOL_MEAN);
}

Test(info, a_sequence_is_never_longer_than_the_positions)
{
    writer_text(dir, "sentence_bert_config.json", "{\"max_seq_length\": 100000}");
    cr_assert_eq(read_info().max_seq_length, 8);
}

Test(info, nor_than_what_a_board_can_add_up)
{
    struct writer_model model = writer_default();
    model.shape.positions = 2 * IMAGE_MAX_SEQUENCE;
    writer_config(dir, &model);
    writer_weights(dir, &model);
    struct model_info info = read_info();
    cr_assert_eq(info.shape.positions, 2 * IMAGE_MAX_SEQUENCE);
    cr_assert_eq(info.max_seq_length, IMAGE_MAX_SEQUENCE);
}

/* sentence_bert_config.json goes first, then tokenizer_config.json; never more than the positions, which are 8. */
Test(info, the_longest_input_may_stand_in_tokenizer_config)
{
    static const struct {
        const char *tokenizer, *sentence;
        uint32_t length;
    } cases[] = {
        {"{\"model_max_length\": 5}", NULL, 5},
        {"{\"model_max_length\": 5}", "{}", 5},
        {"{\"model_max_length\": 5}", "{\"max_seq_length\": null}", 5},
        {"{\"model_max_length\": 5}", "{\"max_seq_length\": 6}", 6},
        {"{\"model_max_length\": 5}", "{\"max_seq_length\": 1000000000000000019884624838656}", 8},
        {"{\"model_max_length\": 5.0}", NULL, 5},
        {"{\"max_len\": 5}", NULL, 5},
        {"{\"max_len\": 5, \"model_max_length\": 6}", NULL, 6},
        {"{\"model_max_length\": 100}", NULL, 8},
        {"{\"model_max_length\": null}", NULL, 8},
        {"{\"model_max_length\": 1e30}", NULL, 8},
        {"{\"model_max_length\": 1000000000000000019884624838656}", NULL, 8},
        {"{\"model_max_length\": 9223372036854775807}", NULL, 8},
        {"{\"model_max_length\": 9223372036854775808}", NULL, 8},
        {"{\"model_max_length\": 4294967301}", NULL, 8},
        {"{}", NULL, 8},
        {NULL, "{\"max_seq_length\": 2}", 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        writer_text(dir, "tokenizer_config.json", cases[i].tokenizer ? cases[i].tokenizer : "{}");
        writer_text(dir, "sentence_bert_config.json", cases[i].sentence ? cases[i].sentence : "{}");
        cr_expect_eq(read_info().max_seq_length, cases[i].length, "case %zu", i);
    }
    writer_text(dir, "tokenizer_config.json", "{\"model_max_length\": -1}");
    writer_text(dir, "sentence_bert_config.json", "{}");
    expect_error(STATUS_FORMAT, "/tokenizer_config.json: ", "model_max_length");
}

Test(info, a_given_pooling_makes_the_file_needless)
{
    static const char *const files[] = {"{\"pooling_mode_lasttoken\": true}", "{\"pooling_mode\": \"weightedmean\"}",
                                        "nonsense", "[]", "{\"word_embedding_dimension\": 17}"};
    struct model_info info;
    struct error err;
    writer_text(dir, "modules.json", MODULES(POOLING("1_Pooling") NORMALIZE));
    cr_assert_eq(model_read_info(&info, dir, true, &err), STATUS_OK, "no file: %s", err.message);
    cr_expect(info.normalize && info.include_prompt);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        writer_text(dir, "1_Pooling/config.json", files[i]);
        cr_expect_eq(model_read_info(&info, dir, true, &err), STATUS_OK, "%s: %s", files[i], err.message);
        cr_expect(info.normalize && info.include_prompt);
        cr_expect_neq(model_read_info(&info, dir, false, &err), STATUS_OK, "%s", files[i]);
    }
    writer_text(dir, "1_Pooling/config.json", "{\"pooling_mode\": \"lasttoken\", \"include_prompt\": false}");
    cr_assert_eq(model_read_info(&info, dir, true, &err), STATUS_OK, "%s", err.message);
    cr_expect_not(info.include_prompt, "the option says how to pool, not what");
}

Test(info, a_directory_as_the_newest_sentence_transformers_writes_it)
{
    writer_text(dir, "modules.json",
                "[{\"idx\": 0, \"name\": \"0\", \"path\": \"\", \"type\": "
                "\"sentence_transformers.base.modules.transformer.Transformer\"}, {\"idx\": 1, \"name\": \"1\", "
                "\"path\": \"1_Pooling\", \"type\": "
                "\"sentence_transformers.sentence_transformer.modules.pooling.Pooling\"}]");
    writer_text(dir, "1_Pooling/config.json",
                "{\"embedding_dimension\": 16, \"pooling_mode\": \"max\", \"include_prompt\": false}");
    writer_text(dir, "sentence_bert_config.json",
                "{\"transformer_task\": \"feature-extraction\", \"modality_config\": {\"text\": {\"method\": "
                "\"forward\", \"method_output_name\": \"last_hidden_state\"}}, \"module_output_name\": "
                "\"token_embeddings\"}");
    writer_text(dir, "tokenizer_config.json", "{\"backend\": \"tokenizers\", \"model_max_length\": 6}");
    writer_text(dir, "config_sentence_transformers.json",
                "{\"model_type\": \"SentenceTransformer\", \"prompts\": {\"query\": \"q: \", \"document\": \"\"}, "
                "\"default_prompt_name\": \"query\", \"similarity_fn_name\": \"cosine\"}");
    struct model_info info = read_info();
    cr_expect(info.pooling_known && info.pooling == MODEL_POOL_MAX && !info.include_prompt && !info.normalize);
    cr_expect_eq(info.max_seq_length, 6);
    cr_expect_str_eq(info.default_prompt_name, "query");
    cr_expect_not(info.lowercase);
}

Test(info, default_prompts)
{
    cr_expect_str_eq(read_info().default_prompt_name, "");
    cr_expect(read_info().include_prompt);
    writer_text(dir, "config_sentence_transformers.json", "{\"prompts\": {}, \"default_prompt_name\": null}");
    cr_expect_str_eq(read_info().default_prompt_name, "");
    writer_text(dir, "config_sentence_transformers.json", "{\"prompts\": {}, \"default_prompt_name\": \"q\"}");
    expect_error(STATUS_FORMAT, "/config_sentence_transformers.json: ", "default_prompt_name \"q\"");
    writer_text(dir, "config_sentence_transformers.json", "{\"default_prompt_name\": 1}");
    expect_error(STATUS_FORMAT, "/config_sentence_transformers.json: ", "\"default_prompt_name\" is a number");
}

Test(info, lower_case_of_the_sentence_transformer)
{
    writer_text(dir, "sentence_bert_config.json", "{\"max_seq_length\": 5, \"do_lower_case\": true}");
    cr_expect(read_info().lowercase);
    writer_text(dir, "sentence_bert_config.json", "{\"transformer_task\": \"sequence-classification\"}");
    expect_error(STATUS_UNSUPPORTED, "/sentence_bert_config.json: ", "transformer_task is \"sequence-classification\"");
}

Test(info, errors_name_the_file)
{
    writer_text(dir, "modules.json", MODULES(POOLING("1_Pooling")));
    expect_error(STATUS_IO, "/1_Pooling/config.json: ", "No such file");
    writer_text(dir, "1_Pooling/config.json", "{\"pooling_mode_lasttoken\": true}");
    expect_error(STATUS_UNSUPPORTED, "/1_Pooling/config.json: ", "pooling_mode_lasttoken");
    writer_text(dir, "1_Pooling/config.json", MEAN);
    writer_text(dir, "sentence_bert_config.json", "{\"max_seq_length\": -5}");
    expect_error(STATUS_FORMAT, "/sentence_bert_config.json: ", "max_seq_length");
    writer_text(dir, "modules.json", "[");
    expect_error(STATUS_FORMAT, "/modules.json: ", "line 1");
    writer_text(dir, "config.json", "{\"model_type\": \"roberta\"}");
    expect_error(STATUS_UNSUPPORTED, "/config.json: ", "roberta");
}
