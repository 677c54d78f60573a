/* Model directories as others write them, served: pooling without the prompt, default prompts, warnings, paths. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/http/client.h"
#include "tests/http/process.h"

PROCESS_MAIN
{
    return process_main(argc, argv, "--boards 1 --drain-seconds 0");
}

static char dir[64];

static void put(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    mkdir(path, 0700); /* may be there */
    *slash = '/';
    unlink(path); /* a link to the model's own would be written through */
    FILE *file = fopen(path, "w");
    cr_assert(file && fputs(text, file) >= 0, "%s", path);
    fclose(file);
}

/* A directory of links to the model's files, which `put` may replace. */
static void make(void)
{
    static const char *const names[] = {"config.json", "model.safetensors", "tokenizer.json", "vocab.txt"};
    strcpy(dir, "/tmp/bertd-models-XXXXXX");
    cr_assert(mkdtemp(dir));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char from[600], to[128];
        snprintf(from, sizeof from, "%s/%s", process_model(), names[i]);
        snprintf(to, sizeof to, "%s/%s", dir, names[i]);
        cr_assert_eq(symlink(from, to), 0, "%s", to);
    }
}

static void drop(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", dir);
    cr_expect_eq(system(command), 0);
}

TestSuite(models, .init = make, .fini = drop);

static struct process serve(const char *options)
{
    char all[512];
    snprintf(all, sizeof all, "--model-id %s --boards 1 --drain-seconds 0 %s", dir, options);
    return process_start(all);
}

enum { WIDTH = 384 };

static void read_vector(const json_t *array, float *to)
{
    cr_assert_eq(json_array_size(array), WIDTH);
    for (size_t i = 0; i < WIDTH; i++)
        to[i] = (float)json_number_value(json_array_get(array, i));
}

static json_t *ask(int port, const char *path, const char *body)
{
    struct answer answer = client_post(port, path, body);
    cr_assert_eq(answer.code, 200, "%s: %s", body, answer.body);
    json_t *json = client_json(&answer);
    client_free(&answer);
    return json;
}

/* The mean (or, with `rows` 1, the value) of rows [first, first + rows) of what /embed_all gives. */
static void mean_of_tokens(int port, const char *text, size_t first, size_t rows, float *to)
{
    char body[256];
    float row[WIDTH];
    snprintf(body, sizeof body, "{\"inputs\":\"%s\"}", text);
    json_t *all = ask(port, "/embed_all", body), *tokens = json_array_get(all, 0);
    cr_assert_geq(json_array_size(tokens), first + rows);
    memset(to, 0, WIDTH * sizeof *to);
    for (size_t r = first; r < first + rows; r++) {
        read_vector(json_array_get(tokens, r), row);
        for (size_t i = 0; i < WIDTH; i++)
            to[i] += row[i] / (float)rows;
    }
    json_decref(all);
}

static void expect_vector(int port, const char *body, const float *expected)
{
    float vector[WIDTH];
    json_t *answer = ask(port, "/embed", body);
    read_vector(json_array_get(answer, 0), vector);
    json_decref(answer);
    for (int i = 0; i < WIDTH; i++)
        cr_assert_float_eq(vector[i], expected[i], 1e-5, "%s: value %d is %g, not %g", body, i, (double)vector[i],
                           (double)expected[i]);
}

static const char prompts[] =
    "{\"prompts\": {\"query\": \"find this: \", \"none\": null, \"empty\": \"\"}, \"default_prompt_name\": null}";

#define HELLO(name) "{\"inputs\":\"hello world\",\"normalize\":false,\"prompt_name\":\"" name "\"}"

/* [CLS] find this : hello world [SEP]: the first four stay out. */
Test(models, a_prompt_that_is_not_pooled)
{
    static const struct {
        const char *pooling;
        size_t first, rows;
    } cases[] = {{"mean", 4, 3}, {"cls", 4, 1}};
    put("config_sentence_transformers.json", prompts);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[128];
        float expected[WIDTH];
        snprintf(text, sizeof text,
                 "{\"embedding_dimension\": 384, \"pooling_mode\": \"%s\", \"include_prompt\": false}",
                 cases[i].pooling);
        put("1_Pooling/config.json", text);
        struct process process = serve("");
        mean_of_tokens(process.port, "find this: hello world", cases[i].first, cases[i].rows, expected);
        expect_vector(process.port, HELLO("query"), expected);
        /* without a prompt, or with an empty one, all tokens count */
        mean_of_tokens(process.port, "hello world", 0, i == 0 ? 4 : 1, expected);
        expect_vector(process.port, HELLO("none"), expected);
        expect_vector(process.port, HELLO("empty"), expected);
        expect_vector(process.port, "{\"inputs\":\"hello world\",\"normalize\":false}", expected);
        process_stop(&process);
    }
}

/* The first values of sentence-transformers 6.2 with torch 2.15, not normalised. */
Test(models, the_vectors_of_sentence_transformers)
{
    enum { N = 6 };
    static const struct {
        const char *pooling, *include_prompt;
        float values[N];
    } cases[] = {
        {"mean", "true", {-0.2124441f, 0.2788734f, -0.04190103f, -0.1020624f, -0.04087004f, -0.6170679f}},
        {"mean", "false", {-0.2594589f, 0.3050613f, 0.1111975f, -0.1837014f, -0.07129329f, -0.9825863f}},
        {"cls", "true", {0.1220272f, 0.1986387f, 0.1921088f, 0.1189882f, -0.1274342f, -0.373217f}},
        {"cls", "false", {-0.6448842f, 0.48487f, 0.4669164f, -0.2942978f, -0.4045675f, -1.0123f}},
        {"max", "true", {0.1220272f, 0.4888765f, 0.4669164f, 0.1913818f, 0.4698861f, -0.02698361f}},
        {"max", "false", {-0.05616155f, 0.48487f, 0.4669164f, 0.1913266f, 0.4698861f, -0.02698361f}},
    };
    put("config_sentence_transformers.json", prompts);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[128];
        float vector[WIDTH];
        snprintf(text, sizeof text, "{\"pooling_mode\": \"%s\", \"include_prompt\": %s}", cases[i].pooling,
                 cases[i].include_prompt);
        put("1_Pooling/config.json", text);
        struct process process = serve("--board fp32");
        json_t *answer = ask(process.port, "/embed", HELLO("query"));
        read_vector(json_array_get(answer, 0), vector);
        for (int v = 0; v < N; v++)
            cr_expect_float_eq(vector[v], cases[i].values[v], 1e-4, "%s: value %d is %g", text, v, (double)vector[v]);
        json_decref(answer);
        process_stop(&process);
    }
}

