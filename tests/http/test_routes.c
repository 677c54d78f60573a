/* Every route: its body, defaults, headers and errors, against a server with MiniLM. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/http/client.h"
#include "tests/http/process.h"

enum { WIDTH = 384, LIMIT = 256 };

PROCESS_MAIN
{
    return process_main(argc, argv,
                        "--boards 1 --drain-seconds 0 --max-client-batch-size 32 --cors-allow-origin "
                        "http://a.example,http://b.example");
}

static struct answer post(const char *path, const char *json)
{
    return client_post(process_shared(), path, json);
}

static json_t *embeddings(const char *path, const char *json, size_t n)
{
    struct answer answer = post(path, json);
    cr_assert_eq(answer.code, 200, "%s: %.300s", json, answer.body);
    json_t *rows = client_json(&answer);
    cr_assert_eq(json_array_size(rows), n);
    client_free(&answer);
    return rows;
}

static double length_of(json_t *row)
{
    double sum = 0;
    for (size_t i = 0; i < json_array_size(row); i++)
        sum += pow(json_real_value(json_array_get(row, i)), 2);
    return sqrt(sum);
}

static bool same(json_t *a, json_t *b)
{
    return json_equal(a, b) == 1;
}

/* n times "word ", as JSON {"inputs": "..", more}. */
static char *long_request(size_t words, const char *more)
{
    char *text = malloc(words * 5 + 100 + strlen(more));
    char *to = text + sprintf(text, "{\"inputs\":\"");
    for (size_t i = 0; i < words; i++)
        to += sprintf(to, "word ");
    sprintf(to, "\"%s}", more);
    return text;
}

Test(embed, one_text_is_nested_and_normalised)
{
    json_t *rows = embeddings("/embed", "{\"inputs\":\"hello\"}", 1);
    json_t *row = json_array_get(rows, 0);
    cr_assert_eq(json_array_size(row), (size_t)WIDTH);
    for (size_t i = 0; i < WIDTH; i++)
        cr_assert(json_is_real(json_array_get(row, i)), "a float even to readers that tell integers apart");
    cr_expect_float_eq(length_of(row), 1.0, 1e-6);
    json_decref(rows);
}

Test(embed, root_is_an_alias)
{
    json_t *a = embeddings("/embed", "{\"inputs\":[\"hello\",\"world\"]}", 2);
    json_t *b = embeddings("/", "{\"inputs\":[\"hello\",\"world\"]}", 2);
    cr_expect(same(a, b));
    json_decref(a);
    json_decref(b);
}

Test(embed, not_normalised)
{
    json_t *raw = embeddings("/embed", "{\"inputs\":\"hello\",\"normalize\":false}", 1);
    json_t *unit = embeddings("/embed", "{\"inputs\":\"hello\"}", 1);
    double length = length_of(json_array_get(raw, 0));
    cr_expect(fabs(length - 1.0) > 0.01, "%f", length);
    for (size_t i = 0; i < WIDTH; i++) {
        double want = json_real_value(json_array_get(json_array_get(unit, 0), i));
        double got = json_real_value(json_array_get(json_array_get(raw, 0), i)) / length;
        cr_assert_float_eq(got, want, 1e-6);
    }
    json_decref(raw);
    json_decref(unit);
}

Test(embed, dimensions_are_cut_and_then_normalised)
{
    json_t *cut = embeddings("/embed", "{\"inputs\":\"hello\",\"dimensions\":16}", 1);
    json_t *whole = embeddings("/embed", "{\"inputs\":\"hello\"}", 1);
    json_t *row = json_array_get(cut, 0);
    cr_assert_eq(json_array_size(row), 16u);
    cr_expect_float_eq(length_of(row), 1.0, 1e-6);
    double first = json_real_value(json_array_get(row, 0));
    double second = json_real_value(json_array_get(row, 1));
    double whole_first = json_real_value(json_array_get(json_array_get(whole, 0), 0));
    double whole_second = json_real_value(json_array_get(json_array_get(whole, 0), 1));
    cr_expect_float_eq(first / second, whole_first / whole_second, 1e-5);
    client_expect_error(post("/embed", "{\"inputs\":\"a\",\"dimensions\":385}"), 422, "Validation", "384");
    client_expect_error(post("/embed", "{\"inputs\":\"a\",\"dimensions\":0}"), 422, "Validation", "`dimensions`");
    json_decref(cut);
    json_decref(whole);
}

