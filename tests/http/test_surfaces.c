/* The same texts by every surface have the same vectors; content codings; HEAD and OPTIONS of every route. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "tests/http/client.h"
#include "tests/http/process.h"
#include "tests/http/raw.h"
#include "tests/http/surfaces.h"

enum { WIDTH = 384 };
#define INFER "/v2/models/" SURFACES_MODEL "/infer"

PROCESS_MAIN
{
    return process_main(argc, argv, "--boards 1 --drain-seconds 0 --served-model-name " SURFACES_MODEL);
}

static struct answer post_with(const char *path, const char *body, size_t len, const char *header, const char *other)
{
    return client_ask(process_shared(), "POST", path,
                      &(struct sending){.body = body, .len = len, .headers = {header, header ? other : NULL}});
}

static json_t *json_of(const char *path, const char *body)
{
    struct answer answer = client_post(process_shared(), path, body);
    cr_assert_eq(answer.code, 200, "%s: %.300s", path, answer.body);
    json_t *json = client_json(&answer);
    client_free(&answer);
    return json;
}

/* The vectors of "hello" and "world" [2][WIDTH], as /embed has them. */
static void read_rows(float *ret, const char *more)
{
    char body[128];
    snprintf(body, sizeof body, "{\"inputs\":[\"hello\",\"world\"]%s}", more);
    json_t *rows = json_of("/embed", body);
    for (size_t i = 0; i < 2; i++)
        for (size_t d = 0; d < json_array_size(json_array_get(rows, i)); d++)
            *ret++ = (float)json_real_value(json_array_get(json_array_get(rows, i), d));
    json_decref(rows);
}

static void expect_number(json_t *object, const char *key, int want)
{
    cr_expect_eq(json_integer_value(json_object_get(object, key)), want, "%s", key);
}

static void expect_word(json_t *object, const char *key, const char *want)
{
    const char *word = json_string_value(json_object_get(object, key));
    cr_expect(word && strcmp(word, want) == 0, "%s: %s, not %s", key, word ? word : "none", want);
}

/* OpenAI ------------------------------------------------------------------------------------------------------------*/

Test(openai, floats)
{
    static const char *const bodies[] = {"{\"input\":[\"hello\",\"world\"],\"model\":\"text-embedding-3-small\"}",
                                         "{\"input\":[[101,7592,102],[101,2088,102]],\"encoding_format\":\"float\"}"};
    static float want[2 * WIDTH];
    read_rows(want, "");
    for (int b = 0; b < 4; b++) {
        json_t *answer = json_of(b % 2 ? "/v1/embeddings" : "/embeddings", bodies[b / 2]);
        expect_word(answer, "object", "list");
        expect_word(answer, "model", SURFACES_MODEL);
        expect_number(json_object_get(answer, "usage"), "prompt_tokens", 6);
        expect_number(json_object_get(answer, "usage"), "total_tokens", 6);
        json_t *data = json_object_get(answer, "data");
        cr_assert_eq(json_array_size(data), 2u);
        for (int i = 0; i < 2; i++) {
            json_t *item = json_array_get(data, (size_t)i);
            json_t *row = json_object_get(item, "embedding");
            expect_word(item, "object", "embedding");
            expect_number(item, "index", i);
            cr_assert_eq(json_array_size(row), (size_t)WIDTH);
            for (size_t d = 0; d < WIDTH; d++)
                cr_assert_eq((float)json_real_value(json_array_get(row, d)), want[i * WIDTH + (int)d]);
        }
        json_decref(answer);
    }
}

static int base64_value(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = strchr(digits, c);
    return c && at ? (int)(at - digits) : -1;
}

Test(openai, base64)
{
    static float want[2 * 3];
    read_rows(want, ",\"dimensions\":3");
    json_t *answer =
        json_of("/v1/embeddings", "{\"input\":[\"hello\",\"world\"],\"encoding_format\":\"base64\",\"dimensions\":3}");
    for (size_t i = 0; i < 2; i++) {
        const char *text =
            json_string_value(json_object_get(json_array_get(json_object_get(answer, "data"), i), "embedding"));
        cr_assert_eq(strlen(text), 16u);
        unsigned char bytes[12];
        for (size_t g = 0; g < 4; g++) {
            int bits = 0;
            for (size_t c = 0; c < 4; c++)
                bits = bits << 6 | base64_value(text[4 * g + c]);
            for (size_t c = 0; c < 3; c++)
                bytes[3 * g + c] = (unsigned char)(bits >> (16 - 8 * c));
        }
        cr_expect(memcmp(bytes, &want[3 * i], sizeof bytes) == 0);
    }
    json_decref(answer);
}

