/* The parts of libbertd that know no network. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bertd.pb-c.h"
#include "clients/c/base64.h"
#include "clients/c/json.h"
#include "clients/c/number.h"
#include "clients/c/proto.h"

static struct bertd_memory memory;

static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 16;
}

static void check_number(const char *text)
{
    float read = 0, right = strtof(text, NULL);
    const char *behind = bertd_number_float(text, text + strlen(text), &read);
    cr_assert_eq(behind, text + strlen(text), "%s", text);
    cr_assert(memcmp(&read, &right, sizeof read) == 0, "%s: %a, not %a", text, (double)read, (double)right);
}

Test(number, is_what_strtof_reads)
{
    static const char *const some[] = {"0",
                                       "-0",
                                       "1e38",
                                       "3.4028235e38",
                                       "3.4028236e38",
                                       "1.1754944e-38",
                                       "1.4e-45",
                                       "0.7e-45",
                                       "1e-400",
                                       "1e400",
                                       "16777217",
                                       "16777217.0000000000000000000000000000001",
                                       "8388608.5",
                                       "8388609.5",
                                       "0.100000001490116119384765625",
                                       "123456789012345678901234567890",
                                       "-1.5E+3",
                                       "1.00000017881393432617187499",
                                       "1.00000017881393432617187500",
                                       "1.00000017881393432617187501"};
    char text[64];
    uint64_t state = 1;
    for (size_t i = 0; i < sizeof some / sizeof some[0]; i++)
        check_number(some[i]);
    for (int i = 0; i < 200000; i++) {
        uint32_t bits = (uint32_t)next_random(&state);
        float value;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value))
            continue;
        snprintf(text, sizeof text, "%.*g", (int)(next_random(&state) % 17) + 1, (double)value);
        check_number(text);
        snprintf(text, sizeof text, "%.*f", (int)(next_random(&state) % 12) + 1, (double)(bits % 2000001) / 1e6 - 1);
        check_number(text);
    }
}

Test(number, whatever_the_locale)
{
    float read = 0;
    const char text[] = "0.123456789012345678";
    if (!setlocale(LC_ALL, "de_DE.UTF-8") && !setlocale(LC_ALL, "C.UTF-8"))
        setlocale(LC_ALL, "");
    cr_assert_not_null(bertd_number_float(text, text + sizeof text - 1, &read));
    cr_assert_eq(read, 0.123456789012345678f);
}

Test(number, of_another_grammar_is_none)
{
    static const char *const some[] = {"", "-", "+1", "01", "1.", ".5", "1e", "1e+", "0x10", "inf", "NaN", "-.1"};
    for (size_t i = 0; i < sizeof some / sizeof some[0]; i++) {
        float read = 0;
        const char *behind = bertd_number_float(some[i], some[i] + strlen(some[i]), &read);
        cr_assert(behind == NULL || *behind, "%s", some[i]); /* 0x10: what is behind 0 is no number's */
    }
}

Test(json, texts_come_back_as_they_were_written)
{
    uint64_t state = 2;
    memory = bertd_memory_default();
    for (int round = 0; round < 1000; round++) {
        struct bertd_bytes written = {.memory = &memory}, read = {.memory = &memory};
        struct bertd_slice slice;
        char text[64];
        size_t len = next_random(&state) % sizeof text;
        for (size_t i = 0; i < len; i++)
            text[i] = (char)(next_random(&state) % 128);
        bertd_json_write(&written, text, len);
        struct bertd_json json = bertd_json_of(written.data, written.len);
        cr_assert(bertd_json_text(&json, &slice));
        cr_assert(bertd_json_ends(&json));
        cr_assert(bertd_json_unescape(&read, slice));
        cr_assert(read.len == len && (len == 0 || memcmp(read.data, text, len) == 0));
        bertd_bytes_finish(&written);
        bertd_bytes_finish(&read);
    }
}

static bool skips(const char *text)
{
    struct bertd_json json = bertd_json_of(text, strlen(text));
    return bertd_json_skip(&json) && bertd_json_ends(&json);
}

Test(json, values_are_skipped_or_found_broken)
{
    static const char *const good[] = {"{}", "[]", " [1, -2.5e3 , {\"a\" : [null,true,false]}]\n", "\"\\\"\\\\\"", "1"};
    static const char *const bad[] = {"",     "{",   "[1,]", "[1 2]", "{1:2}",  "{\"a\"}", "{\"a\":}", "\"",
                                      "\"\\", "tru", "[1],", "nul",   "\"\n\"", "-",       "[,1]"};
    char deep[300];
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        cr_assert(skips(good[i]), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert_not(skips(bad[i]), "%s", bad[i]);
    memset(deep, '[', 100);
    memset(deep + 100, ']', 100);
    deep[200] = '\0';
    cr_assert_not(skips(deep));
    deep[160] = '\0';
    cr_assert(skips(deep + 40));
}

Test(json, escapes)
{
    static const struct {
        const char *written, *meant;
    } rows[] = {{"a\\u00fc\\n", "a\xc3\xbc\n"},
                {"\\ud83d\\ude00", "\xf0\x9f\x98\x80"},
                {"\\/\\u20ac", "/\xe2\x82\xac"},
                {"\\ud83d", NULL},
                {"\\ude00", NULL},
                {"\\ud83d\\u0041", NULL},
                {"\\x", NULL},
                {"\\u12", NULL},
                {"\\u12g4", NULL}};
    memory = bertd_memory_default();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bertd_bytes bytes = {.memory = &memory};
        bool fine = bertd_json_unescape(&bytes, (struct bertd_slice){rows[i].written, strlen(rows[i].written)});
        cr_assert_eq(fine, rows[i].meant != NULL, "%s", rows[i].written);
        if (fine)
            cr_assert(bytes.len == strlen(rows[i].meant) && memcmp(bytes.data, rows[i].meant, bytes.len) == 0);
        bertd_bytes_finish(&bytes);
    }
}

