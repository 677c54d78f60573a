/* The named prompts of config_sentence_transformers.json. Private to the room. */
#ifndef BERTD_HTTP_PROMPTS_H
#define BERTD_HTTP_PROMPTS_H

#include "server/wire/json.h"

struct http_prompt {
    struct wire_string name;
    struct wire_string text;
};

struct http_prompts {
    struct http_prompt *items; /* [n] */
    uint32_t n;
    struct wire_string standard; /* put before inputs whose request names none; bytes NULL: nothing */
    struct arena *arena;
};

/** Read the file if the directory has it. Either of `text` and `name` may be given as the standard prompt.
 *  `ret`: end with http_prompts_finish. Errors: NO_MEMORY; FORMAT (naming the file); USAGE (`name` is unknown). */
enum status http_prompts_load(struct http_prompts *ret, const char *model_dir, const char *text, const char *name,
                              struct error *err);
void http_prompts_finish(struct http_prompts *prompts);
/** The prompt of a request that names `name` (bytes NULL: none is named). Errors: VALIDATION, naming the known. */
enum status http_prompts_find(const struct http_prompts *prompts, struct wire_string name, struct wire_string *ret,
                              struct error *err);

#endif