Test(embed, ids_are_what_the_tokenizer_gave)
{
    json_t *text = embeddings("/embed", "{\"inputs\":\"hello world\"}", 1);
    json_t *ids = embeddings("/embed", "{\"inputs\":[101,7592,2088,102]}", 1);
    json_t *mixed = embeddings("/embed", "{\"inputs\":[[101,7592,2088,102],\"hello world\"]}", 2);
    cr_expect(same(text, ids));
    cr_expect(same(json_array_get(mixed, 0), json_array_get(mixed, 1)));
    cr_expect(same(json_array_get(mixed, 0), json_array_get(text, 0)));
    json_decref(text);
    json_decref(ids);
    json_decref(mixed);
}

Test(embed, ids_outside_of_the_vocabulary)
{
    client_expect_error(post("/embed", "{\"inputs\":[2147483648]}"), 422, "Validation", "vocabulary");
    client_expect_error(post("/embed", "{\"inputs\":[4294967295,30522]}"), 422, "Validation", "30522");
    client_expect_error(post("/embed", "{\"inputs\":[101,7592,99999,2088,102]}"), 422, "Validation",
                        "`inputs`: 99999 is not the id of a token");
    client_expect_error(post("/embed_all", "{\"inputs\":[\"a\",[101,99999,102]]}"), 422, "Validation",
                        "`inputs[1]`: 99999 is not the id of a token");
}

Test(embed, headers_tell_times_and_counts)
{
    struct answer answer = post("/embed", "{\"inputs\":[\"hello w\xC3\xB6rld\",\"x\"]}");
    cr_assert_eq(answer.code, 200);
    cr_expect_str_eq(client_header(&answer, "Content-Type"), "application/json");
    cr_expect_str_eq(client_header(&answer, "x-compute-type"), "fpga+emulated");
    cr_expect_str_eq(client_header(&answer, "x-compute-characters"), "12");
    cr_expect_str_eq(client_header(&answer, "x-compute-tokens"), "7");
    static const char *const times[] = {"x-compute-time", "x-total-time", "x-tokenization-time", "x-queue-time",
                                        "x-inference-time"};
    for (size_t i = 0; i < 5; i++) {
        const char *value = client_header(&answer, times[i]);
        cr_expect(*value && strspn(value, "0123456789") == strlen(value), "%s: %s", times[i], value);
    }
    client_free(&answer);
}

Test(embed, truncation)
{
    char *by_default = long_request(600, "");
    char *right = long_request(600, ",\"truncate\":true");
    char *refused = long_request(600, ",\"truncate\":false");
    char *fits = long_request(LIMIT - 2, ",\"truncate\":false");
    json_t *a = embeddings("/embed", by_default, 1);
    json_t *b = embeddings("/embed", right, 1);
    json_t *c = embeddings("/embed", fits, 1);
    cr_expect(same(a, b));
    cr_expect(same(a, c));
    client_expect_error(post("/embed", refused), 422, "Validation", "must have at most 256 tokens. Given: 602");
    json_decref(a);
    json_decref(b);
    json_decref(c);
    free(by_default);
    free(right);
    free(refused);
    free(fits);
}

Test(embed, truncation_direction)
{
    /* "first" and 300 words and "last": each direction sees one end only. */
    char text[2500];
    char request[2600];
    char *to = text + sprintf(text, "first ");
    for (int i = 0; i < 300; i++)
        to += sprintf(to, "word ");
    sprintf(to, "last");
    static const struct {
        const char *direction;
        const char *begin;
        const char *end;
        int words;
    } cases[] = {{"Right", "first ", "", 253}, {"Left", "", " last", 253}, {"left", "", " last", 253}};
    for (int i = 0; i < 3; i++) {
        char short_text[2500];
        to = short_text + sprintf(short_text, "%s", cases[i].begin);
        for (int w = 0; w < cases[i].words; w++)
            to += sprintf(to, "%sword", w ? " " : "");
        sprintf(to, "%s", cases[i].end);
        snprintf(request, sizeof request, "{\"inputs\":\"%s\",\"truncation_direction\":\"%s\"}", text,
                 cases[i].direction);
        json_t *cut = embeddings("/embed", request, 1);
        snprintf(request, sizeof request, "{\"inputs\":\"%s\"}", short_text);
        json_t *whole = embeddings("/embed", request, 1);
        cr_expect(same(cut, whole), "%s", cases[i].direction);
        json_decref(cut);
        json_decref(whole);
    }
}

