#include "tests/http/surfaces.h"

#include <criterion/criterion.h>
#include <string.h>

#define V2(data, n) "{\"inputs\":[{\"name\":\"text\",\"shape\":[" n "],\"datatype\":\"BYTES\",\"data\":" data "}]}"

const struct surface surfaces[SURFACES] = {
    {"/embed", "{\"inputs\":\"a\"}", "{\"inputs\":\"\"}", FORM_TEI, true, false},
    {"/", "{\"inputs\":\"a\"}", "{\"inputs\":[]}", FORM_TEI, true, false},
    {"/embed_all", "{\"inputs\":\"a\"}", "{\"inputs\":[\"\"]}", FORM_TEI, true, false},
    {"/similarity", "{\"inputs\":{\"source_sentence\":\"a\",\"sentences\":[\"b\"]}}",
     "{\"inputs\":{\"source_sentence\":\"a\",\"sentences\":[]}}", FORM_TEI, true, false},
    {"/tokenize", "{\"inputs\":\"a\"}", "{\"inputs\":\"\"}", FORM_TEI, false, false},
    {"/decode", "{\"ids\":[1037]}", "{\"ids\":[]}", FORM_TEI, false, false},
    {"/v1/embeddings", "{\"input\":\"a\"}", "{\"input\":\"\"}", FORM_OPENAI, true, false},
    {"/embeddings", "{\"input\":\"a\",\"model\":\"any\"}", "{\"input\":[]}", FORM_OPENAI, true, false},
    {"/v2/models/" SURFACES_MODEL "/infer", V2("[\"a\"]", "1"), V2("[\"\"]", "1"), FORM_V2, true, true},
};

enum surface_form surface_form_of(const char *path)
{
    if (strncmp(path, "/v1", 3) == 0 || strncmp(path, "/embeddings", 11) == 0)
        return FORM_OPENAI;
    return strncmp(path, "/v2", 3) == 0 ? FORM_V2 : FORM_TEI;
}

static const char *text_of(json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "(none)";
}

static void expect_openai(json_t *error, long code, const char *type)
{
    cr_expect_str_eq(text_of(error, "type"), type);
    cr_expect_eq(json_integer_value(json_object_get(error, "code")), code);
    cr_expect_eq(json_object_size(error), 4u);
}

void surface_expect_error(struct answer answer, enum surface_form form, long code, const char *type, const char *words)
{
    cr_expect_eq(answer.code, code, "%ld, not %ld: %.300s", answer.code, code, answer.body);
    cr_expect_str_eq(client_header(&answer, "content-type"), "application/json");
    json_t *error = client_json(&answer);
    const char *message = text_of(error, form == FORM_OPENAI ? "message" : "error");
    cr_expect(strstr(message, words), "\"%s\" does not say \"%s\"", message, words);
    if (form == FORM_OPENAI) {
        json_t *inner = json_object_get(error, "error");
        expect_openai(error, code, type);
        expect_openai(inner, code, type);
        cr_expect_str_eq(text_of(inner, "message"), message);
        cr_expect(json_is_null(json_object_get(inner, "param")));
    } else {
        cr_expect_eq(json_object_size(error), form == FORM_TEI ? 2u : 1u);
        cr_expect(form == FORM_V2 || strcmp(text_of(error, "error_type"), type) == 0, "%.300s", answer.body);
    }
    json_decref(error);
    client_free(&answer);
}
