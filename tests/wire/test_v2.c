#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "server/wire/v2.h"

static const struct wire_limits limits = {.max_inputs = 4};
static const struct wire_embed_defaults defaults = {.truncate = true, .chunk_overlap = 32};
static struct arena *arena;

static void begin(void)
{
    arena = arena_create(1 << 20);
}

static void end(void)
{
    arena_destroy(&arena);
}

TestSuite(v2, .init = begin, .fini = end);

#define TEXT(shape, rest) "{\"name\":\"text\",\"shape\":" shape ",\"datatype\":\"BYTES\"," rest "}"
#define IDS(shape, rest)  "{\"name\":\"input_ids\",\"shape\":" shape ",\"datatype\":\"INT64\"," rest "}"
#define MASK(shape, rest) "{\"name\":\"attention_mask\",\"shape\":" shape ",\"datatype\":\"INT32\"," rest "}"
#define SIZE(n)           "\"parameters\":{\"binary_data_size\":" #n "}"

/* JSON, and behind it `binary` [binary_len]. */
static enum status read(struct wire_v2 *ret, const char *json, const void *binary, size_t binary_len, struct error *err)
{
    static char body[4096];
    size_t json_len = strlen(json);
    memcpy(body, json, json_len);
    memcpy(body + json_len, binary, binary_len);
    return wire_v2_read(ret, body, json_len + binary_len, json_len, &limits, &defaults, arena, err);
}

static struct wire_v2 request_of(const char *json, const void *binary, size_t binary_len)
{
    struct wire_v2 request = {0};
    struct error err = {0};
    cr_assert_eq(read(&request, json, binary, binary_len, &err), STATUS_OK, "%s: %s", json, err.message);
    return request;
}

static void refused(const char *json, const void *binary, size_t binary_len, enum status want, const char *words)
{
    struct wire_v2 request = {.timeout_us = 77};
    struct error err = {0};
    enum status status = read(&request, json, binary, binary_len, &err);
    cr_expect_eq(status, want, "%s: %s, %s", json, status_name(status), err.message);
    cr_expect(strstr(err.message, words), "%s: \"%s\" does not say \"%s\"", json, err.message, words);
    cr_expect_eq(request.timeout_us, 77u, "ret is untouched on failure");
}

static void expect_texts(const struct wire_v2 *request, uint32_t n, const char *const *texts)
{
    cr_assert_eq(request->embed.inputs.n, n);
    for (uint32_t i = 0; i < n; i++)
        cr_expect(wire_string_is(request->embed.inputs.items[i].text, texts[i]), "%u", i);
}

static void expect_ids(const struct wire_v2 *request, uint32_t input, uint32_t n, const uint32_t *ids)
{
    const struct wire_input *item = &request->embed.inputs.items[input];
    cr_assert_eq(item->n_ids, n);
    cr_expect(memcmp(item->ids, ids, n * sizeof *ids) == 0);
}

Test(v2, texts_in_json)
{
    static const char *const texts[] = {"a", "b\"c"};
    struct wire_v2 request = request_of("{\"inputs\":[" TEXT("[2]", "\"data\":[\"a\",\"b\\\"c\"]") "]}", "", 0);
    expect_texts(&request, 2, texts);
    cr_expect(request.embed.truncate && request.embed.normalize && !request.binary && !request.id.bytes);
    request = request_of("{\"inputs\":[" TEXT("[2,1]", "\"data\":[[\"a\"],[\"b\\\"c\"]]") "]}", "", 0);
    expect_texts(&request, 2, texts);
    request =
        request_of("{\"inputs\":[{\"data\":[\"a\"],\"datatype\":\"BYTES\",\"shape\":[1],\"name\":\"text\"}]}", "", 0);
    expect_texts(&request, 1, texts);
}

Test(v2, texts_in_binary)
{
    static const char *const texts[] = {"abc", "d"};
    static const char bytes[] = "\3\0\0\0abc\1\0\0\0d";
    struct wire_v2 request =
        request_of("{\"inputs\":[" TEXT("[2]", SIZE(12)) "],\"parameters\":{\"binary_data_output\":true}}", bytes, 12);
    expect_texts(&request, 2, texts);
    cr_expect(request.binary);
}