Test(embed, far_too_long_texts)
{
    size_t chars = LIMIT * 250 + 1;
    char *text = malloc(chars + 100);
    char *to = text + sprintf(text, "{\"inputs\":\"");
    memset(to, 'x', chars);
    sprintf(to + chars, "\",\"truncate\":false}");
    client_expect_error(post("/embed", text), 422, "Validation", "less than 64000 characters. Given: 64001");
    sprintf(to + chars, "\"}");
    json_t *cut = embeddings("/embed", text, 1);
    json_decref(cut);
    client_expect_error(post("/tokenize", text), 422, "Validation", "64000 characters");
    free(text);
}

Test(embed, empty_inputs)
{
    client_expect_error(post("/embed", "{\"inputs\":\"\"}"), 400, "Empty", "`inputs` cannot be empty");
    client_expect_error(post("/embed", "{\"inputs\":[]}"), 400, "Empty", "`inputs` cannot be empty");
    client_expect_error(post("/embed", "{\"inputs\":[\"a\",\"\"]}"), 400, "Empty", "`inputs[1]` cannot be empty");
    client_expect_error(post("/embed", "{\"inputs\":[[]]}"), 400, "Empty", "`inputs[0]` cannot be empty");
    json_decref(embeddings("/embed", "{\"inputs\":\" \"}", 1));
    json_decref(embeddings("/embed", "{\"inputs\":\"\\u0000\"}", 1));
}

Test(embed, client_batch_limit)
{
    char text[400];
    char *to = text + sprintf(text, "{\"inputs\":[\"a\"");
    for (int i = 1; i < 32; i++)
        to += sprintf(to, ",\"a\"");
    sprintf(to, "]}");
    json_decref(embeddings("/embed", text, 32));
    sprintf(to, ",\"a\"]}");
    client_expect_error(post("/embed", text), 422, "Validation", "batch size 33 > maximum allowed batch size 32");
    client_expect_error(post("/embed_all", text), 422, "Validation", "batch size 33");
    client_expect_error(post("/tokenize", text), 422, "Validation", "batch size 33");
}

Test(embed, wrong_bodies)
{
    client_expect_error(post("/embed", "{\"inputs\":\"a\""), 400, "Validation", "line 1, column 14");
    client_expect_error(post("/embed", ""), 400, "Validation", "it ends where a value should be");
    client_expect_error(post("/embed", "{}"), 422, "Validation", "`inputs` is missing");
    client_expect_error(post("/embed", "{\"inputs\":7}"), 422, "Validation", "`inputs`: expected a string");
    client_expect_error(post("/embed", "{\"inputs\":\"a\",\"normalize\":\"no\"}"), 422, "Validation", "`normalize`");
    client_expect_error(post("/embed", "{\"inputs\":\"\\ud800\"}"), 400, "Validation", "lone surrogate");
    client_expect_error(post("/embed", "{\"inputs\":\"\xFF\"}"), 400, "Validation", "not UTF-8");
    client_expect_error(post("/embed", "{\"inputs\":\"a\",\"inputs\":\"b\"}"), 422, "Validation", "given twice");
    client_expect_error(post("/embed", "{\"inputs\":\"a\",\"prompt_name\":\"query\"}"), 422, "Validation", "\"query\"");
    json_decref(embeddings("/embed", "{\"inputs\":\"a\",\"unknown\":{\"deep\":[1,2]}}", 1));
}

Test(embed_all, a_vector_a_token)
{
    json_t *texts = embeddings("/embed_all", "{\"inputs\":[\"hello world\",\"x\"]}", 2);
    cr_assert_eq(json_array_size(json_array_get(texts, 0)), 4u);
    cr_assert_eq(json_array_size(json_array_get(texts, 1)), 3u);
    json_t *pooled = embeddings("/embed", "{\"inputs\":\"hello world\",\"normalize\":false}", 1);
    for (size_t d = 0; d < WIDTH; d++) {
        double sum = 0;
        for (size_t t = 0; t < 4; t++)
            sum += json_real_value(json_array_get(json_array_get(json_array_get(texts, 0), t), d));
        cr_assert_float_eq(sum / 4, json_real_value(json_array_get(json_array_get(pooled, 0), d)), 1e-5);
    }
    json_decref(texts);
    json_decref(pooled);
}

