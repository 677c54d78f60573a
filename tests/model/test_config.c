/* config.json, modules.json, the pooling's config.json and sentence_bert_config.json, on bytes. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "server/model/config.h"
#include "server/model/pooling.h"
#include "server/model/sentence.h"

static const char base[] = "{\"model_type\": \"bert\", \"hidden_size\": 312, \"num_hidden_layers\": 4, "
                           "\"num_attention_heads\": 12, \"intermediate_size\": 1200, \"vocab_size\": 30522, "
                           "\"max_position_embeddings\": 512}";

/* `base` with some fields replaced or added (a JSON object), or removed (null). */
static char *changed(const char *change)
{
    json_t *root = json_loads(base, 0, NULL), *changes = json_loads(change, 0, NULL), *value;
    const char *key;
    cr_assert(root && changes, "%s", change);
    json_object_foreach(changes, key, value)
    {
        if (json_is_null(value))
            json_object_del(root, key);
        else
            json_object_set(root, key, value);
    }
    char *text = json_dumps(root, 0);
    json_decref(root);
    json_decref(changes);
    return text;
}

Test(config, reads_the_shape)
{
    struct image_shape shape;
    struct error err;
    cr_assert_eq(model_config_parse(&shape, base, strlen(base), &err), STATUS_OK, "%s", err.message);
    cr_assert_eq(shape.hidden, 312);
    cr_assert_eq(shape.layers, 4);
    cr_assert_eq(shape.heads, 12);
    cr_assert_eq(shape.intermediate, 1200);
    cr_assert_eq(shape.vocab, 30522);
    cr_assert_eq(shape.positions, 512);
    cr_assert_eq(shape.types, 2);
    cr_assert_eq(shape.activation, IMAGE_GELU);
    cr_assert_float_eq(shape.layer_norm_eps, 1e-12f, 1e-18f);
}

Test(config, reads_what_has_defaults)
{
    static const struct {
        const char *change;
        enum image_activation activation;
    } cases[] = {
        {"{\"hidden_act\": \"gelu\", \"layer_norm_eps\": 1e-3, \"type_vocab_size\": 1, \"is_decoder\": false}",
         IMAGE_GELU},
        {"{\"hidden_act\": \"gelu_new\", \"layer_norm_eps\": 0.001, \"type_vocab_size\": 1}", IMAGE_GELU_NEW},
        {"{\"hidden_act\": \"relu\", \"layer_norm_eps\": 1e-3, \"type_vocab_size\": 1, "
         "\"position_embedding_type\": \"absolute\", \"unknown\": [1, {}]}",
         IMAGE_RELU},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct image_shape shape;
        struct error err;
        char *text = changed(cases[i].change);
        cr_assert_eq(model_config_parse(&shape, text, strlen(text), &err), STATUS_OK, "%s", err.message);
        cr_assert_eq(shape.activation, cases[i].activation);
        cr_assert_eq(shape.types, 1);
        cr_assert_float_eq(shape.layer_norm_eps, 1e-3f, 1e-9f);
        free(text);
    }
}

/* Every name that transformers has for what a board computes. */
Test(config, reads_every_name_of_an_activation)
{
    static const struct {
        const char *name;
        enum image_activation activation;
    } cases[] = {
        {"gelu", IMAGE_GELU},
        {"gelu_python", IMAGE_GELU},
        {"gelu_new", IMAGE_GELU_NEW},
        {"gelu_fast", IMAGE_GELU_NEW},
        {"gelu_accurate", IMAGE_GELU_NEW},
        {"gelu_pytorch_tanh", IMAGE_GELU_NEW},
        {"gelu_python_tanh", IMAGE_GELU_NEW},
        {"relu", IMAGE_RELU},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct image_shape shape;
        struct error err;
        char change[64];
        snprintf(change, sizeof change, "{\"hidden_act\": \"%s\"}", cases[i].name);
        char *text = changed(change);
        cr_assert_eq(model_config_parse(&shape, text, strlen(text), &err), STATUS_OK, "%s", err.message);
        cr_expect_eq(shape.activation, cases[i].activation, "%s", cases[i].name);
        free(text);
    }
}

