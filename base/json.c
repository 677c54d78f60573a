#include "base/json.h"

#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/utf8.h"

enum { MAX_SHOWN = 100 };
#define MAX_EXACT 9007199254740992.0 /* 2^53: whole numbers below it are exact in binary64 */

static json_t *as_integer(double number)
{
    return json_integer((json_int_t)number);
}

static bool is_exact_whole(const json_t *value)
{
    double number = json_real_value(value);
    return json_is_real(value) && number > -MAX_EXACT && number < MAX_EXACT && number == (double)(json_int_t)number;
}

/* Read as real numbers, integers become integers again where they fit. */
static bool restore_integers(json_t *value)
{
    const char *key;
    json_t *item;
    void *next;
    size_t i;
    json_object_foreach_safe(value, next, key, item)
    {
        if (is_exact_whole(item) ? json_object_set_new(value, key, as_integer(json_real_value(item))) != 0
                                 : !restore_integers(item))
            return false;
    }
    json_array_foreach(value, i, item)
    {
        if (is_exact_whole(item) ? json_array_set_new(value, i, as_integer(json_real_value(item))) != 0
                                 : !restore_integers(item))
            return false;
    }
    return true;
}

/* Again, for the sake of an integer that does not fit: where all the rest is well, it is as good as any real number. */
static json_t *parse_large(const void *data, size_t size)
{
    json_t *root = json_loadb(data, size, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, NULL);
    if (root && restore_integers(root))
        return root;
    json_decref(root);
    return NULL;
}

enum status base_json_parse(json_t **ret, const void *data, size_t size, struct error *err)
{
    json_error_t why;
    json_t *root = json_loadb(size ? data : "", size, JSON_REJECT_DUPLICATES, &why);
    if (!root && json_error_code(&why) == json_error_numeric_overflow)
        root = parse_large(data, size);
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

enum status base_json_file(const char *dir, const char *name, size_t limit, bool *ret_found, base_json_reader *read,
                           void *cookie, struct error *err)
{
    char path[FILE_MAX_PATH];
    enum status status = file_path(path, dir, name, err);
    if (status != STATUS_OK)
        return status;
    if (ret_found) {
        *ret_found = access(path, F_OK) == 0;
        if (!*ret_found)
            return STATUS_OK;
    }
    struct file_map map;
    status = file_map(&map, path, err);
    if (status != STATUS_OK)
        return status;
    if (map.size > limit)
        status = error_set(err, STATUS_FORMAT, "%zu bytes; the limit is %zu", map.size, limit);
    else
        status = read(cookie, map.data, map.size, err);
    file_unmap(&map);
    return status == STATUS_OK ? STATUS_OK : error_prefix(err, status, "%s: ", path);
}

static enum status wrong(const json_t *value, const char *field, const char *expected, struct error *err)
{
    if (!value)
        return error_set(err, STATUS_FORMAT, "\"%s\" is missing", base_json_shown(field));
    return error_set(err, STATUS_FORMAT, "\"%s\" is %s, not %s", base_json_shown(field), base_json_kind(value),
                     expected);
}

enum status base_json_count(const json_t *object, const char *field, uint32_t least, uint32_t limit, uint32_t *ret,
                            struct error *err)
{
    const json_t *value = json_object_get(object, field);
    bool huge = json_is_real(value) && json_real_value(value) >= MAX_EXACT;
    if (!huge && (!json_is_integer(value) || json_integer_value(value) < (json_int_t)least))
        return wrong(value, field, least ? "a whole number of at least 1" : "a whole number", err);
    if (huge)
        return error_set(err, STATUS_UNSUPPORTED, "\"%s\" is %g; the limit is %u", base_json_shown(field),
                         json_real_value(value), limit);
    if (json_integer_value(value) > (json_int_t)limit)
        return error_set(err, STATUS_UNSUPPORTED, "\"%s\" is %lld; the limit is %u", base_json_shown(field),
                         (long long)json_integer_value(value), limit);
    *ret = (uint32_t)json_integer_value(value);
    return STATUS_OK;
}

enum status base_json_flag(const json_t *object, const char *field, bool *ret, struct error *err)
{
    const json_t *value = json_object_get(object, field);
    if (!value || json_is_null(value))
        return STATUS_OK;
    if (!json_is_boolean(value))
        return wrong(value, field, "true or false", err);
    *ret = json_is_true(value);
    return STATUS_OK;
}

enum status base_json_text(const json_t *object, const char *field, const char **ret, struct error *err)
{
    const json_t *value = json_object_get(object, field);
    return !value || json_is_null(value) ? STATUS_OK : base_json_required_text(object, field, ret, err);
}

enum status base_json_required_text(const json_t *object, const char *field, const char **ret, struct error *err)
{
    const json_t *value = json_object_get(object, field);
    if (!json_is_string(value))
        return wrong(value, field, "a string", err);
    *ret = json_string_value(value);
    return STATUS_OK;
}

enum status base_json_part(const json_t *object, const char *field, json_type type, json_t **ret, struct error *err)
{
    json_t *value = json_object_get(object, field);
    if (!value || json_typeof(value) != type)
        return wrong(value, field, type == JSON_OBJECT ? "an object" : "an array", err);
    *ret = value;
    return STATUS_OK;
}

const char *base_json_kind(const json_t *value)
{
    static const char *const names[] = {
        "an object without a type", "an array", "a string", "a number", "a number", "true", "false", "null"};
    if (!value)
        return "nothing";
    const char *type = json_string_value(json_object_get(value, "type"));
    return type ? base_json_shown(type) : names[json_typeof(value)];
}

const char *base_json_shown(const char *text)
{
    return strlen(text) <= MAX_SHOWN ? text : "(a long text)";
}