Test(v2, ids_and_mask)
{
    static const uint32_t first[] = {101, 7592, 102}, second[] = {101, 102};
    struct wire_v2 request = request_of("{\"inputs\":[" MASK("[2,3]", "\"data\":[[1,1,1],[1,0,1]]") "," IDS(
                                            "[2,3]", "\"data\":[101,7592,102,101,5,102]") "]}",
                                        "", 0);
    expect_ids(&request, 0, 3, first);
    expect_ids(&request, 1, 2, second);
    int64_t ids[] = {101, 7592, 102};
    int32_t mask[] = {1, 0, 1};
    char bytes[36];
    memcpy(bytes, ids, 24);
    memcpy(bytes + 24, mask, 12);
    request = request_of("{\"inputs\":[" IDS("[1,3]", SIZE(24)) "," MASK("[1,3]", SIZE(12)) "]}", bytes, 36);
    expect_ids(&request, 0, 2, second);
    request = request_of("{\"inputs\":[" IDS("[1,3]", "\"data\":[101,7592,102]") "]}", "", 0);
    expect_ids(&request, 0, 3, first);
}

Test(v2, parameters_and_outputs)
{
    struct wire_v2 request = request_of(
        "{\"outputs\":[{\"name\":\"embedding\",\"parameters\":{\"binary_data\":false}}],\"id\":\"x\",\"parameters\":{"
        "\"binary_data_output\":true,\"timeout\":5000,\"normalize\":false,\"dimensions\":3,\"truncate\":false,"
        "\"sequence_id\":7},\"inputs\":[" TEXT("[1]", "\"data\":[\"a\"]") "]}",
        "", 0);
    cr_expect(!request.binary && !request.embed.normalize && !request.embed.truncate);
    cr_expect_eq(request.embed.dimensions, 3u);
    cr_expect_eq(request.timeout_us, 5000u);
    cr_expect_eq(request.embed.unknown.n, 1u);
    cr_expect(wire_string_is(request.id, "x"));
    request = request_of("{\"outputs\":[{\"name\":\"embedding\"}],\"parameters\":{\"binary_data_output\":true},"
                         "\"inputs\":[" TEXT("[1]", "\"data\":[\"a\"]") "]}",
                         "", 0);
    cr_expect(request.binary);
}

