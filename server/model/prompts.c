#include "server/model/prompts.h"

#include <string.h>

#include "base/json.h"
#include "server/model/config.h"

struct reading {
    struct model_prompts prompts;
    struct arena *arena;
};

static const char *keep(struct arena *arena, const char *text)
{
    return arena_copy(arena, text, strlen(text) + 1);
}

static enum status read_prompts(const json_t *object, struct reading *reading, struct error *err)
{
    struct model_prompts *prompts = &reading->prompts;
    size_t n = json_object_size(object);
    if (!json_is_object(object))
        return error_set(err, STATUS_FORMAT, "prompts is not an object");
    if (n > MODEL_MAX_PROMPTS)
        return error_set(err, STATUS_FORMAT, "more than %d prompts", MODEL_MAX_PROMPTS);
    prompts->items = arena_alloc_array(reading->arena, n + 1, sizeof *prompts->items, _Alignof(struct model_prompt));
    if (!prompts->items)
        return error_set(err, STATUS_NO_MEMORY, "no memory for %zu prompts", n);
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)object, name, value)
    {
        bool empty = json_is_null(value); /* as sentence-transformers takes it */
        if (!empty && !json_is_string(value))
            return error_set(err, STATUS_FORMAT, "prompts: \"%s\" is not a string", base_json_shown(name));
        struct model_prompt *prompt = &prompts->items[prompts->n++];
        prompt->name = keep(reading->arena, name);
        prompt->text = keep(reading->arena, empty ? "" : json_string_value(value));
        if (!prompt->name || !prompt->text)
            return error_set(err, STATUS_NO_MEMORY, "no memory for %zu prompts", n);
    }
    return STATUS_OK;
}

static enum status on_file(void *cookie, const void *data, size_t size, struct error *err)
{
    json_t *root = NULL;
    enum status status = base_json_parse(&root, data, size, err);
    if (status != STATUS_OK)
        return status;
    const json_t *prompts = json_object_get(root, "prompts");
    if (!json_is_object(root))
        status = error_set(err, STATUS_FORMAT, "not an object");
    else if (prompts && !json_is_null(prompts))
        status = read_prompts(prompts, cookie, err);
    json_decref(root);
    return status;
}

enum status model_prompts_read(struct model_prompts *ret, const char *model_dir, struct arena *arena, struct error *err)
{
    struct reading reading = {.arena = arena};
    bool found;
    enum status status = base_json_file(model_dir, MODEL_PROMPTS_FILE, MODEL_MAX_JSON, &found, on_file, &reading, err);
    if (status == STATUS_OK)
        *ret = reading.prompts;
    return status;
}
