#include <criterion/criterion.h>
#include <string.h>

#include "base/mem.h"
#include "server/wire/request.h"

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

TestSuite(request, .init = begin, .fini = end);

static struct wire_embed embed_of(const char *body)
{
    struct wire_embed embed = {0};
    struct error err = {0};
    enum status status = wire_embed_read(&embed, body, strlen(body), &limits, &defaults, true, arena, &err);
    cr_assert_eq(status, STATUS_OK, "%s: %s", body, err.message);
    return embed;
}

static void refused(const char *body, enum status want, const char *words)
{
    struct wire_embed embed = {.dimensions = 77};
    struct error err = {0};
    enum status status = wire_embed_read(&embed, body, strlen(body), &limits, &defaults, true, arena, &err);
    cr_expect_eq(status, want, "%s: %s, %s", body, status_name(status), err.message);
    cr_expect(strstr(err.message, words), "%s: \"%s\" does not say \"%s\"", body, err.message, words);
    cr_expect_eq(embed.dimensions, 77u, "ret is untouched on failure");
}

Test(request, defaults)
{
    struct wire_embed embed = embed_of("{\"inputs\":\"hello\"}");
    cr_expect(embed.inputs.single);
    cr_expect_eq(embed.inputs.n, 1u);
    cr_expect(wire_string_is(embed.inputs.items[0].text, "hello"));
    cr_expect_null(embed.inputs.items[0].ids);
    cr_expect(embed.truncate);
    cr_expect(embed.normalize);
    cr_expect_eq(embed.direction, TOKEN_RIGHT);
    cr_expect_null(embed.prompt_name.bytes);
    cr_expect_eq(embed.dimensions, 0u);
}

Test(request, every_field)
{
    struct wire_embed embed =
        embed_of("{\"x\":[{}],\"inputs\":[\"a\",[1,2,4294967295],\"b\"],\"truncate\":false,"
                 "\"truncation_direction\":\"left\",\"prompt_name\":\"query\",\"normalize\":false,"
                 "\"dimensions\":128,\"y\":null}");
    cr_expect_not(embed.inputs.single);
    cr_assert_eq(embed.inputs.n, 3u);
    cr_expect(wire_string_is(embed.inputs.items[2].text, "b"));
    cr_assert_eq(embed.inputs.items[1].n_ids, 3u);
    cr_expect_eq(embed.inputs.items[1].ids[2], UINT32_MAX);
    cr_expect_not(embed.truncate);
    cr_expect_not(embed.normalize);
    cr_expect_eq(embed.direction, TOKEN_LEFT);
    cr_expect(wire_string_is(embed.prompt_name, "query"));
    cr_expect_eq(embed.dimensions, 128u);
}

Test(request, null_is_absent)
{
    struct wire_embed embed = embed_of("{\"inputs\":\"a\",\"truncate\":null,\"prompt_name\":null,\"normalize\":null,"
                                       "\"dimensions\":null,\"truncation_direction\":null}");
    cr_expect(embed.truncate && embed.normalize);
    cr_expect_null(embed.prompt_name.bytes);
}

Test(request, chunks)
{
    struct wire_embed embed = embed_of("{\"inputs\":\"a\"}");
    cr_expect_not(embed.chunk);
    cr_expect_eq(embed.chunk_overlap, 32u);
    embed = embed_of("{\"inputs\":\"a\",\"chunk\":true,\"chunk_overlap\":0}");
    cr_expect(embed.chunk);
    cr_expect_eq(embed.chunk_overlap, 0u);
    embed = embed_of("{\"inputs\":\"a\",\"chunk\":null,\"chunk_overlap\":4294967295}");
    cr_expect_not(embed.chunk);
    cr_expect_eq(embed.chunk_overlap, UINT32_MAX);
    refused("{\"inputs\":\"a\",\"chunk\":1}", STATUS_VALIDATION, "`chunk`: expected a boolean, got a number");
    refused("{\"inputs\":\"a\",\"chunk_overlap\":true}", STATUS_VALIDATION,
            "`chunk_overlap`: expected an integer, got");
    refused("{\"inputs\":\"a\",\"chunk_overlap\":-1}", STATUS_VALIDATION, "an integer from 0 to 4294967295");
    refused("{\"inputs\":\"a\",\"chunk_overlap\":1.5}", STATUS_VALIDATION, "an integer from 0 to 4294967295");
}