Test(embed_all, of_many_tokens)
{
    char *request = long_request(600, "");
    json_t *texts = embeddings("/embed_all", request, 1);
    cr_expect_eq(json_array_size(json_array_get(texts, 0)), (size_t)LIMIT);
    json_decref(texts);
    free(request);
}

static void expect_token(json_t *token, int id, const char *text, bool special, int start, int stop)
{
    cr_expect_eq(json_integer_value(json_object_get(token, "id")), id);
    cr_expect_str_eq(json_string_value(json_object_get(token, "text")), text);
    cr_expect_eq(json_is_true(json_object_get(token, "special")), special);
    if (start < 0) {
        cr_expect(json_is_null(json_object_get(token, "start")) && json_is_null(json_object_get(token, "stop")));
    } else {
        cr_expect_eq(json_integer_value(json_object_get(token, "start")), start);
        cr_expect_eq(json_integer_value(json_object_get(token, "stop")), stop);
    }
}

Test(tokenize, tokens_with_byte_offsets)
{
    json_t *texts = embeddings("/tokenize", "{\"inputs\":\"Hello, w\xC3\xB6rld[SEP]\"}", 1);
    json_t *tokens = json_array_get(texts, 0);
    cr_assert_eq(json_array_size(tokens), 6u);
    expect_token(json_array_get(tokens, 0), 101, "[CLS]", true, -1, -1);
    expect_token(json_array_get(tokens, 1), 7592, "Hello", false, 0, 5);
    expect_token(json_array_get(tokens, 2), 1010, ",", false, 5, 6);
    expect_token(json_array_get(tokens, 3), 2088, "w\xC3\xB6rld", false, 7, 13);
    expect_token(json_array_get(tokens, 4), 102, "[SEP]", false, 13, 18);
    expect_token(json_array_get(tokens, 5), 102, "[SEP]", true, -1, -1);
    json_decref(texts);
}

Test(tokenize, without_special_tokens_and_never_truncated)
{
    json_t *texts = embeddings("/tokenize", "{\"inputs\":[\"hello\",\"a b\"],\"add_special_tokens\":false}", 2);
    cr_expect_eq(json_array_size(json_array_get(texts, 0)), 1u);
    cr_expect_eq(json_array_size(json_array_get(texts, 1)), 2u);
    json_decref(texts);
    char *request = long_request(600, "");
    texts = embeddings("/tokenize", request, 1);
    cr_expect_eq(json_array_size(json_array_get(texts, 0)), 602u);
    json_decref(texts);
    free(request);
    client_expect_error(post("/tokenize", "{\"inputs\":\"\"}"), 400, "Empty", "`inputs` cannot be empty");
    client_expect_error(post("/tokenize", "{\"inputs\":[1,2]}"), 422, "Validation", "`inputs[0]`: expected a string");
}

Test(decode, text_of_ids)
{
    json_t *texts = embeddings("/decode", "{\"ids\":[101,7592,1010,2088,102]}", 1);
    cr_expect_str_eq(json_string_value(json_array_get(texts, 0)), "hello, world");
    json_decref(texts);
    texts = embeddings("/decode", "{\"ids\":[[101,7592,102],[2088]],\"skip_special_tokens\":false}", 2);
    cr_expect_str_eq(json_string_value(json_array_get(texts, 0)), "[CLS] hello [SEP]");
    cr_expect_str_eq(json_string_value(json_array_get(texts, 1)), "world");
    json_decref(texts);
    texts = embeddings("/decode", "{\"ids\":[4000000000]}", 1);
    cr_expect_str_eq(json_string_value(json_array_get(texts, 0)), "");
    json_decref(texts);
    client_expect_error(post("/decode", "{\"ids\":[]}"), 400, "Empty", "`ids` cannot be empty");
    client_expect_error(post("/decode", "{\"ids\":\"a\"}"), 422, "Validation", "`ids`: expected an array");
}

Test(routes, health)
{
    static const char *const paths[] = {"/health", "/ping", "/"};
    for (int i = 0; i < 3; i++) {
        struct answer answer = client_ask(process_shared(), "GET", paths[i], NULL);
        cr_expect_eq(answer.code, 200);
        cr_expect_eq(answer.len, 0u);
        client_free(&answer);
    }
}

