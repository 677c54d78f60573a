/* The named prompts that a sentence-transformers model comes with: config_sentence_transformers.json. */
#ifndef BERTD_MODEL_PROMPTS_H
#define BERTD_MODEL_PROMPTS_H

#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

#define MODEL_PROMPTS_FILE "config_sentence_transformers.json"

enum { MODEL_MAX_PROMPTS = 256 };

/** What is put before a text of some kind; UTF-8, NUL-terminated. */
struct model_prompt {
    const char *name;
    const char *text; /* may be empty */
};

struct model_prompts {
    struct model_prompt *items; /* [n], in the order of the file */
    uint32_t n;
};

/** Read the file if the directory has it.
 *  ret  what it points to lives in `arena`; empty where there is no file
 *  Errors: FORMAT and IO, naming the file; NO_MEMORY. `ret` untouched on failure. Thread: any */
enum status model_prompts_read(struct model_prompts *ret, const char *model_dir, struct arena *arena,
                               struct error *err);

#endif
