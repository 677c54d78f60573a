#include <criterion/criterion.h>
#include <string.h>

#include "base/mem.h"
#include "server/wire/openai.h"
#include "server/wire/response.h"

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

TestSuite(openai, .init = begin, .fini = end);

static struct wire_openai request_of(const char *body)
{
    struct wire_openai request = {0};
    struct error err = {0};
    enum status status = wire_openai_read(&request, body, strlen(body), &limits, &defaults, arena, &err);
    cr_assert_eq(status, STATUS_OK, "%s: %s", body, err.message);
    return request;
}

static void refused(const char *body, enum status want, const char *words)
{
    struct wire_openai request = {.embed.dimensions = 77};
    struct error err = {0};
    enum status status = wire_openai_read(&request, body, strlen(body), &limits, &defaults, arena, &err);
    cr_expect_eq(status, want, "%s: %s, %s", body, status_name(status), err.message);
    cr_expect(strstr(err.message, words), "%s: \"%s\" does not say \"%s\"", body, err.message, words);
    cr_expect_eq(request.embed.dimensions, 77u, "ret is untouched on failure");
}

Test(openai, fields)
{
    struct wire_openai request = request_of("{\"input\":\"a\"}");
    cr_expect(request.embed.inputs.single && request.embed.truncate && request.embed.normalize && !request.base64);
    cr_expect_eq(request.embed.chunk_overlap, 32u);
    request = request_of("{\"input\":[\"a\",\"b\"],\"model\":\"any\",\"user\":\"u\",\"encoding_format\":\"base64\","
                         "\"dimensions\":5,\"other\":[1]}");
    cr_expect_eq(request.embed.inputs.n, 2u);
    cr_expect(request.base64);
    cr_expect_eq(request.embed.dimensions, 5u);
    cr_expect_eq(request.embed.unknown.n, 1u);
    request = request_of("{\"input\":[1,2,3],\"model\":null,\"encoding_format\":\"float\"}");
    cr_expect_eq(request.embed.inputs.items[0].n_ids, 3u);
    request = request_of("{\"input\":[[1,2],[3]]}");
    cr_expect_eq(request.embed.inputs.n, 2u);
}

Test(openai, wrong_fields)
{
    refused("{}", STATUS_VALIDATION, "`input` is missing");
    refused("{\"inputs\":\"a\"}", STATUS_VALIDATION, "`input` is missing");
    refused("{\"input\":\"\"}", STATUS_EMPTY, "`input` cannot be empty");
    refused("{\"input\":[]}", STATUS_EMPTY, "`input` cannot be empty");
    refused("{\"input\":{}}", STATUS_VALIDATION, "`input`: expected");
    refused("{\"input\":\"a\",\"encoding_format\":\"hex\"}", STATUS_VALIDATION, "\"float\" or \"base64\"");
    refused("{\"input\":\"a\",\"encoding_format\":7}", STATUS_VALIDATION, "`encoding_format`: expected a string");
    refused("{\"input\":\"a\",\"dimensions\":0}", STATUS_VALIDATION, "`dimensions`");
    refused("{\"input\":\"a\",\"model\":1}", STATUS_VALIDATION, "`model`: expected a string");
    refused("{\"input\":[\"a\",\"b\",\"c\",\"d\",\"e\"]}", STATUS_VALIDATION, "batch size 5");
    refused("{\"input\":\"a\"", STATUS_MALFORMED, "not valid JSON");
}

static void expect_text(struct buf *buf, const char *want)
{
    buf_append(buf, "", 1);
    cr_expect_str_eq(buf->data, want);
    buf_finish(buf);
}

Test(openai, answer)
{
    static const float rows[] = {1, 2, 3, 4, 5, 6};
    struct buf out = {0};
    wire_write_openai(&out, "a \"b\"", rows, 2, 3, 2, false, 9);
    expect_text(&out, "{\"object\":\"list\",\"data\":[{\"object\":\"embedding\",\"embedding\":[1.0,2.0],\"index\":0},"
                      "{\"object\":\"embedding\",\"embedding\":[4.0,5.0],\"index\":1}],\"model\":\"a \\\"b\\\"\","
                      "\"usage\":{\"prompt_tokens\":9,\"total_tokens\":9}}");
    wire_write_openai(&out, "m", rows, 1, 3, 2, true, 9);
    expect_text(&out, "{\"object\":\"list\",\"data\":[{\"object\":\"embedding\",\"embedding\":\"AACAPwAAAEA=\","
                      "\"index\":0}],\"model\":\"m\",\"usage\":{\"prompt_tokens\":9,\"total_tokens\":9}}");
}

Test(errors, forms)
{
    struct buf out = {0};
    wire_write_error(&out, WIRE_ERROR_OPENAI, STATUS_OVERLOADED, "too \"many\"");
    expect_text(&out,
                "{\"message\":\"too \\\"many\\\"\",\"code\":429,\"type\":\"Overloaded\",\"error\":{\"param\":null,"
                "\"message\":\"too \\\"many\\\"\",\"code\":429,\"type\":\"Overloaded\"}}");
    wire_write_error(&out, WIRE_ERROR_V2, STATUS_OVERLOADED, "no");
    expect_text(&out, "{\"error\":\"no\"}");
    wire_write_error(&out, WIRE_ERROR_TEI, STATUS_OTHER_MODEL, "no");
    expect_text(&out, "{\"error\":\"no\",\"error_type\":\"Backend\"}");
}