Test(config, integers_beyond_64_bits_elsewhere_do_no_harm)
{
    struct image_shape shape;
    struct error err;
    char *text = changed("{\"max_length\": 1}");
    char large[1024];
    snprintf(large, sizeof large, "{\"x\": [1000000000000000019884624838656, {\"y\": [-99999999999999999999]}], %s",
             text + 1);
    cr_assert_eq(model_config_parse(&shape, large, strlen(large), &err), STATUS_OK, "%s", err.message);
    cr_expect_eq(shape.hidden, 312);
    cr_expect_eq(shape.positions, 512);
    free(text);
}

struct refusal {
    const char *text;
    enum status status;
    const char *message;
};

static const struct refusal config_refusals[] = {
    {"{\"model_type\": null}", STATUS_FORMAT, "model_type is missing"},
    {"{\"model_type\": 1}", STATUS_FORMAT, "\"model_type\" is a number, not a string"},
    {"{\"model_type\": \"roberta\"}", STATUS_UNSUPPORTED, "model_type is \"roberta\""},
    {"{\"model_type\": \"distilbert\"}", STATUS_UNSUPPORTED, "model_type is \"distilbert\""},
    {"{\"position_embedding_type\": \"relative_key\"}", STATUS_UNSUPPORTED,
     "position_embedding_type is \"relative_key\""},
    {"{\"is_decoder\": true}", STATUS_UNSUPPORTED, "is_decoder"},
    {"{\"is_decoder\": 1}", STATUS_FORMAT, "\"is_decoder\" is a number, not true or false"},
    {"{\"add_cross_attention\": true}", STATUS_UNSUPPORTED, "add_cross_attention"},
    {"{\"hidden_act\": \"swish\"}", STATUS_UNSUPPORTED, "hidden_act is \"swish\""},
    {"{\"hidden_act\": \"quick_gelu\"}", STATUS_UNSUPPORTED, "hidden_act is \"quick_gelu\""},
    {"{\"hidden_act\": \"gelu_10\"}", STATUS_UNSUPPORTED, "hidden_act is \"gelu_10\""},
    {"{\"hidden_act\": [\"gelu\"]}", STATUS_FORMAT, "\"hidden_act\" is an array, not a string"},
    {"{\"hidden_size\": null}", STATUS_FORMAT, "\"hidden_size\" is missing"},
    {"{\"num_hidden_layers\": null}", STATUS_FORMAT, "\"num_hidden_layers\" is missing"},
    {"{\"num_attention_heads\": null}", STATUS_FORMAT, "\"num_attention_heads\" is missing"},
    {"{\"intermediate_size\": null}", STATUS_FORMAT, "\"intermediate_size\" is missing"},
    {"{\"vocab_size\": null}", STATUS_FORMAT, "\"vocab_size\" is missing"},
    {"{\"max_position_embeddings\": null}", STATUS_FORMAT, "\"max_position_embeddings\" is missing"},
    {"{\"hidden_size\": \"312\"}", STATUS_FORMAT, "\"hidden_size\" is a string, not a whole number"},
    {"{\"hidden_size\": 312.0}", STATUS_FORMAT, "\"hidden_size\" is a number, not a whole number"},
    {"{\"hidden_size\": 0}", STATUS_FORMAT, "\"hidden_size\" is a number, not a whole number of at least 1"},
    {"{\"hidden_size\": -312}", STATUS_FORMAT, "\"hidden_size\" is a number, not a whole number of at least 1"},
    {"{\"hidden_size\": 4294967608}", STATUS_UNSUPPORTED, "\"hidden_size\" is 4294967608; the limit is"},
    {"{\"num_hidden_layers\": 9223372036854775807}", STATUS_UNSUPPORTED,
     "\"num_hidden_layers\" is 9223372036854775807"},
    {"{\"vocab_size\": 1000000000}", STATUS_UNSUPPORTED, "\"vocab_size\" is 1000000000; the limit"},
    {"{\"max_position_embeddings\": 100000000}", STATUS_UNSUPPORTED, "\"max_position_embeddings\" is"},
    {"{\"type_vocab_size\": 0}", STATUS_FORMAT, "type_vocab_size"},
    {"{\"type_vocab_size\": 257}", STATUS_UNSUPPORTED, "\"type_vocab_size\" is 257"},
    {"{\"num_attention_heads\": 11}", STATUS_FORMAT, "hidden_size 312 is not a multiple of num_attention_heads 11"},
    {"{\"layer_norm_eps\": \"1e-12\"}", STATUS_FORMAT, "layer_norm_eps is not a number"},
    {"{\"layer_norm_eps\": 0}", STATUS_UNSUPPORTED, "layer_norm_eps is 0"},
    {"{\"layer_norm_eps\": -1e-12}", STATUS_UNSUPPORTED, "layer_norm_eps is -1e-12"},
    {"{\"layer_norm_eps\": 1e-40}", STATUS_UNSUPPORTED, "layer_norm_eps is 1e-40"},
    {"{\"layer_norm_eps\": 2}", STATUS_UNSUPPORTED, "layer_norm_eps is 2"},
};

