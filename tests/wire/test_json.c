#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "server/wire/json.h"

/* Reads past the whole text: the status, and the words of a failure in `err`. */
static enum status status_of(const char *text, size_t len, struct error *err)
{
    struct arena *arena = arena_create(1 << 20);
    struct wire_json json;
    wire_json_init(&json, text, len, arena, err);
    wire_json_skip(&json);
    wire_json_end(&json);
    arena_destroy(&arena);
    return json.status;
}

static const char *const cases[] = {
    "{}",
    "[]",
    "0",
    "-0",
    "1.5",
    "-12e3",
    "1E+2",
    "1e-2",
    "true",
    "false",
    "null",
    "\"\"",
    "\"a\\n\\u00e9\"",
    " { \"a\" : [ 1 , 2 , { } ] , \"b\" : null } ",
    "[[[[]]]]",
    "\"\\ud83d\\ude00\"",
    "\"\xC3\xA9\"",
    "\"\\/\"",
    "[\"\\u0000\"]",
    "18446744073709551615",
    "\"\xF4\x8F\xBF\xBF\"",
    /* not JSON: */
    "",
    " ",
    "{",
    "[",
    "[1",
    "[1,",
    "[1,]",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\":1,}",
    "{a:1}",
    "{\"a\" 1}",
    "01",
    "1.",
    ".5",
    "+1",
    "-",
    "1e",
    "1e+",
    "tru",
    "nul",
    "True",
    "NaN",
    "Infinity",
    "'a'",
    "\"",
    "\"\\",
    "\"\\x\"",
    "\"\\u12\"",
    "\"\\u12g4\"",
    "\"\\ud800\"",
    "\"\\udc00\"",
    "\"\\ud800\\u0041\"",
    "\"\n\"",
    "\"\t\"",
    "\"\x80\"",
    "\"\xC0\x80\"",
    "\"\xED\xA0\x80\"",
    "\"\xF5\x80\x80\x80\"",
    "\"\xE2\x82\"",
    "1 2",
    "{} x",
    "[}",
    "{]",
    "[1}",
    "\xEF\xBB\xBF{}",
    "/* */ 1",
    "[1 2]",
    "nulll",
    "\"a\" \"b\"",
    "\"\\ud83d\"",
    "--1",
    "1.e5",
    "0x10",
    "[,1]",
    "{,}",
    "\"\\u\"",
};

/* Another reader has to agree on what is JSON. */
Test(json, agrees_with_jansson)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *text = cases[i];
        if (strlen(text) == 20 && text[0] == '1')
            continue; /* jansson's integers are signed */
        json_error_t error;
        json_t *other = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
        struct error err = {0};
        enum status status = status_of(text, strlen(text), &err);
        cr_expect_eq(status == STATUS_OK, other != NULL, "case %zu, %s: %s / %s", i, text, err.message, error.text);
        cr_expect(status == STATUS_OK || status == STATUS_MALFORMED);
        json_decref(other);
    }
}

Test(json, says_where)
{
    struct error err;
    cr_assert_eq(status_of("{\"a\": 1,\n  \"b\": ]}", 17, &err), STATUS_MALFORMED);
    cr_expect_str_eq(err.message, "the body is not valid JSON: expected a value at line 2, column 8");
    cr_assert_eq(status_of("", 0, &err), STATUS_MALFORMED);
    cr_expect_str_eq(err.message, "the body is not valid JSON: it ends where a value should be at line 1, column 1");
    cr_assert_eq(status_of("\"ab\xFFz\"", 6, &err), STATUS_MALFORMED);
    cr_expect_str_eq(err.message, "the body is not valid JSON: bytes that are not UTF-8 at line 1, column 4");
    cr_assert_eq(status_of("[\"\\udfff\"]", 10, &err), STATUS_MALFORMED);
    cr_expect(strstr(err.message, "lone surrogate"), "%s", err.message);
}

Test(json, nesting_is_limited)
{
    char text[600];
    struct error err;
    memset(text, '[', 300);
    memset(text + 300, ']', 300);
    cr_assert_eq(status_of(text + 172, 256, &err), STATUS_OK);
    cr_assert_eq(status_of(text + 171, 258, &err), STATUS_MALFORMED);
    cr_expect(strstr(err.message, "128 levels"), "%s", err.message);
}

Test(json, strings_are_unescaped)
{
    static const char text[] = "\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20AC\\uD83D\\uDE00\\u0000z\"";
    static const char want[] = "a\"\\/\b\f\n\r\tA\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\0z";
    struct arena *arena = arena_create(4096);
    struct error err = {0};
    struct wire_json json;
    wire_json_init(&json, text, sizeof text - 1, arena, &err);
    struct wire_string string = {0};
    cr_assert_eq(wire_json_peek(&json), WIRE_JSON_STRING);
    cr_assert(wire_json_read_string(&json, &string), "%s", err.message);
    cr_assert_eq(string.len, sizeof want - 1);
    cr_expect_eq(memcmp(string.bytes, want, string.len), 0);
    cr_expect(wire_json_end(&json));
    arena_destroy(&arena);
}

Test(json, integers)
{
    static const struct {
        const char *text;
        uint64_t value;
        bool integer;
    } numbers[] = {{"0", 0, true},
                   {"4294967295", 4294967295u, true},
                   {"18446744073709551615", UINT64_MAX, true},
                   {"18446744073709551616", 0, false},
                   {"99999999999999999999999", 0, false},
                   {"-1", 0, false},
                   {"1.0", 1, false},
                   {"1e0", 1, false}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct error err = {0};
        struct wire_json json;
        wire_json_init(&json, numbers[i].text, strlen(numbers[i].text), NULL, &err);
        uint64_t value = 0;
        bool integer = false;
        cr_assert_eq(wire_json_peek(&json), WIRE_JSON_NUMBER);
        cr_assert(wire_json_read_uint(&json, &value, &integer));
        cr_expect_eq(integer, numbers[i].integer, "%s", numbers[i].text);
        if (integer)
            cr_expect_eq(value, numbers[i].value, "%s", numbers[i].text);
        cr_expect(wire_json_end(&json));
    }
}

/* Every text cut at every place: never read beyond the end (a heap copy lets AddressSanitizer see it). */
Test(json, cut_anywhere)
{
    static const char text[] = "{\"a\":[\"\\ud83d\\ude00\\n\",-1.5e-3,true,null,{\"\xE2\x82\xAC\":false}],\"b\":\"x\"}";
    for (size_t len = 0; len < sizeof text - 1; len++) {
        char *copy = mem_alloc(len);
        memcpy(copy, text, len);
        struct error err = {0};
        cr_expect_eq(status_of(copy, len, &err), STATUS_MALFORMED, "%zu", len);
        mem_free(copy);
    }
}

Test(json, utf8)
{
    cr_expect_eq(utf8_valid("plain ascii text, long", 22), 22u);
    cr_expect_eq(utf8_valid("abcdefgh\xC3", 9), 8u);
    cr_expect_eq(utf8_valid("\xE0\x9F\xBF", 3), 0u);
    cr_expect_eq(utf8_valid("\xF0\x8F\xBF\xBF", 4), 0u);
    cr_expect_eq(utf8_valid("\xEF\xBF\xBF", 3), 3u);
    cr_expect_eq(utf8_valid("\xED\x9F\xBF\xEE\x80\x80", 6), 6u);
    cr_expect_eq(utf8_count("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", 10), 4u);
}
