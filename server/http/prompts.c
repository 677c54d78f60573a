#include "server/http/prompts.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/utf8.h"

enum { MAX_PROMPTS = 256, MAX_FILE = 1 << 20 };

static const char file_name[] = "config_sentence_transformers.json";

static bool read_prompt(struct wire_json *json, struct http_prompts *prompts, struct wire_string name)
{
    struct wire_string text;
    if (prompts->n == MAX_PROMPTS)
        return wire_json_fail(json, STATUS_FORMAT, "more than %d prompts", MAX_PROMPTS);
    if (wire_json_peek(json) == WIRE_JSON_NULL) { /* sentence-transformers takes it for an empty one */
        prompts->items[prompts->n++] = (struct http_prompt){name, {"", 0}};
        return wire_json_skip(json);
    }
    if (wire_json_peek(json) != WIRE_JSON_STRING)
        return wire_json_expected(json, "prompts", "strings");
    if (!wire_json_read_string(json, &text))
        return false;
    prompts->items[prompts->n++] = (struct http_prompt){name, text};
    return true;
}

static bool read_member(struct wire_json *json, struct http_prompts *prompts, struct wire_string key)
{
    if (!wire_string_is(key, "prompts") || wire_json_peek(json) == WIRE_JSON_NULL)
        return wire_json_skip(json);
    if (!wire_json_enter_object(json))
        return wire_json_expected(json, "prompts", "an object");
    struct wire_string name;
    while (wire_json_next_key(json, &name)) {
        if (!read_prompt(json, prompts, name))
            return false;
    }
    return json->status == STATUS_OK;
}

static enum status parse(struct http_prompts *prompts, const char *text, size_t len, struct error *err)
{
    struct wire_json json;
    wire_json_init(&json, text, len, prompts->arena, err);
    if (!wire_json_enter_object(&json)) {
        wire_json_expected(&json, "the file", "an object");
        return json.status;
    }
    struct wire_string key;
    bool more = true;
    while (more && wire_json_next_key(&json, &key))
        more = read_member(&json, prompts, key);
    wire_json_end(&json);
    return json.status;
}

static enum status load_file(struct http_prompts *prompts, const char *path, struct error *err)
{
    struct file_map map = {0};
    enum status status = file_map(&map, path, err);
    if (status != STATUS_OK)
        return status;
    char *text =
        map.size <= MAX_FILE ? arena_copy(prompts->arena, map.data ? (const char *)map.data : "", map.size) : NULL;
    size_t size = map.size;
    file_unmap(&map);
    if (!text)
        return error_set(err, STATUS_FORMAT, "%s: larger than %d bytes, or no memory", path, MAX_FILE);
    status = parse(prompts, text, size, err);
    if (status == STATUS_NO_MEMORY || status == STATUS_OK)
        return status;
    return error_prefix(err, STATUS_FORMAT, "%s: ", path);
}

static enum status choose_standard(struct http_prompts *prompts, const char *text, const char *name, struct error *err)
{
    if (text)
        prompts->standard = (struct wire_string){text, strlen(text)};
    if (!name)
        return STATUS_OK;
    if (http_prompts_find(prompts, (struct wire_string){name, strlen(name)}, &prompts->standard, err) == STATUS_OK)
        return STATUS_OK;
    return error_prefix(err, STATUS_USAGE, "--default-prompt-name: ");
}

enum status http_prompts_load(struct http_prompts *ret, const char *model_dir, const char *text, const char *name,
                              struct error *err)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s/%s", model_dir, file_name) >= (int)sizeof path)
        return error_set(err, STATUS_USAGE, "the path of the model is longer than %zu bytes", sizeof path);
    struct http_prompts prompts = {.arena = arena_create(4 * MAX_FILE)};
    if (prompts.arena)
        prompts.items = arena_alloc(prompts.arena, MAX_PROMPTS * sizeof *prompts.items);
    if (!prompts.items) {
        http_prompts_finish(&prompts);
        return error_set(err, STATUS_NO_MEMORY, "no memory for the prompts");
    }
    enum status status = access(path, F_OK) == 0 ? load_file(&prompts, path, err) : STATUS_OK;
    if (status == STATUS_OK)
        status = choose_standard(&prompts, text, name, err);
    if (status != STATUS_OK)
        http_prompts_finish(&prompts);
    else
        *ret = prompts;
    return status;
}

void http_prompts_finish(struct http_prompts *prompts)
{
    arena_destroy(&prompts->arena);
    *prompts = (struct http_prompts){0};
}

static enum status unknown(const struct http_prompts *prompts, struct wire_string name, struct error *err)
{
    char known[256];
    int n = 0;
    known[0] = '\0';
    for (uint32_t i = 0; i < prompts->n && n < (int)sizeof known; i++)
        n += snprintf(known + n, sizeof known - (size_t)n, "%s\"%.*s\"", i ? ", " : "", (int)prompts->items[i].name.len,
                      prompts->items[i].name.bytes);
    known[utf8_valid(known, strlen(known))] = '\0';
    int len = name.len < 100 ? (int)name.len : 100;
    len = (int)utf8_valid(name.bytes, (size_t)len);
    if (prompts->n == 0)
        return error_set(err, STATUS_VALIDATION, "`prompt_name` \"%.*s\": the model's %s has no prompts", len,
                         name.bytes, file_name);
    return error_set(err, STATUS_VALIDATION, "`prompt_name` \"%.*s\" is unknown; the model has %s", len, name.bytes,
                     known);
}

enum status http_prompts_find(const struct http_prompts *prompts, struct wire_string name, struct wire_string *ret,
                              struct error *err)
{
    if (!name.bytes) {
        *ret = prompts->standard;
        return STATUS_OK;
    }
    for (uint32_t i = 0; i < prompts->n; i++) {
        const struct wire_string *other = &prompts->items[i].name;
        if (other->len == name.len && memcmp(other->bytes, name.bytes, name.len) == 0) {
            *ret = prompts->items[i].text;
            return STATUS_OK;
        }
    }
    return unknown(prompts, name, err);
}