Test(routes, info)
{
    struct answer answer = client_ask(process_shared(), "GET", "/info", NULL);
    cr_assert_eq(answer.code, 200);
    json_t *info = client_json(&answer);
    cr_expect_eq(json_integer_value(json_object_get(info, "max_input_length")), LIMIT);
    cr_expect_eq(json_integer_value(json_object_get(info, "max_client_batch_size")), 32);
    cr_expect_eq(json_integer_value(json_object_get(info, "max_concurrent_requests")), 512);
    cr_expect_eq(json_integer_value(json_object_get(info, "max_batch_tokens")), 16384);
    cr_expect(json_is_null(json_object_get(info, "max_batch_requests")));
    cr_expect(json_is_true(json_object_get(info, "auto_truncate")));
    cr_expect(json_is_false(json_object_get(info, "auto_chunk")));
    cr_expect_eq(json_integer_value(json_object_get(info, "chunk_overlap")), 32);
    cr_expect_eq(json_integer_value(json_object_get(info, "max_chunks")), 64);
    cr_expect_str_eq(json_string_value(json_object_get(info, "model_dtype")), "int8");
    json_t *kind = json_object_get(json_object_get(info, "model_type"), "embedding");
    cr_expect_str_eq(json_string_value(json_object_get(kind, "pooling")), "mean");
    cr_expect_str_eq(json_string_value(json_object_get(info, "model_id")), process_model());
    cr_expect(json_is_string(json_object_get(info, "version")));
    cr_expect(json_is_integer(json_object_get(info, "tokenization_workers")));
    json_decref(info);
    client_free(&answer);
}

static double metric(const char *name)
{
    struct answer answer = client_ask(process_shared(), "GET", "/metrics", NULL);
    cr_assert_eq(answer.code, 200);
    cr_expect(strncmp(client_header(&answer, "Content-Type"), "text/plain; version=0.0.4", 25) == 0);
    char line[128];
    snprintf(line, sizeof line, "\n%s ", name);
    const char *found = strstr(answer.body, line);
    cr_assert(found != NULL, "no metric %s", name);
    double value = strtod(found + strlen(line), NULL);
    client_free(&answer);
    return value;
}

Test(routes, metrics_count)
{
    static const char *const names[] = {"te_request_count{method=\"batch\"}",
                                        "te_request_success{method=\"batch\"}",
                                        "te_embed_count",
                                        "te_embed_success",
                                        "te_request_duration_count",
                                        "te_request_tokenization_duration_count",
                                        "te_request_queue_duration_count",
                                        "te_request_inference_duration_count",
                                        "te_request_input_length_count",
                                        "te_batch_next_size_count",
                                        "te_batch_next_tokens_sum"};
    enum { N = sizeof names / sizeof *names };
    double before[N];
    for (int i = 0; i < N; i++)
        before[i] = metric(names[i]);
    double failed = metric("te_request_failure{err=\"empty\"}");
    json_decref(embeddings("/embed", "{\"inputs\":[\"a\",\"b\",\"c\"]}", 3));
    client_expect_error(post("/embed", "{\"inputs\":\"\"}"), 400, "Empty", "");
    for (int i = 0; i < N; i++)
        cr_expect(metric(names[i]) > before[i], "%s", names[i]);
    cr_expect(metric("te_request_failure{err=\"empty\"}") > failed);
    cr_expect(metric("te_queue_size") >= 0);
    cr_expect_eq(metric("bertd_boards_ready"), 1);
    cr_expect(metric("bertd_board_tasks_total{board=\"emu0\",result=\"done\"}") > 0);
}

Test(routes, what_is_not_there)
{
    client_expect_error(client_ask(process_shared(), "GET", "/nothing", NULL), 404, "NotFound", "/nothing");
    client_expect_error(post("/embed/", "{\"inputs\":\"a\"}"), 404, "NotFound", "/embed/");
    struct answer answer = client_ask(process_shared(), "GET", "/embed", NULL);
    cr_expect_str_eq(client_header(&answer, "Allow"), "POST, OPTIONS");
    client_expect_error(answer, 405, "MethodNotAllowed", "/embed takes POST");
    answer = post("/health", "{}");
    cr_expect_str_eq(client_header(&answer, "Allow"), "GET, HEAD, OPTIONS");
    client_expect_error(answer, 405, "MethodNotAllowed", "not POST");
    client_expect_error(client_ask(process_shared(), "DELETE", "/embed", NULL), 405, "MethodNotAllowed", "DELETE");
    client_expect_error(client_ask(process_shared(), "PUT", "/embed", &(struct sending){.body = "{}"}), 405,
                        "MethodNotAllowed", "PUT");
}