Test(base64, of_every_length)
{
    static const struct {
        const char *text;
        size_t size;
        const char *bytes;
    } rows[] = {{"", 0, ""}, {"Zg==", 1, "f"}, {"Zm8=", 2, "fo"}, {"Zm9v", 3, "foo"}, {"/+8=", 2, "\xff\xef"}};
    char out[8];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bertd_slice text = {rows[i].text, strlen(rows[i].text)};
        cr_assert_eq(bertd_base64_size(text), rows[i].size);
        cr_assert(bertd_base64_read(text, out));
        cr_assert(memcmp(out, rows[i].bytes, rows[i].size) == 0);
    }
    cr_assert_eq(bertd_base64_size((struct bertd_slice){"abc", 3}), SIZE_MAX);
    cr_assert_not(bertd_base64_read((struct bertd_slice){"a-b_", 4}, out));
    cr_assert_not(bertd_base64_read((struct bertd_slice){"a=bc", 4}, out));
}

/* The bytes are those of the code that is generated from schemas/bertd.proto. */
Test(proto, requests_are_what_the_schema_says)
{
    struct bertd_call_options options = bertd_call_options_default();
    memory = bertd_memory_default();
    struct bertd_bytes bytes = {.memory = &memory};
    options.truncate = BERTD_NO;
    options.truncate_direction = BERTD_LEFT;
    options.prompt_name = "query";
    options.normalize = BERTD_YES;
    options.dimensions = 300;
    options.chunk = BERTD_YES;
    options.priority = BERTD_PRIORITY_BULK;
    bertd_proto_write_text(&bytes, "one", 3);
    bertd_proto_write_text(&bytes, "", 0);
    bertd_proto_write_options(&bytes, &options);
    Bertd__V1__EmbedBatchRequest *read =
        bertd__v1__embed_batch_request__unpack(NULL, bytes.len, (const uint8_t *)bytes.data);
    cr_assert_not_null(read);
    cr_assert_eq(read->n_inputs, 2);
    cr_assert_str_eq(read->inputs[0], "one");
    cr_assert_str_eq(read->inputs[1], "");
    cr_assert_eq(read->has_truncate_case, BERTD__V1__EMBED_BATCH_REQUEST__HAS_TRUNCATE_TRUNCATE);
    cr_assert_not(read->truncate);
    cr_assert_eq(read->truncation_direction, TEI__V1__TRUNCATION_DIRECTION__TRUNCATION_DIRECTION_LEFT);
    cr_assert_str_eq(read->prompt_name, "query");
    cr_assert(read->normalize);
    cr_assert_eq(read->dimensions, 300);
    cr_assert(read->chunk);
    cr_assert_eq(read->priority, BERTD__V1__PRIORITY__PRIORITY_BULK);
    cr_assert_eq(read->base.n_unknown_fields, 0);
    bertd__v1__embed_batch_request__free_unpacked(read, NULL);
    bertd_bytes_finish(&bytes);
}

Test(proto, answers_are_read_as_the_schema_says)
{
    float vectors[] = {1, 2, 3, 4, 5, 6};
    uint32_t tokens[] = {3, 70000}, tokens_read[2];
    protobuf_c_boolean truncated[] = {0, 1};
    uint8_t packed[256], truncated_read[2];
    Tei__V1__Metadata metadata = TEI__V1__METADATA__INIT;
    Bertd__V1__EmbedBatchResponse answer = BERTD__V1__EMBED_BATCH_RESPONSE__INIT;
    metadata.total_time_ns = UINT64_MAX;
    answer.rows = 2;
    answer.width = 3;
    answer.vectors = (ProtobufCBinaryData){sizeof vectors, (uint8_t *)vectors};
    answer.n_tokens = answer.n_truncated = 2;
    answer.tokens = tokens;
    answer.truncated = truncated;
    answer.metadata = &metadata;
    size_t len = bertd__v1__embed_batch_response__pack(&answer, packed);
    struct bertd_proto_batch batch = {.tokens = tokens_read, .truncated = truncated_read, .max = 2};
    cr_assert(bertd_proto_read_batch(packed, len, &batch));
    cr_assert(batch.rows == 2 && batch.width == 3 && batch.n_tokens == 2 && batch.n_truncated == 2);
    cr_assert_eq(batch.sum_tokens, 70003);
    cr_assert(memcmp(tokens_read, tokens, sizeof tokens) == 0);
    cr_assert(truncated_read[0] == 0 && truncated_read[1] == 1);
    cr_assert(batch.vectors.len == sizeof vectors && memcmp(batch.vectors.data, vectors, sizeof vectors) == 0);
    for (size_t cut = 0; cut < len; cut++) { /* every cut: no byte behind it is read */
        uint8_t *copy = malloc(cut + 1);
        memcpy(copy, packed, cut);
        bertd_proto_read_batch(copy, cut, &batch);
        free(copy);
    }
}
