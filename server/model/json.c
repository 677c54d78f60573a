#include "server/model/json.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "server/model/scan.h"

enum status model_json_parse(json_t **ret, const void *data, size_t size, struct error *err)
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
    /* Its words may quote the file, cut in the middle of a character. */
    const char *text = model_utf8_valid(why.text, strlen(why.text)) ? why.text : "this is not JSON";
    return error_set(err, STATUS_FORMAT, "line %d, column %d: %s", why.line, why.column, text);
}

enum status model_path(char *path, const char *dir, const char *name, struct error *err)
{
    int n = snprintf(path, MODEL_MAX_PATH, "%s/%s", dir, name);
    if (n < 0 || n >= MODEL_MAX_PATH)
        return error_set(err, STATUS_IO, "the path of the model directory is longer than %d bytes", MODEL_MAX_PATH);
    return STATUS_OK;
}

bool model_name_is_plain(const char *name)
{
    return name[0] != '\0' && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

enum status model_json_file(const char *dir, const char *name, bool *ret_found, model_json_reader *read, void *cookie,
                            struct error *err)
{
    char path[MODEL_MAX_PATH];
    enum status status = model_path(path, dir, name, err);
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
    if (map.size > MODEL_MAX_JSON)
        status = error_set(err, STATUS_FORMAT, "%zu bytes; the limit is %d", map.size, MODEL_MAX_JSON);
    else
        status = read(cookie, map.data, map.size, err);
    file_unmap(&map);
    return status == STATUS_OK ? STATUS_OK : error_prefix(err, status, "%s: ", path);
}

enum status model_json_count(const json_t *object, const char *field, uint32_t limit, uint32_t *ret, struct error *err)
{
    const json_t *value = json_object_get(object, field);
    if (!value)
        return error_set(err, STATUS_FORMAT, "%s is missing", field);
    if (!json_is_integer(value) || json_integer_value(value) < 1)
        return error_set(err, STATUS_FORMAT, "%s is not a whole number of at least 1", field);
    if (json_integer_value(value) > (json_int_t)limit)
        return error_set(err, STATUS_UNSUPPORTED, "%s is %lld; the limit is %u", field,
                         (long long)json_integer_value(value), limit);
    *ret = (uint32_t)json_integer_value(value);
    return STATUS_OK;
}

enum status model_json_flag(const json_t *object, const char *field, bool *ret, struct error *err)
{
    const json_t *value = json_object_get(object, field);
    if (!value || json_is_null(value))
        return STATUS_OK;
    if (!json_is_boolean(value))
        return error_set(err, STATUS_FORMAT, "%s is neither true nor false", field);
    *ret = json_is_true(value);
    return STATUS_OK;
}

enum status model_json_text(const json_t *object, const char *field, const char **ret, struct error *err)
{
    const json_t *value = json_object_get(object, field);
    if (!value || json_is_null(value))
        return STATUS_OK;
    if (!json_is_string(value))
        return error_set(err, STATUS_FORMAT, "%s is not a string", field);
    *ret = json_string_value(value);
    return STATUS_OK;
}

const char *model_json_shown(const char *text)
{
    return strlen(text) <= 64 ? text : "(a long text)";
}