static void expect_refusal(enum status status, const struct error *err, const struct refusal *refusal)
{
    cr_expect_eq(status, refusal->status, "%s: %s: %s", refusal->text, status_name(status), err->message);
    cr_expect(strstr(err->message, refusal->message), "%s: \"%s\"", refusal->text, err->message);
}

Test(config, refusals_name_the_field)
{
    for (size_t i = 0; i < sizeof config_refusals / sizeof *config_refusals; i++) {
        struct image_shape shape = {.hidden = 7};
        struct error err = {0};
        char *text = changed(config_refusals[i].text);
        expect_refusal(model_config_parse(&shape, text, strlen(text), &err), &err, &config_refusals[i]);
        cr_expect_eq(shape.hidden, 7, "touched on failure");
        free(text);
    }
}

static const struct refusal syntax_refusals[] = {
    {"", STATUS_FORMAT, "line 1"},
    {"{", STATUS_FORMAT, "line 1, column 1"},
    {"[]", STATUS_FORMAT, "not an object"},
    {"{\"hidden_size\": 1, \"hidden_size\": 2}", STATUS_FORMAT, "duplicate"},
    {"{\"model_type\": \"bert\", \"hidden_size\": 99999999999999999999}", STATUS_UNSUPPORTED,
     "\"hidden_size\" is 1e+20; the limit is"},
    {"{\"model_type\": \"bert\", \"hidden_size\": -99999999999999999999}", STATUS_FORMAT,
     "\"hidden_size\" is a number, not a whole number"},
    {"{\"hidden_size\": 99999999999999999999, \"x\": }", STATUS_FORMAT, "too big"},
    {"{\"layer_norm_eps\": 1e999}", STATUS_FORMAT, "overflow"},
    {"{\"layer_norm_eps\": NaN}", STATUS_FORMAT, "line 1"},
    {"{\"model_type\": \"\xff\"}", STATUS_FORMAT, "decode byte 0xff"},
    {"{\"model_type\": \"\\u0000\"}", STATUS_FORMAT, "\\u0000"},
    {"{} {}", STATUS_FORMAT, "end of file"},
};

Test(config, broken_json_is_placed)
{
    for (size_t i = 0; i < sizeof syntax_refusals / sizeof *syntax_refusals; i++) {
        struct image_shape shape;
        struct error err = {0};
        const char *text = syntax_refusals[i].text;
        expect_refusal(model_config_parse(&shape, text, strlen(text), &err), &err, &syntax_refusals[i]);
    }
}

Test(config, deep_json_is_refused)
{
    struct buf text = {0};
    for (int i = 0; i < 1000000; i++)
        buf_puts(&text, "[");
    struct image_shape shape;
    struct error err;
    cr_assert_eq(model_config_parse(&shape, text.data, text.len, &err), STATUS_FORMAT);
    cr_assert(strstr(err.message, "depth"), "%s", err.message);
    buf_finish(&text);
}

