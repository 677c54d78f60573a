/* The prompt that goes before a request's inputs: one of the model's, by name. Private to the room. */
#ifndef BERTD_SERVE_PROMPTS_H
#define BERTD_SERVE_PROMPTS_H

#include "server/model/prompts.h"
#include "server/serve/input.h"

struct serve_prompts {
    struct model_prompts known;
    struct serve_string standard; /* put before inputs whose request names none; bytes NULL: nothing */
    struct arena *arena;
};

/** Read the prompts of the model directory. Either of `text` (borrowed) and `name` may be given as the standard prompt.
 *  `ret`: end with serve_prompts_finish. Errors: NO_MEMORY; FORMAT and IO (naming the file); USAGE (`name` is unknown)
 */
enum status serve_prompts_load(struct serve_prompts *ret, const char *model_dir, const char *text, const char *name,
                               struct error *err);
void serve_prompts_finish(struct serve_prompts *prompts);
/** The prompt of a request that names `name` (bytes NULL: none is named); bytes NULL: none. Borrowed from `prompts`.
 *  Errors: VALIDATION, naming the known. Thread: any */
enum status serve_prompts_find(const struct serve_prompts *prompts, struct serve_string name, struct serve_string *ret,
                               struct error *err);

#endif