Test(openai, models)
{
    json_t *list = json_of("/v1/embeddings", "{\"input\":\"a\"}"); /* the name is the same everywhere */
    struct answer answer = client_ask(process_shared(), "GET", "/v1/models", NULL);
    json_t *models = client_json(&answer);
    client_free(&answer);
    expect_word(models, "object", "list");
    cr_assert_eq(json_array_size(json_object_get(models, "data")), 1u);
    json_t *model = json_array_get(json_object_get(models, "data"), 0);
    expect_word(model, "id", json_string_value(json_object_get(list, "model")));
    expect_word(model, "object", "model");
    expect_word(model, "owned_by", "bertd");
    cr_expect(json_is_integer(json_object_get(model, "created")));
    static const char *const paths[] = {"/v1/models/acme/mini", "/v1/models/acme%2Fmini"};
    for (int p = 0; p < 2; p++) {
        answer = client_ask(process_shared(), "GET", paths[p], NULL);
        json_t *one = client_json(&answer);
        cr_expect(json_equal(one, model), "%s: %s", paths[p], answer.body);
        json_decref(one);
        client_free(&answer);
    }
    json_decref(models);
    json_decref(list);
}

/* Similarity --------------------------------------------------------------------------------------------------------*/

Test(similarity, cosines)
{
    static float rows[2 * WIDTH];
    read_rows(rows, ",\"normalize\":false");
    double product = 0, a = 0, b = 0;
    for (int d = 0; d < WIDTH; d++) {
        product += (double)rows[d] * rows[WIDTH + d];
        a += (double)rows[d] * rows[d];
        b += (double)rows[WIDTH + d] * rows[WIDTH + d];
    }
    json_t *answer = json_of("/similarity", "{\"inputs\":{\"source_sentence\":\"hello\",\"sentences\":[\"world\","
                                            "\"hello\"]},\"parameters\":{\"truncate\":true}}");
    cr_assert_eq(json_array_size(answer), 2u);
    cr_expect_float_eq(json_real_value(json_array_get(answer, 0)), product / sqrt(a * b), 1e-6);
    cr_expect_float_eq(json_real_value(json_array_get(answer, 1)), 1.0, 1e-7);
    json_decref(answer);
}

/* The Open Inference Protocol ---------------------------------------------------------------------------------------*/

Test(v2, metadata)
{
    struct answer answer = client_ask(process_shared(), "GET", "/v2", NULL);
    json_t *server = client_json(&answer);
    client_free(&answer);
    expect_word(server, "name", "bertd");
    cr_expect(json_is_string(json_object_get(server, "version")));
    cr_expect_str_eq(json_string_value(json_array_get(json_object_get(server, "extensions"), 0)), "binary_tensor_data");
    static const char *const paths[] = {"/v2/models/" SURFACES_MODEL, "/v2/models/" SURFACES_MODEL "/versions/1"};
    for (int p = 0; p < 2; p++) {
        answer = client_ask(process_shared(), "GET", paths[p], NULL);
        json_t *model = client_json(&answer);
        client_free(&answer);
        expect_word(model, "name", SURFACES_MODEL);
        expect_word(json_array_get(json_object_get(model, "inputs"), 0), "name", "text");
        json_t *output = json_array_get(json_object_get(model, "outputs"), 0);
        expect_word(output, "name", "embedding");
        expect_word(output, "datatype", "FP32");
        cr_expect_eq(json_integer_value(json_array_get(json_object_get(output, "shape"), 1)), WIDTH);
        json_decref(model);
    }
    json_decref(server);
}

Test(v2, health)
{
    static const char *const cases[][2] = {{"/v2/health/live", "live"},
                                           {"/v2/health/ready", "ready"},
                                           {"/v2/models/acme/mini/ready", "ready"},
                                           {"/v2/models/acme/mini/versions/1/ready", "ready"}};
    for (size_t c = 0; c < 4; c++) {
        struct answer answer = client_ask(process_shared(), "GET", cases[c][0], NULL);
        cr_expect_eq(answer.code, 200);
        json_t *json = client_json(&answer);
        cr_expect(json_is_true(json_object_get(json, cases[c][1])), "%s", answer.body);
        json_decref(json);
        client_free(&answer);
    }
}