/* A long value in a message would push out what matters. */
Test(config, long_values_are_not_shown)
{
    char change[4000], *text;
    snprintf(change, sizeof change, "{\"model_type\": \"%03000d\"}", 1);
    text = changed(change);
    struct image_shape shape;
    struct error err;
    cr_assert_eq(model_config_parse(&shape, text, strlen(text), &err), STATUS_UNSUPPORTED);
    cr_assert(strstr(err.message, "only \"bert\" is supported"), "%s", err.message);
    free(text);
}

#define MODULE(type, path) "{\"idx\": 0, \"name\": \"0\", \"path\": \"" path "\", \"type\": \"" type "\"}"
#define TRANSFORMER        MODULE("sentence_transformers.models.Transformer", "")
#define POOLING            MODULE("sentence_transformers.models.Pooling", "1_Pooling")
#define NORMALIZE          MODULE("sentence_transformers.models.Normalize", "2_Normalize")

Test(modules, the_chains_that_work)
{
    struct model_modules modules;
    struct error err;
    static const char one[] = "[" TRANSFORMER "]", two[] = "[" TRANSFORMER "," POOLING "]";
    static const char three[] = "[" TRANSFORMER "," POOLING "," NORMALIZE "]";
    static const char bare[] = "[" MODULE("Transformer", "") "," MODULE("Pooling", "p") "]";
    cr_assert_eq(model_modules_parse(&modules, one, strlen(one), &err), STATUS_OK, "%s", err.message);
    cr_assert(!modules.has_pooling && !modules.normalize);
    cr_assert_eq(model_modules_parse(&modules, two, strlen(two), &err), STATUS_OK, "%s", err.message);
    cr_assert(modules.has_pooling && !modules.normalize);
    cr_assert_eq(model_modules_parse(&modules, three, strlen(three), &err), STATUS_OK, "%s", err.message);
    cr_assert(modules.has_pooling && modules.normalize);
    cr_assert_str_eq(modules.pooling_path, "1_Pooling");
    cr_assert_eq(model_modules_parse(&modules, bare, strlen(bare), &err), STATUS_OK, "%s", err.message);
    cr_assert_str_eq(modules.pooling_path, "p");
}

static const struct refusal module_refusals[] = {
    {"{}", STATUS_FORMAT, "not an array"},
    {"[]", STATUS_FORMAT, "not an array of modules"},
    {"[1]", STATUS_FORMAT, "module 0: type is missing"},
    {"[{\"type\": 1, \"path\": \"\"}]", STATUS_FORMAT, "module 0: \"type\" is a number, not a string"},
    {"[{\"type\": \"Transformer\"}]", STATUS_FORMAT, "module 0: path is missing"},
    {"[" POOLING "]", STATUS_UNSUPPORTED, "module 0 is Pooling"},
    {"[" TRANSFORMER "," NORMALIZE "]", STATUS_UNSUPPORTED, "module 1 is Normalize"},
    {"[" TRANSFORMER "," POOLING "," MODULE("sentence_transformers.models.Dense", "2_Dense") "]", STATUS_UNSUPPORTED,
     "module 2 is Dense"},
    {"[" TRANSFORMER "," POOLING "," NORMALIZE "," NORMALIZE "]", STATUS_UNSUPPORTED, "module 3 is Normalize"},
    {"[" MODULE("sentence_transformers.models.Transformer", "0_Transformer") "]", STATUS_UNSUPPORTED, "0_Transformer"},
    {"[" TRANSFORMER "," MODULE("m.Pooling", "../1_Pooling") "]", STATUS_FORMAT, "\"../1_Pooling\" is not a folder"},
    {"[" TRANSFORMER "," MODULE("m.Pooling", "..") "]", STATUS_FORMAT, "\"..\" is not a folder"},
    {"[" TRANSFORMER "," MODULE("m.Pooling", "/etc") "]", STATUS_FORMAT, "\"/etc\" is not a folder"},
    {"[" TRANSFORMER "," MODULE("m.Pooling", "") "]", STATUS_FORMAT, "\"\" is not a folder"},
};

Test(modules, refusals_name_the_module)
{
    for (size_t i = 0; i < sizeof module_refusals / sizeof *module_refusals; i++) {
        struct model_modules modules;
        struct error err = {0};
        const char *text = module_refusals[i].text;
        expect_refusal(model_modules_parse(&modules, text, strlen(text), &err), &err, &module_refusals[i]);
    }
}

