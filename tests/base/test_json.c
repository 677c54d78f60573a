/* The one wrapper of the JSON library: places, limits, and fields by their names. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

static json_t *parse(const char *text)
{
    json_t *root = NULL;
    struct error err = {0};
    cr_assert_eq(base_json_parse(&root, text, strlen(text), &err), STATUS_OK, "%s: %s", text, err.message);
    return root;
}

Test(json, what_is_wrong_has_a_place)
{
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"", "line 1, column 0"},
        {"{\n \"a\": }", "line 2, column 7"},
        {"{\"a\":1,\"a\":2}", "duplicate"},
        {"\"\xff\"", "line 1"},
        {"[1e999]", "overflow"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *root = NULL;
        struct error err = {0};
        cr_expect_eq(base_json_parse(&root, cases[i].text, strlen(cases[i].text), &err), STATUS_FORMAT);
        cr_expect(strstr(err.message, cases[i].words), "%s: %s", cases[i].text, err.message);
        cr_expect_null(root);
    }
}

Test(json, integers_beyond_64_bits_are_real_numbers_and_leave_the_others_alone)
{
    json_t *root = parse("{\"large\": [99999999999999999999], \"n\": 7, \"in\": {\"m\": [-3, 9007199254740993]}}");
    cr_expect_float_eq(json_real_value(json_array_get(json_object_get(root, "large"), 0)), 1e20, 1e6);
    cr_expect_eq(json_integer_value(json_object_get(root, "n")), 7);
    cr_expect_eq(json_integer_value(json_array_get(json_object_get(json_object_get(root, "in"), "m"), 0)), -3);
    json_decref(root);
    root = parse("{\"m\": 9007199254740993}");
    cr_expect_eq(json_integer_value(json_object_get(root, "m")), 9007199254740993, "exact where nothing is too large");
    json_decref(root);
}

Test(json, memory_that_ends_is_said)
{
    static const char text[] = "{\"large\": 99999999999999999999, \"a\": [1, 2, {\"b\": 3}]}";
    json_set_alloc_funcs(mem_alloc, mem_free);
    for (long n = 0;; n++) {
        json_t *root = NULL;
        struct error err = {0};
        mem_fail_after(n);
        enum status status = base_json_parse(&root, text, sizeof text - 1, &err);
        long made = mem_alloc_count();
        mem_fail_after(-1);
        if (status == STATUS_OK) {
            cr_expect_geq(made, 20, "%ld", made);
            cr_expect(json_is_integer(json_array_get(json_object_get(root, "a"), 0)));
            json_decref(root);
            break;
        }
        cr_expect(!root && err.message[0]);
        cr_expect(status == STATUS_NO_MEMORY || status == STATUS_FORMAT, "%ld: %s", n, err.message);
    }
}

Test(json, fields)
{
    json_t *root = parse("{\"n\": 5, \"zero\": 0, \"large\": 5000000000, \"half\": 0.5, \"yes\": true, \"none\": null, "
                         "\"word\": \"w\", \"list\": [], \"typed\": {\"type\": \"BPE\"}}");
    struct error err = {0};
    uint32_t n = 77;
    bool flag = false;
    const char *text = "kept";
    json_t *part = NULL;
    cr_expect_eq(base_json_count(root, "n", 1, 5, &n, &err), STATUS_OK);
    cr_expect_eq(n, 5u);
    cr_expect_eq(base_json_count(root, "n", 0, 4, &n, &err), STATUS_UNSUPPORTED);
    cr_expect_str_eq(err.message, "\"n\" is 5; the limit is 4");
    cr_expect_eq(base_json_count(root, "large", 0, UINT32_MAX, &n, &err), STATUS_UNSUPPORTED);
    cr_expect_eq(base_json_count(root, "zero", 1, 9, &n, &err), STATUS_FORMAT);
    cr_expect_str_eq(err.message, "\"zero\" is a number, not a whole number of at least 1");
    cr_expect_eq(base_json_count(root, "half", 0, 9, &n, &err), STATUS_FORMAT);
    cr_expect_eq(base_json_count(root, "absent", 0, 9, &n, &err), STATUS_FORMAT);
    cr_expect_str_eq(err.message, "\"absent\" is missing");
    cr_expect_eq(n, 5u, "untouched on failure");
    cr_expect_eq(base_json_flag(root, "yes", &flag, &err), STATUS_OK);
    cr_expect_eq(base_json_flag(root, "none", &flag, &err), STATUS_OK);
    cr_expect_eq(base_json_flag(root, "word", &flag, &err), STATUS_FORMAT);
    cr_expect_str_eq(err.message, "\"word\" is a string, not true or false");
    cr_expect(flag);
    cr_expect_eq(base_json_text(root, "none", &text, &err), STATUS_OK);
    cr_expect_str_eq(text, "kept");
    cr_expect_eq(base_json_required_text(root, "none", &text, &err), STATUS_FORMAT);
    cr_expect_str_eq(err.message, "\"none\" is null, not a string");
    cr_expect_eq(base_json_part(root, "list", JSON_ARRAY, &part, &err), STATUS_OK);
    cr_expect_eq(base_json_part(root, "typed", JSON_ARRAY, &part, &err), STATUS_FORMAT);
    cr_expect_str_eq(err.message, "\"typed\" is BPE, not an array");
    cr_expect_eq(base_json_part(NULL, "list", JSON_ARRAY, &part, &err), STATUS_FORMAT);
    json_decref(root);
}
