#include "server/serve/prompts.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

enum { MEMORY_LIMIT = 8 << 20 };

static enum status choose_standard(struct serve_prompts *prompts, const char *text, const char *name, struct error *err)
{
    if (text)
        prompts->standard = (struct serve_string){text, strlen(text)};
    if (!name)
        return STATUS_OK;
    if (serve_prompts_find(prompts, (struct serve_string){name, strlen(name)}, &prompts->standard, err) == STATUS_OK)
        return STATUS_OK;
    return error_prefix(err, STATUS_USAGE, "--default-prompt-name: ");
}

enum status serve_prompts_load(struct serve_prompts *ret, const char *model_dir, const char *text, const char *name,
                               struct error *err)
{
    struct serve_prompts prompts = {.arena = arena_create(MEMORY_LIMIT)};
    if (!prompts.arena)
        return error_set(err, STATUS_NO_MEMORY, "no memory for the prompts");
    enum status status = model_prompts_read(&prompts.known, model_dir, prompts.arena, err);
    if (status == STATUS_OK)
        status = choose_standard(&prompts, text, name, err);
    if (status != STATUS_OK)
        serve_prompts_finish(&prompts);
    else
        *ret = prompts;
    return status;
}

void serve_prompts_finish(struct serve_prompts *prompts)
{
    arena_destroy(&prompts->arena);
    *prompts = (struct serve_prompts){0};
}

static enum status unknown(const struct serve_prompts *prompts, struct serve_string name, struct error *err)
{
    char known[256];
    int n = 0;
    known[0] = '\0';
    for (uint32_t i = 0; i < prompts->known.n && n < (int)sizeof known; i++)
        n += snprintf(known + n, sizeof known - (size_t)n, "%s\"%s\"", i ? ", " : "", prompts->known.items[i].name);
    known[utf8_valid(known, strlen(known))] = '\0';
    int len = name.len < 100 ? (int)name.len : 100;
    len = (int)utf8_valid(name.bytes, (size_t)len);
    if (prompts->known.n == 0)
        return error_set(err, STATUS_VALIDATION, "`prompt_name` \"%.*s\": the model's %s has no prompts", len,
                         name.bytes, MODEL_PROMPTS_FILE);
    return error_set(err, STATUS_VALIDATION, "`prompt_name` \"%.*s\" is unknown; the model has %s", len, name.bytes,
                     known);
}

enum status serve_prompts_find(const struct serve_prompts *prompts, struct serve_string name, struct serve_string *ret,
                               struct error *err)
{
    if (!name.bytes) {
        *ret = prompts->standard;
        return STATUS_OK;
    }
    for (uint32_t i = 0; i < prompts->known.n; i++) {
        const struct model_prompt *prompt = &prompts->known.items[i];
        if (strlen(prompt->name) == name.len && memcmp(prompt->name, name.bytes, name.len) == 0) {
            *ret = (struct serve_string){prompt->text, strlen(prompt->text)};
            return STATUS_OK;
        }
    }
    return unknown(prompts, name, err);
}