Test(request, one_array_of_ids_is_one_input)
{
    struct wire_embed embed = embed_of("{\"inputs\":[101,7592,102]}");
    cr_expect(embed.inputs.single);
    cr_assert_eq(embed.inputs.n, 1u);
    cr_expect_eq(embed.inputs.items[0].n_ids, 3u);
    embed = embed_of("{\"inputs\":[[101],[7592,102]]}");
    cr_expect_not(embed.inputs.single);
    cr_expect_eq(embed.inputs.n, 2u);
}

Test(request, empty)
{
    refused("{\"inputs\":\"\"}", STATUS_EMPTY, "`inputs` cannot be empty");
    refused("{\"inputs\":[]}", STATUS_EMPTY, "`inputs` cannot be empty");
    refused("{\"inputs\":[\"a\",\"\"]}", STATUS_EMPTY, "`inputs[1]` cannot be empty");
    refused("{\"inputs\":[[]]}", STATUS_EMPTY, "`inputs[0]` cannot be empty");
    embed_of("{\"inputs\":\" \"}");
    embed_of("{\"inputs\":\"\\u0000\"}");
}

Test(request, limits_are_named)
{
    embed_of("{\"inputs\":[\"a\",\"b\",\"c\",\"d\"]}");
    refused("{\"inputs\":[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\"]}", STATUS_VALIDATION,
            "batch size 6 > maximum allowed batch size 4 (see --max-client-batch-size)");
    refused("{\"inputs\":\"a\",\"dimensions\":0}", STATUS_VALIDATION, "`dimensions`");
    refused("{\"inputs\":\"a\",\"dimensions\":4294967296}", STATUS_VALIDATION, "1 to 4294967295");
}

Test(request, unknown_fields_are_told)
{
    struct wire_embed embed = embed_of("{\"a\":1,\"inputs\":\"x\",\"b\\u0041\":[{}],\"c\":null,\"d\":0,\"e\":0}");
    cr_expect_eq(embed.unknown.n, 5u);
    cr_expect(wire_string_is(embed.unknown.names[0], "a") && wire_string_is(embed.unknown.names[1], "bA"));
    cr_expect(wire_string_is(embed.unknown.names[3], "d"));
    cr_expect_eq(embed_of("{\"inputs\":\"x\",\"dimensions\":1}").unknown.n, 0u);
}

Test(request, wrong_kinds_are_named)
{
    refused("[]", STATUS_VALIDATION, "the body: expected an object, got an array");
    refused("\"inputs\"", STATUS_VALIDATION, "the body: expected an object, got a string");
    refused("{}", STATUS_VALIDATION, "`inputs` is missing");
    refused("{\"input\":\"a\"}", STATUS_VALIDATION, "`inputs` is missing");
    refused("{\"inputs\":null}", STATUS_VALIDATION, "`inputs`: expected a string, an array of token ids, or");
    refused("{\"inputs\":5}", STATUS_VALIDATION, "got a number");
    refused("{\"inputs\":[\"a\",{}]}", STATUS_VALIDATION, "`inputs[1]`: expected a string or an array of token ids");
    refused("{\"inputs\":[\"a\",3]}", STATUS_VALIDATION, "`inputs[1]`");
    refused("{\"inputs\":[1,\"a\"]}", STATUS_VALIDATION, "`inputs[1]`: expected a token id");
    refused("{\"inputs\":[\"a\",[1,-1]]}", STATUS_VALIDATION, "`inputs[1][1]`: expected a token id");
    refused("{\"inputs\":[4294967296]}", STATUS_VALIDATION, "`inputs[0]`: expected a token id");
    refused("{\"inputs\":[1.5]}", STATUS_VALIDATION, "`inputs[0]`: expected a token id");
    refused("{\"inputs\":[[[1]]]}", STATUS_VALIDATION, "`inputs[0][0]`");
    refused("{\"inputs\":\"a\",\"truncate\":\"yes\"}", STATUS_VALIDATION,
            "`truncate`: expected a boolean, got a string");
    refused("{\"inputs\":\"a\",\"normalize\":1}", STATUS_VALIDATION, "`normalize`: expected a boolean, got a number");
    refused("{\"inputs\":\"a\",\"prompt_name\":7}", STATUS_VALIDATION, "`prompt_name`: expected a string");
    refused("{\"inputs\":\"a\",\"dimensions\":\"64\"}", STATUS_VALIDATION, "`dimensions`: expected a positive integer");
    refused("{\"inputs\":\"a\",\"truncation_direction\":\"up\"}", STATUS_VALIDATION, "\"Left\" or \"Right\"");
    refused("{\"inputs\":\"a\",\"inputs\":\"b\"}", STATUS_VALIDATION, "`inputs` is given twice");
}