Test(v2, wrong_inputs)
{
    static const char *const cases[][2] = {
        {"{}", "`inputs` is missing"},
        {"{\"inputs\":{}}", "`inputs`: expected an array"},
        {"{\"inputs\":[]}", "expected \"text\", or"},
        {"{\"inputs\":[7]}", "`inputs`: expected an object"},
        {"{\"inputs\":[{\"name\":\"text\",\"datatype\":\"BYTES\",\"data\":[]}]}", "`inputs.shape` is missing"},
        {"{\"inputs\":[{\"name\":\"x\",\"shape\":[1],\"datatype\":\"BYTES\",\"data\":[]}]}", "the model has \"text\""},
        {"{\"inputs\":[" TEXT("[1]", "\"data\":[\"a\"]") "," TEXT("[1]", "\"data\":[\"a\"]") "]}", "given twice"},
        {"{\"inputs\":[" TEXT("[1]", "\"data\":[\"a\"]") "," IDS("[1,1]", "\"data\":[1]") "]}",
         "expected \"text\", or"},
        {"{\"inputs\":[" MASK("[1,1]", "\"data\":[1]") "]}", "expected \"text\", or"},
        {"{\"inputs\":[" TEXT("[1]", "\"parameters\":{}") "]}", "needs either `data` or `binary_data_size`"},
        {"{\"inputs\":[" TEXT("[1]", "\"data\":[\"a\"]," SIZE(0)) "]}", "needs either `data` or `binary_data_size`"},
        {"{\"inputs\":[" TEXT("[2]", "\"data\":[\"a\"]") "]}", "its shape has 2 values, its data 1"},
        {"{\"inputs\":[" TEXT("[1]", "\"data\":[\"a\",\"b\"]") "]}", "its shape has 1 values, its data 2"},
        {"{\"inputs\":[" TEXT("[1]", "\"data\":[1]") "]}", "`text`: expected strings, got a number"},
        {"{\"inputs\":[" TEXT("[1,2]", "\"data\":[\"a\",\"b\"]") "]}", "the shape [n] or [n,1]"},
        {"{\"inputs\":[" TEXT("[1,1,1]", "\"data\":[\"a\"]") "]}", "at most two dimensions"},
        {"{\"inputs\":[" TEXT("[]", "\"data\":[\"a\"]") "]}", "one dimension or two"},
        {"{\"inputs\":[" TEXT("[-1]", "\"data\":[\"a\"]") "]}", "`shape`: expected an integer"},
        {"{\"inputs\":[" TEXT("7", "\"data\":[\"a\"]") "]}", "`shape`: expected an array"},
        {"{\"inputs\":[" TEXT("[5]", "\"data\":[]") "]}", "batch size 5 > maximum allowed batch size 4"},
        {"{\"inputs\":[" IDS("[2]", "\"data\":[1,2]") "]}", "the shape [n,length]"},
        {"{\"inputs\":[" IDS("[1,1]", "\"data\":[-1]") "]}", "expected integers from 0"},
        {"{\"inputs\":[" IDS("[1,1]", "\"data\":[1.5]") "]}", "expected integers from 0"},
        {"{\"inputs\":[" IDS("[1,1]", "\"data\":[4294967296]") "]}", "expected integers from 0"},
        {"{\"inputs\":[" IDS("[1,1]", "\"data\":[\"a\"]") "]}", "`input_ids`: expected integers, got a string"},
        {"{\"inputs\":[" IDS("[4,4294967295]", "\"data\":[1]") "]}", "more values than its data"},
        {"{\"inputs\":[" IDS("[1,2]", "\"data\":[1,2]") "," MASK("[2,1]", "\"data\":[1,1]") "]}",
         "the shape of `input_ids`"},
        {"{\"inputs\":[{\"name\":\"input_ids\",\"shape\":[1,1],\"datatype\":\"FP32\",\"data\":[1]}]}",
         "INT64 or INT32"},
        {"{\"inputs\":[{\"name\":\"text\",\"shape\":[1],\"datatype\":\"INT64\",\"data\":[1]}]}", "the datatype BYTES"},
        {"{\"inputs\":[" TEXT("[1]", SIZE(1)) "]}", "not so many bytes behind the JSON"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refused(cases[i][0], "", 0, STATUS_VALIDATION, cases[i][1]);
    refused("{\"inputs\":[" TEXT("[0]", "\"data\":[]") "]}", "", 0, STATUS_EMPTY, "`text` cannot be empty");
    refused("{\"inputs\":[" TEXT("[2]", "\"data\":[\"a\",\"\"]") "]}", "", 0, STATUS_EMPTY,
            "`text[1]` cannot be empty");
    refused("{\"inputs\":[" IDS("[2,0]", "\"data\":[]") "]}", "", 0, STATUS_EMPTY, "`input_ids[0]` cannot be empty");
    refused("{\"inputs\":[" IDS("[1,1]", "\"data\":[1]") "," MASK("[1,1]", "\"data\":[0]") "]}", "", 0, STATUS_EMPTY,
            "`input_ids[0]` cannot be empty");
    refused("{\"inputs\":[" TEXT("[1]", "\"data\":[\"a\"]") "]", "", 0, STATUS_MALFORMED, "not valid JSON");
}

Test(v2, wrong_binary)
{
    refused("{\"inputs\":[" TEXT("[1]", SIZE(4)) "]}", "\5\0\0\0a", 4, STATUS_VALIDATION,
            "`text[0]` ends in its middle");
    refused("{\"inputs\":[" TEXT("[1]", SIZE(3)) "]}", "\0\0\0", 3, STATUS_VALIDATION, "`text[0]` ends in its middle");
    refused("{\"inputs\":[" TEXT("[1]", SIZE(5)) "]}", "\1\0\0\0\xFF", 5, STATUS_VALIDATION, "is not UTF-8");
    refused("{\"inputs\":[" TEXT("[1]", SIZE(4)) "]}", "\0\0\0\0", 4, STATUS_EMPTY, "`text[0]` cannot be empty");
    refused("{\"inputs\":[" TEXT("[1]", SIZE(5)) "]}", "\1\0\0\0ab", 6, STATUS_VALIDATION, "1 bytes behind the JSON");
    refused("{\"inputs\":[" TEXT("[1]", "\"data\":[\"a\"]") "]}", "x", 1, STATUS_VALIDATION, "1 bytes behind the JSON");
    refused("{\"inputs\":[" IDS("[1,1]", SIZE(7)) "]}", "1234567", 7, STATUS_VALIDATION, "no whole number of values");
    refused("{\"inputs\":[" IDS("[1,1]", SIZE(8)) "]}", "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 8, STATUS_VALIDATION,
            "expected integers from 0");
    struct wire_v2 request = {0};
    struct error err;
    cr_expect_eq(wire_v2_read(&request, "{}", 2, 3, &limits, &defaults, arena, &err), STATUS_VALIDATION);
    cr_expect(strstr(err.message, "Inference-Header-Content-Length is more than the 2 bytes"), "%s", err.message);
}

Test(v2, wrong_outputs)
{
    static const char *const cases[][2] = {
        {"[{\"name\":\"other\"}]", "the model has one, \"embedding\""},
        {"[{}]", "`outputs.name` is missing"},
        {"[{\"name\":\"embedding\"},{\"name\":\"embedding\"}]", "given twice"},
        {"7", "`outputs`: expected an array"},
        {"[{\"name\":\"embedding\",\"parameters\":{\"classification\":2}}]", "`classification` is not supported"},
        {"[{\"name\":\"embedding\",\"parameters\":{\"shared_memory_region\":\"r\"}}]", "not supported"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char json[512];
        snprintf(json, sizeof json, "{\"outputs\":%s,\"inputs\":[" TEXT("[1]", "\"data\":[\"a\"]") "]}", cases[i][0]);
        refused(json, "", 0, STATUS_VALIDATION, cases[i][1]);
    }
}

Test(v2, answer)
{
    static const float rows[] = {1, 2, 3, 4, 5, 6};
    static const char json[] = "{\"model_name\":\"m\",\"model_version\":\"1\",\"id\":\"i\",\"outputs\":[{\"name\":"
                               "\"embedding\",\"datatype\":\"FP32\",\"shape\":[2,2],\"data\":[1.0,2.0,4.0,5.0]}]}";
    static const char head[] = "{\"model_name\":\"m\",\"model_version\":\"1\",\"outputs\":[{\"name\":\"embedding\","
                               "\"datatype\":\"FP32\",\"shape\":[2,2],\"parameters\":{\"binary_data_size\":16}}]}";
    static const float kept[] = {1, 2, 4, 5};
    struct buf out = {0};
    cr_expect_eq(wire_write_v2(&out, "m", (struct wire_string){"i", 1}, rows, 2, 3, 2, false), 0u);
    cr_assert_eq(out.len, sizeof json - 1);
    cr_expect(memcmp(out.data, json, out.len) == 0);
    out.len = 0;
    cr_expect_eq(wire_write_v2(&out, "m", (struct wire_string){0}, rows, 2, 3, 2, true), sizeof head - 1);
    cr_assert_eq(out.len, sizeof head - 1 + sizeof kept);
    cr_expect(memcmp(out.data, head, sizeof head - 1) == 0);
    cr_expect(memcmp(out.data + sizeof head - 1, kept, sizeof kept) == 0);
    buf_finish(&out);
}

/* Each arena that is too small by a little: NO_MEMORY, and nothing is written. */
Test(v2, memory_runs_out)
{
    static const char *const bodies[] = {
        "{\"inputs\":[" TEXT("[2]", "\"data\":[\"a\\n\",\"b\\n\"]") "]}",
        "{\"inputs\":[" IDS("[2,3]", "\"data\":[1,2,3,4,5,6]") "," MASK("[2,3]", "\"data\":[1,1,1,1,1,1]") "]}"};
    for (size_t b = 0; b < 2; b++) {
        size_t len = strlen(bodies[b]), failed = 0;
        for (size_t size = 8;; size += 8) {
            struct arena *own = arena_create(size);
            struct wire_v2 request = {.timeout_us = 77};
            struct error err = {0};
            enum status status = wire_v2_read(&request, bodies[b], len, len, &limits, &defaults, own, &err);
            arena_destroy(&own);
            if (status == STATUS_OK)
                break;
            cr_assert_eq(status, STATUS_NO_MEMORY, "%s", err.message);
            cr_assert_eq(request.timeout_us, 77u);
            failed++;
        }
        cr_expect_gt(failed, 2u);
    }
}