Test(pooling, the_modes_that_work)
{
    static const struct {
        const char *text;
        enum model_pooling pooling;
        bool include_prompt;
    } cases[] = {
        {"{\"word_embedding_dimension\": 16, \"pooling_mode_cls_token\": true}", MODEL_POOL_CLS, true},
        {"{\"pooling_mode_cls_token\": false, \"pooling_mode_mean_tokens\": true, \"include_prompt\": true}",
         MODEL_POOL_MEAN, true},
        {"{\"pooling_mode_max_tokens\": true, \"pooling_mode_lasttoken\": false}", MODEL_POOL_MAX, true},
        {"{\"embedding_dimension\": 16, \"pooling_mode\": \"mean\", \"include_prompt\": true}", MODEL_POOL_MEAN, true},
        {"{\"embedding_dimension\": 16, \"pooling_mode\": \"cls\", \"include_prompt\": false}", MODEL_POOL_CLS, false},
        {"{\"pooling_mode\": \"max\", \"include_prompt\": null}", MODEL_POOL_MAX, true},
        {"{\"pooling_mode\": [\"max\"]}", MODEL_POOL_MAX, true},
        {"{\"pooling_mode\": [\"cls\"]}", MODEL_POOL_CLS, true},
        /* the word goes before the flags of old; without either it is mean */
        {"{\"pooling_mode\": \"cls\", \"pooling_mode_mean_tokens\": true}", MODEL_POOL_CLS, true},
        {"{\"embedding_dimension\": 16}", MODEL_POOL_MEAN, true},
        {"{\"pooling_mode_cls_token\": false}", MODEL_POOL_MEAN, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct model_pooling_config config;
        struct error err;
        cr_assert_eq(model_pooling_parse(&config, 16, cases[i].text, strlen(cases[i].text), &err), STATUS_OK, "%s",
                     err.message);
        cr_expect_eq(config.pooling, cases[i].pooling, "%s", cases[i].text);
        cr_expect_eq(config.include_prompt, cases[i].include_prompt, "%s", cases[i].text);
    }
}

static const struct refusal pooling_refusals[] = {
    {"[]", STATUS_FORMAT, "not an object"},
    {"{\"pooling_mode_mean_tokens\": 1}", STATUS_FORMAT, "\"pooling_mode_mean_tokens\" is a number, not true or false"},
    {"{\"pooling_mode_mean_sqrt_len_tokens\": true}", STATUS_UNSUPPORTED, "pooling_mode_mean_sqrt_len_tokens is set"},
    {"{\"pooling_mode_weightedmean_tokens\": true}", STATUS_UNSUPPORTED, "pooling_mode_weightedmean_tokens is set"},
    {"{\"pooling_mode_lasttoken\": true}", STATUS_UNSUPPORTED, "pooling_mode_lasttoken is set"},
    {"{\"pooling_mode_cls_token\": true, \"pooling_mode_max_tokens\": true}", STATUS_UNSUPPORTED,
     "pooling_mode_cls_token and pooling_mode_max_tokens are both set"},
    {"{\"pooling_mode_cls_token\": true, \"pooling_mode_lasttoken\": true}", STATUS_UNSUPPORTED,
     "pooling_mode_cls_token and pooling_mode_lasttoken are both set"},
    {"{\"word_embedding_dimension\": 17, \"pooling_mode_cls_token\": true}", STATUS_FORMAT,
     "word_embedding_dimension is not config.json's hidden_size, 16"},
    {"{\"word_embedding_dimension\": \"16\"}", STATUS_FORMAT, "word_embedding_dimension"},
    {"{\"embedding_dimension\": 17, \"pooling_mode\": \"cls\"}", STATUS_FORMAT,
     "embedding_dimension is not config.json's hidden_size, 16"},
    {"{\"pooling_mode\": \"lasttoken\"}", STATUS_UNSUPPORTED, "pooling_mode is \"lasttoken\""},
    {"{\"pooling_mode\": \"MEAN\"}", STATUS_UNSUPPORTED, "pooling_mode is \"MEAN\""},
    {"{\"pooling_mode\": [\"weightedmean\"]}", STATUS_UNSUPPORTED, "pooling_mode is \"weightedmean\""},
    {"{\"pooling_mode\": [\"cls\", \"mean\"]}", STATUS_UNSUPPORTED, "pooling_mode names 2 modes"},
    {"{\"pooling_mode\": []}", STATUS_FORMAT, "pooling_mode is neither"},
    {"{\"pooling_mode\": 1}", STATUS_FORMAT, "pooling_mode is neither"},
    {"{\"pooling_mode\": \"mean\", \"include_prompt\": \"no\"}", STATUS_FORMAT, "\"include_prompt\" is a string"},
};

Test(pooling, refusals_name_the_mode)
{
    for (size_t i = 0; i < sizeof pooling_refusals / sizeof *pooling_refusals; i++) {
        struct model_pooling_config config;
        struct error err = {0};
        const char *text = pooling_refusals[i].text;
        expect_refusal(model_pooling_parse(&config, 16, text, strlen(text), &err), &err, &pooling_refusals[i]);
    }
}

Test(sequence, length)
{
    static const struct {
        const char *text;
        enum status status;
        uint32_t length;
    } cases[] = {
        {"{\"max_seq_length\": 256, \"do_lower_case\": false}", STATUS_OK, 256},
        {"{\"max_seq_length\": null}", STATUS_OK, 0},
        {"{}", STATUS_OK, 0},
        {"{\"transformer_task\": \"feature-extraction\", \"module_output_name\": \"token_embeddings\"}", STATUS_OK, 0},
        {"{\"transformer_task\": \"fill-mask\"}", STATUS_UNSUPPORTED, 0},
        {"{\"max_seq_length\": 0}", STATUS_FORMAT, 0},
        {"{\"max_seq_length\": -1}", STATUS_FORMAT, 0},
        {"{\"max_seq_length\": 2.5}", STATUS_FORMAT, 0},
        {"{\"max_seq_length\": \"256\"}", STATUS_FORMAT, 0},
        {"{\"max_seq_length\": 9223372036854775807}", STATUS_OK, MODEL_NO_LENGTH},
        {"{\"max_seq_length\": 1000000000000000019884624838656}", STATUS_OK, MODEL_NO_LENGTH},
        {"{\"max_seq_length\": 1e30}", STATUS_OK, MODEL_NO_LENGTH},
        {"{\"processor_kwargs\": {\"model_max_length\": 128}}", STATUS_OK, 128},
        {"{\"tokenizer_args\": {\"model_max_length\": 128}, \"max_seq_length\": null}", STATUS_OK, 128},
        {"{\"processor_kwargs\": {\"model_max_length\": -1}}", STATUS_FORMAT, 0},
        {"[256]", STATUS_FORMAT, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct model_sequence sequence = {0};
        struct error err;
        cr_expect_eq(model_sequence_parse(&sequence, cases[i].text, strlen(cases[i].text), &err), cases[i].status, "%s",
                     cases[i].text);
        cr_expect_eq(sequence.length, cases[i].length, "%s", cases[i].text);
        cr_expect_not(sequence.lowercase);
    }
}

/* The JSON library's own memory runs out at every place in turn: an error, or the right answer, never another. */
Test(config, the_parsers_allocations_may_fail)
{
    json_set_alloc_funcs(mem_alloc, mem_free);
    for (long n = 0;; n++) {
        struct image_shape shape = {0};
        struct error err = {0};
        mem_fail_after(n);
        enum status status = model_config_parse(&shape, base, strlen(base), &err);
        long made = mem_alloc_count();
        mem_fail_after(-1);
        if (status == STATUS_OK) {
            cr_assert_eq(shape.hidden, 312);
            cr_assert_eq(shape.positions, 512);
            cr_assert_geq(made, 20);
            break;
        }
        cr_assert(status == STATUS_NO_MEMORY || status == STATUS_FORMAT, "%ld: %s", n, err.message);
    }
}