Test(v2, numbers_in_json)
{
    static float want[2 * 3];
    read_rows(want, ",\"dimensions\":3,\"normalize\":false");
    static const char *const inputs[] = {
        "{\"name\":\"text\",\"shape\":[2],\"datatype\":\"BYTES\",\"data\":[\"hello\",\"world\"]}",
        "{\"name\":\"input_ids\",\"shape\":[2,4],\"datatype\":\"INT64\",\"data\":[101,7592,102,0,101,2088,102,0]},"
        "{\"name\":\"attention_mask\",\"shape\":[2,4],\"datatype\":\"INT64\",\"data\":[1,1,1,0,1,1,1,0]}"};
    for (int i = 0; i < 2; i++) {
        char body[512];
        snprintf(body, sizeof body,
                 "{\"id\":\"42\",\"parameters\":{\"dimensions\":3,\"normalize\":false},\"inputs\":[%s]}", inputs[i]);
        json_t *answer = json_of(i ? INFER : "/v2/models/" SURFACES_MODEL "/versions/1/infer", body);
        expect_word(answer, "model_name", SURFACES_MODEL);
        expect_word(answer, "model_version", "1");
        expect_word(answer, "id", "42");
        json_t *output = json_array_get(json_object_get(answer, "outputs"), 0);
        json_t *data = json_object_get(output, "data");
        cr_assert_eq(json_array_size(data), 6u);
        for (size_t d = 0; d < 6; d++)
            cr_expect_eq((float)json_real_value(json_array_get(data, d)), want[d]);
        json_decref(answer);
    }
}

/* As Triton's client sends it. */
Test(v2, binary_both_ways)
{
    static float want[2 * WIDTH];
    read_rows(want, "");
    static const char json[] = "{\"inputs\":[{\"name\":\"text\",\"shape\":[2],\"datatype\":\"BYTES\",\"parameters\":{"
                               "\"binary_data_size\":18}}],\"parameters\":{\"binary_data_output\":true}}";
    char body[256], header[64];
    memcpy(body, json, sizeof json - 1);
    memcpy(body + sizeof json - 1, "\5\0\0\0hello\5\0\0\0world", 18);
    snprintf(header, sizeof header, "Inference-Header-Content-Length: %zu", sizeof json - 1);
    struct answer answer = client_ask(process_shared(), "POST", INFER,
                                      &(struct sending){.body = body,
                                                        .len = sizeof json - 1 + 18,
                                                        .headers = {header, "Accept-Encoding: gzip"},
                                                        .without_content_type = true});
    cr_assert_eq(answer.code, 200, "%.300s", answer.body);
    cr_expect_str_eq(client_header(&answer, "content-type"), "application/octet-stream");
    cr_expect_str_eq(client_header(&answer, "content-encoding"), "");
    size_t json_len = (size_t)atoi(client_header(&answer, "inference-header-content-length"));
    cr_assert_eq(answer.len, json_len + sizeof want);
    cr_expect(memcmp(answer.body + json_len, want, sizeof want) == 0);
    json_t *head = json_loadb(answer.body, json_len, 0, NULL);
    json_t *output = json_array_get(json_object_get(head, "outputs"), 0);
    expect_number(json_object_get(output, "parameters"), "binary_data_size", sizeof want);
    json_decref(head);
    client_free(&answer);
    surface_expect_error(post_with(INFER, "{}", 2, "Inference-Header-Content-Length: x", NULL), FORM_V2, 422,
                         "Validation", "Inference-Header-Content-Length: expected a number");
    surface_expect_error(post_with(INFER, "{}", 2, "Inference-Header-Content-Length: 3", NULL), FORM_V2, 422,
                         "Validation", "more than the 2 bytes");
}

/* Content codings ---------------------------------------------------------------------------------------------------*/

static size_t gzip_of(const char *text, char *ret, size_t size)
{
    z_stream z = {0};
    cr_assert_eq(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)text;
    z.avail_in = (uInt)strlen(text);
    z.next_out = (Bytef *)ret;
    z.avail_out = (uInt)size;
    cr_assert_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return z.total_out;
}

Test(coding, of_requests_and_answers)
{
    static const char text[] = "{\"inputs\":[\"hello\",\"world\"]}";
    static char plain[65536];
    char body[256];
    struct answer right = client_post(process_shared(), "/embed", text);
    size_t len = gzip_of(text, body, sizeof body);
    struct answer answer = post_with("/embed", body, len, "Content-Encoding: gzip", "Accept-Encoding: gzip");
    cr_assert_eq(answer.code, 200, "%.300s", answer.body);
    cr_expect_str_eq(client_header(&answer, "content-encoding"), "gzip");
    cr_expect_str_eq(client_header(&answer, "vary"), "Accept-Encoding");
    cr_expect(answer.len < right.len * 2 / 3);
    z_stream z = {.next_in = (Bytef *)answer.body,
                  .avail_in = (uInt)answer.len,
                  .next_out = (Bytef *)plain,
                  .avail_out = sizeof plain};
    cr_assert_eq(inflateInit2(&z, 15 + 16), Z_OK);
    cr_expect_eq(inflate(&z, Z_FINISH), Z_STREAM_END);
    inflateEnd(&z);
    cr_expect(z.total_out == right.len && memcmp(plain, right.body, right.len) == 0);
    client_free(&answer);
    len = ZSTD_compress(body, sizeof body, text, strlen(text), 3);
    answer = post_with("/embed", body, len, "Content-Encoding: ZSTD", "Accept-Encoding: gzip, deflate, br, zstd");
    cr_assert_eq(answer.code, 200, "%.300s", answer.body);
    cr_expect_str_eq(client_header(&answer, "content-encoding"), "zstd");
    cr_expect_eq(ZSTD_decompress(plain, sizeof plain, answer.body, answer.len), right.len);
    cr_expect(memcmp(plain, right.body, right.len) == 0);
    client_free(&answer);
    client_free(&right);
}