Test(routes, head_and_options)
{
    struct answer answer = client_ask(process_shared(), "HEAD", "/info", NULL);
    cr_expect_eq(answer.code, 200);
    cr_expect(atoi(client_header(&answer, "Content-Length")) > 100);
    cr_expect_eq(answer.len, 0u);
    client_free(&answer);
    answer = client_ask(process_shared(), "OPTIONS", "/embed", NULL);
    cr_expect_eq(answer.code, 204);
    cr_expect_str_eq(client_header(&answer, "Allow"), "POST, OPTIONS");
    client_free(&answer);
}

Test(routes, content_type)
{
    static const char body[] = "{\"inputs\":\"a\"}";
    static const char *const wrong[] = {"Content-Type: text/plain", "Content-Type: application/x-www-form-urlencoded",
                                        "Content-Type: application/jsonp"};
    static const char *const right[] = {"Content-Type: application/json; charset=utf-8",
                                        "content-type: APPLICATION/JSON"};
    for (int i = 0; i < 3; i++)
        client_expect_error(
            client_ask(process_shared(), "POST", "/embed", &(struct sending){.body = body, .headers = {wrong[i]}}), 415,
            "Validation", "application/json");
    for (int i = 0; i < 2; i++)
        client_expect_ok(
            client_ask(process_shared(), "POST", "/embed", &(struct sending){.body = body, .headers = {right[i]}}));
    client_expect_error(
        client_ask(process_shared(), "POST", "/embed", &(struct sending){.body = body, .without_content_type = true}),
        415, "Validation", "application/json");
}

Test(routes, cors)
{
    struct answer answer =
        client_ask(process_shared(), "OPTIONS", "/embed",
                   &(struct sending){.headers = {"Origin: http://b.example",
                                                 "Access-Control-Request-Headers: content-type,x-bertd-priority"}});
    cr_expect_str_eq(client_header(&answer, "Access-Control-Allow-Origin"), "http://b.example");
    cr_expect(strstr(client_header(&answer, "Access-Control-Allow-Headers"), "content-type") != NULL);
    cr_expect(strstr(client_header(&answer, "Access-Control-Allow-Headers"), "x-bertd-priority") != NULL);
    client_free(&answer);
    answer = client_ask(process_shared(), "POST", "/embed",
                        &(struct sending){.body = "{\"inputs\":\"a\"}", .headers = {"Origin: http://a.example"}});
    cr_expect_str_eq(client_header(&answer, "Access-Control-Allow-Origin"), "http://a.example");
    cr_expect(strcasestr(answer.headers, "\nvary: Origin\r") != NULL, "%s", answer.headers);
    cr_expect(strstr(client_header(&answer, "Access-Control-Expose-Headers"), "x-truncated-count") != NULL);
    client_free(&answer);
    answer = client_ask(process_shared(), "GET", "/info", &(struct sending){.headers = {"Origin: http://c.example"}});
    cr_expect_str_eq(client_header(&answer, "Access-Control-Allow-Origin"), "");
    cr_expect(strcasestr(answer.headers, "\nvary: Origin\r") != NULL, "no cache gives it to others: %s",
              answer.headers);
    client_free(&answer);
}

Test(routes, request_timeout_header)
{
    static const char body[] = "{\"inputs\":\"a\"}";
    static const char *const wrong[] = {"x-request-timeout-ms: 0", "x-request-timeout-ms: soon",
                                        "x-request-timeout-ms: -5"};
    for (int i = 0; i < 3; i++)
        client_expect_error(
            client_ask(process_shared(), "POST", "/embed", &(struct sending){.body = body, .headers = {wrong[i]}}), 422,
            "Validation", "x-request-timeout-ms");
    client_expect_ok(client_ask(process_shared(), "POST", "/embed",
                                &(struct sending){.body = body, .headers = {"x-request-timeout-ms: 60000"}}));
}
