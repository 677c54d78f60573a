#include "server/token/json.h"

#include <string.h>

#include "base/utf8.h"

enum status token_json_parse(json_t **ret, const char *data, size_t size, struct error *err)
{
    json_error_t why;
    json_t *root = json_loadb(size ? data : "", size, JSON_REJECT_DUPLICATES, &why);
    if (root) {
        *ret = root;
        return STATUS_OK;
    }
    /* Where the parser's own memory runs out it may leave no words at all. */
    if (why.text[0] == '\0' || json_error_code(&why) == json_error_out_of_memory)
        return error_set(err, STATUS_NO_MEMORY, "no memory to parse %zu bytes of JSON", size);
    /* Its words may quote the file, whose bytes need not be text. */
    size_t len = strlen(why.text);
    const char *text = utf8_valid(why.text, len) == len ? why.text : "this is not JSON";
    return error_set(err, STATUS_FORMAT, "line %d, column %d: %s", why.line, why.column, text);
}

const char *token_json_shown(const char *text)
{
    return strlen(text) <= 100 ? text : "(a long text)";
}

const char *token_json_kind(const json_t *value)
{
    static const char *const names[] = {
        "an object without a type", "an array", "a string", "a number", "a number", "true", "false", "null"};
    if (!value)
        return "nothing";
    const char *type = json_string_value(json_object_get(value, "type"));
    return type ? token_json_shown(type) : names[json_typeof(value)];
}

enum status token_json_number(const json_t *object, const char *field, uint32_t limit, uint32_t *ret, struct error *err)
{
    const json_t *value = json_object_get(object, field);
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return error_set(err, STATUS_FORMAT, "\"%s\" is %s, not a whole number", token_json_shown(field),
                         token_json_kind(value));
    if (json_integer_value(value) >= limit)
        return error_set(err, STATUS_UNSUPPORTED, "\"%s\" is %lld; it must be below %u", token_json_shown(field),
                         (long long)json_integer_value(value), limit);
    *ret = (uint32_t)json_integer_value(value);
    return STATUS_OK;
}

enum status token_json_flag(const json_t *object, const char *field, bool *ret, struct error *err)
{
    const json_t *value = json_object_get(object, field);
    if (!value || json_is_null(value))
        return STATUS_OK;
    if (!json_is_boolean(value))
        return error_set(err, STATUS_FORMAT, "\"%s\" is %s, not true or false", field, token_json_kind(value));
    *ret = json_is_true(value);
    return STATUS_OK;
}

enum status token_json_text(const json_t *object, const char *field, const char **ret, struct error *err)
{
    const json_t *value = json_object_get(object, field);
    if (!json_is_string(value))
        return error_set(err, STATUS_FORMAT, "\"%s\" is %s, not a string", field, token_json_kind(value));
    *ret = json_string_value(value);
    return STATUS_OK;
}

enum status token_json_part(const json_t *object, const char *field, json_type type, json_t **ret, struct error *err)
{
    json_t *value = json_object_get(object, field);
    if (!value || json_typeof(value) != type)
        return error_set(err, STATUS_FORMAT, "\"%s\" is %s, not an %s", field, token_json_kind(value),
                         type == JSON_OBJECT ? "object" : "array");
    *ret = value;
    return STATUS_OK;
}