Test(request, not_json)
{
    refused("{\"inputs\":\"a\"", STATUS_MALFORMED, "line 1, column 14");
    refused("{\"inputs\":\"\\ud800\"}", STATUS_MALFORMED, "lone surrogate");
    refused("{\"inputs\":[\"a\",\"b\",\"c\",\"d\",\"e\",}", STATUS_MALFORMED, "expected a value");
    refused("inputs=a", STATUS_MALFORMED, "line 1, column 1");
}

Test(request, embed_all_has_no_output_fields)
{
    static const char body[] = "{\"inputs\":\"a\",\"normalize\":\"whatever\",\"dimensions\":0}";
    struct wire_embed embed;
    struct error err = {0};
    cr_expect_eq(wire_embed_read(&embed, body, sizeof body - 1, &limits, &(struct wire_embed_defaults){.chunk = true},
                                 false, arena, &err),
                 STATUS_OK);
    cr_expect_not(embed.truncate);
}

Test(request, tokenize)
{
    static const char body[] = "{\"inputs\":[\"a\",\"b\"],\"add_special_tokens\":false,\"prompt_name\":\"p\"}";
    static const char ids[] = "{\"inputs\":[1,2]}";
    struct wire_tokenize tokenize;
    struct error err = {0};
    cr_assert_eq(wire_tokenize_read(&tokenize, body, sizeof body - 1, &limits, arena, &err), STATUS_OK);
    cr_expect_eq(tokenize.inputs.n, 2u);
    cr_expect_not(tokenize.add_special_tokens);
    cr_expect(wire_string_is(tokenize.prompt_name, "p"));
    cr_assert_eq(wire_tokenize_read(&tokenize, ids, sizeof ids - 1, &limits, arena, &err), STATUS_VALIDATION);
    cr_expect(strstr(err.message, "`inputs[0]`: expected a string, got a number"), "%s", err.message);
}

Test(request, decode)
{
    static const char body[] = "{\"ids\":[[1,2],[3]],\"skip_special_tokens\":false}";
    static const char text[] = "{\"ids\":\"a\"}";
    struct wire_decode decode;
    struct error err = {0};
    cr_assert_eq(wire_decode_read(&decode, body, sizeof body - 1, &limits, arena, &err), STATUS_OK);
    cr_expect_eq(decode.inputs.n, 2u);
    cr_expect_not(decode.skip_special_tokens);
    cr_assert_eq(wire_decode_read(&decode, text, sizeof text - 1, &limits, arena, &err), STATUS_VALIDATION);
    cr_expect(strstr(err.message, "`ids`: expected an array of token ids"), "%s", err.message);
}