Test(coding, short_answers_and_others_stay_as_they_are)
{
    struct answer answer = post_with("/embed", "{\"inputs\":\"a\",\"dimensions\":8}", 0, "Accept-Encoding: gzip", NULL);
    cr_expect_str_eq(client_header(&answer, "content-encoding"), "");
    cr_expect_str_eq(client_header(&answer, "vary"), "");
    client_free(&answer);
    answer = post_with("/embed", "{\"inputs\":\"a\"}", 0, "Accept-Encoding: gzip;q=0, br", NULL);
    cr_expect_str_eq(client_header(&answer, "content-encoding"), "");
    cr_expect_str_eq(client_header(&answer, "vary"), "Accept-Encoding", "a cache is told all the same");
    client_free(&answer);
}

Test(coding, broken_bodies)
{
    char body[256];
    size_t len = gzip_of("{\"inputs\":[\"hello\",\"world\"]}", body, sizeof body);
    surface_expect_error(post_with("/embed", body, len - 1, "Content-Encoding: gzip", NULL), FORM_TEI, 400,
                         "Validation", "not valid gzip");
    body[len] = 'x';
    surface_expect_error(post_with("/embed", body, len + 1, "Content-Encoding: gzip", NULL), FORM_TEI, 400,
                         "Validation", "not valid gzip");
    size_t large = 3000000;
    char *zeros = malloc(large + 1);
    memset(zeros, ' ', large);
    zeros[large] = '\0';
    char *coded = malloc(large);
    len = gzip_of(zeros, coded, large);
    surface_expect_error(post_with("/embed", coded, len, "Content-Encoding: gzip", NULL), FORM_TEI, 413, "Validation",
                         "larger than 2000000 bytes when it is decoded (see --payload-limit)");
    free(zeros);
    free(coded);
}

/* From the head on: a client may send no more. */
Test(coding, decoders_count_as_memory)
{
    static const char head[] = "POST /embed HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                               "Content-Encoding: zstd, gzip\r\nContent-Length: 1000\r\n\r\n";
    int port = process_shared(), fd = client_connect(port);
    raw_send(fd, head, sizeof head - 1);
    double held = 0;
    for (int tries = 0; held == 0 && tries < 10000; tries++)
        held = client_metric(port, "bertd_request_memory_bytes");
    cr_expect_geq(held, 48 << 10);
    close(fd);
    cr_expect(client_becomes(port, "bertd_request_memory_bytes", 0));
}

/* HEAD and OPTIONS --------------------------------------------------------------------------------------------------*/

Test(methods, of_every_route)
{
    static const struct {
        const char *path;
        bool get, post;
    } routes[] = {
        {"/", true, true},
        {"/health", true, false},
        {"/ping", true, false},
        {"/info", true, false},
        {"/metrics", true, false},
        {"/boards", true, false},
        {"/v1/models", true, false},
        {"/v1/models/acme/mini", true, false},
        {"/v2", true, false},
        {"/v2/health/live", true, false},
        {"/v2/health/ready", true, false},
        {"/v2/models/acme/mini", true, false},
        {"/v2/models/acme/mini/ready", true, false},
        {"/v2/models/acme/mini/versions/1", true, false},
        {"/embed", false, true},
        {"/v1/embeddings", false, true},
        {"/similarity", false, true},
        {"/rerank", false, true},
        {"/v2/models/acme/mini/infer", false, true},
        {"/v2/models/acme/mini/versions/1/infer", false, true},
    };
    for (size_t r = 0; r < sizeof routes / sizeof *routes; r++) {
        struct answer answer = client_ask(process_shared(), "OPTIONS", routes[r].path, NULL);
        cr_expect_eq(answer.code, 204, "%s", routes[r].path);
        cr_expect_str_eq(client_header(&answer, "allow"), routes[r].get && routes[r].post ? "GET, HEAD, POST, OPTIONS"
                                                          : routes[r].get                 ? "GET, HEAD, OPTIONS"
                                                                                          : "POST, OPTIONS");
        client_free(&answer);
        answer = client_ask(process_shared(), "HEAD", routes[r].path, NULL);
        cr_expect_eq(answer.code, routes[r].get ? 200 : 405, "%s", routes[r].path);
        cr_expect_eq(answer.len, 0u);
        client_free(&answer);
    }
}
