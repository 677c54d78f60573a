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
    cr_assert_eq(model_read_info(&info, dir, &err), STATUS_OK, "%s", err.message);
    return info;
}

static void expect_error(enum status expected, const char *file, const char *message)
{
    struct model_info info = {.max_seq_length = 77};
    struct error err;
    cr_assert_eq(model_read_info(&info, dir, &err), expected, "%s", err.message);
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