Test(models, a_prompt_that_is_pooled)
{
    float expected[WIDTH];
    put("config_sentence_transformers.json", prompts);
    put("1_Pooling/config.json",
        "{\"embedding_dimension\": 384, \"pooling_mode\": [\"mean\"], \"include_prompt\": true}");
    struct process process = serve("");
    mean_of_tokens(process.port, "find this: hello world", 0, 7, expected);
    expect_vector(process.port, HELLO("query"), expected);
    process_stop(&process);
}

Test(models, the_models_default_prompt_counts_unless_another_is_given)
{
    float with[WIDTH], without[WIDTH];
    static const char body[] = "{\"inputs\":\"hello world\",\"normalize\":false}";
    put("config_sentence_transformers.json",
        "{\"prompts\": {\"query\": \"find this: \", \"empty\": \"\"}, \"default_prompt_name\": \"query\"}");
    put("1_Pooling/config.json", "{\"pooling_mode\": \"mean\"}");
    struct process process = serve("");
    mean_of_tokens(process_shared(), "find this: hello world", 0, 7, with);
    mean_of_tokens(process_shared(), "hello world", 0, 4, without);
    expect_vector(process.port, body, with);
    expect_vector(process.port, HELLO("empty"), without);
    cr_expect(process_logged(&process, "the model's default prompt goes before inputs"));
    process_stop(&process);
    process = serve("--default-prompt-name empty");
    expect_vector(process.port, body, without);
    cr_expect_not(process_logged(&process, "the model's default prompt goes before inputs"));
    process_stop(&process);
}

/* --pooling makes the file needless; the longest input is that of tokenizer_config.json; what disagrees is told. */
Test(models, a_directory_of_many_oddities)
{
    put("1_Pooling/config.json", "{\"pooling_mode\": \"lasttoken\"}");
    put("tokenizer_config.json", "{\"model_max_length\": 16, \"do_lower_case\": false}");
    struct process process = serve("--pooling cls");
    struct answer info = client_ask(process.port, "GET", "/info", NULL);
    cr_expect(strstr(info.body, "\"max_input_length\":16"), "%s", info.body);
    client_free(&info);
    cr_expect(process_logged(&process, "tokenizer_config.json has do_lower_case false, tokenizer.json true"));
    cr_expect_not(process_logged(&process, "names no pooling"));
    process_stop(&process);
}

static void refuse(const char *options, int want, const char *words)
{
    char all[512], output[16384];
    snprintf(all, sizeof all, "--model-id %s --port 0 --json-output %s", dir, options);
    int status = process_run(all, output, sizeof output);
    cr_expect_eq(status, want, "%s", output);
    cr_expect(strstr(output, words), "\"%s\" does not say \"%s\"", output, words);
}

Test(models, what_is_not_served_is_named)
{
    put("sentence_bert_config.json", "{\"max_seq_length\": 2}");
    refuse("", 2, "the longest input is 2 tokens; it must be at least 3");
    put("sentence_bert_config.json", "{}");
    refuse("--max-input-length 2", 2, "--max-input-length: the longest input is 2 tokens; it must be at least 3");
    put("1_Pooling/config.json", "{\"pooling_mode\": [\"mean\", \"max\"]}");
    refuse("", 1, "pooling_mode names 2 modes");
    put("1_Pooling/config.json", "{\"pooling_mode\": \"mean\"}");
    put("tokenizer_config.json", "{\"tokenizer_class\": \"BertJapaneseTokenizer\"}");
    refuse("", 1, "tokenizer_class is \\\"BertJapaneseTokenizer\\\"");
}

/* A path is bytes: what shows it is JSON all the same. */
Test(models, a_path_that_is_not_utf8)
{
    char other[128];
    snprintf(other, sizeof other, "%s-\xff\xc3", dir);
    cr_assert_eq(rename(dir, other), 0);
    strcpy(dir, other);
    struct process process = serve("");
    struct answer answer = client_ask(process.port, "GET", "/info", NULL);
    json_t *info = client_json(&answer);
    const char *id = json_string_value(json_object_get(info, "model_id"));
    cr_assert(id);
    cr_expect_str_eq(id + strlen(id) - 7, "-\xEF\xBF\xBD\xEF\xBF\xBD", "%s", id);
    json_decref(info);
    client_free(&answer);
    FILE *log = fopen(process.log, "r");
    char line[8192];
    int paths = 0;
    while (fgets(line, sizeof line, log)) {
        json_t *json = json_loads(line, 0, NULL);
        cr_expect(json, "%s", line);
        paths += json_string_value(json_object_get(json, "path")) != NULL;
        json_decref(json);
    }
    cr_expect_geq(paths, 1);
    fclose(log);
    process_stop(&process);
    put("config.json", "{");
    refuse("", 1, "line 1, column 1");
}