/* Each allocation fails once: NO_MEMORY, or the call did without it. */
Test(request, memory_runs_out)
{
    static const char body[] = "{\"inputs\":[\"a\\n\",[1,2,3],\"c\"],\"prompt_name\":\"\\u0041\"}";
    bool failed = false;
    for (long n = 0; n < 8; n++) {
        struct arena *own = arena_create(1 << 20);
        struct wire_embed embed = {.dimensions = 7};
        struct error err = {0};
        mem_fail_after(n);
        enum status status = wire_embed_read(&embed, body, sizeof body - 1, &limits, &defaults, true, own, &err);
        mem_fail_after(-1);
        cr_assert(status == STATUS_OK || status == STATUS_NO_MEMORY, "%s", err.message);
        cr_assert(status == STATUS_OK || embed.dimensions == 7);
        failed = failed || status == STATUS_NO_MEMORY;
        arena_destroy(&own);
    }
    cr_expect(failed);
    struct arena *small = arena_create(16);
    struct wire_embed embed;
    struct error err = {0};
    cr_expect_eq(wire_embed_read(&embed, body, sizeof body - 1, &limits, &defaults, true, small, &err),
                 STATUS_NO_MEMORY);
    arena_destroy(&small);
}

static enum status similarity(const char *body, struct wire_embed *ret, struct error *err)
{
    return wire_similarity_read(ret, body, strlen(body), &limits, &defaults, arena, err);
}

Test(request, similarity)
{
    struct wire_embed embed = {0};
    struct error err = {0};
    cr_assert_eq(
        similarity("{\"parameters\":{\"truncate\":false,\"truncation_direction\":\"Left\",\"prompt_name\":\"p\","
                   "\"normalize\":false},\"inputs\":{\"sentences\":[\"b\",\"c\"],\"source_sentence\":\"a\","
                   "\"x\":1}}",
                   &embed, &err),
        STATUS_OK, "%s", err.message);
    cr_assert_eq(embed.inputs.n, 3u);
    cr_expect(wire_string_is(embed.inputs.items[0].text, "a") && wire_string_is(embed.inputs.items[2].text, "c"));
    cr_expect(!embed.truncate && embed.direction == TOKEN_LEFT && wire_string_is(embed.prompt_name, "p"));
    cr_expect_eq(embed.unknown.n, 2u);
    cr_expect_eq(
        similarity("{\"inputs\":{\"source_sentence\":\"a\",\"sentences\":[\"b\"]},\"parameters\":null}", &embed, &err),
        STATUS_OK);
    static const struct {
        const char *body;
        enum status want;
        const char *words;
    } wrong[] = {
        {"{\"inputs\":\"a\"}", STATUS_VALIDATION, "`inputs`: expected an object"},
        {"{\"inputs\":{}}", STATUS_VALIDATION, "`inputs.source_sentence` is missing"},
        {"{\"inputs\":{\"source_sentence\":\"a\"}}", STATUS_VALIDATION, "`inputs.sentences` is missing"},
        {"{\"inputs\":{\"source_sentence\":\"\",\"sentences\":[\"b\"]}}", STATUS_EMPTY, "`source_sentence`"},
        {"{\"inputs\":{\"source_sentence\":\"a\",\"sentences\":[]}}", STATUS_EMPTY, "`sentences`"},
        {"{\"inputs\":{\"source_sentence\":\"a\",\"sentences\":[\"\"]}}", STATUS_EMPTY, "`sentences[0]`"},
        {"{\"inputs\":{\"source_sentence\":\"a\",\"sentences\":\"b\"}}", STATUS_VALIDATION, "an array of strings"},
        {"{\"inputs\":{\"source_sentence\":\"a\",\"sentences\":[\"b\",\"c\",\"d\",\"e\"]}}", STATUS_VALIDATION,
         "batch size 5 > maximum allowed batch size 4"},
        {"{\"inputs\":{\"source_sentence\":\"a\",\"source_sentence\":\"a\",\"sentences\":[\"b\"]}}", STATUS_VALIDATION,
         "given twice"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cr_expect_eq(similarity(wrong[i].body, &embed, &err), wrong[i].want, "%s", wrong[i].body);
        cr_expect(strstr(err.message, wrong[i].words), "%s: %s", wrong[i].body, err.message);
    }
}
