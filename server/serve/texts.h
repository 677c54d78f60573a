/* From an input of a request to tokens: prompt, length limits, truncation. Private to the room. */
#ifndef BERTD_SERVE_TEXTS_H
#define BERTD_SERVE_TEXTS_H

#include "server/serve/input.h"
#include "server/serve/server.h"

struct serve_text_options {
    struct serve_string prompt; /* put before the text; bytes NULL: none */
    bool add_special_tokens;
    bool truncate;
    bool limit_tokens; /* more than --max-input-length tokens are cut or refused; /tokenize takes them */
    bool chunk;        /* with limit_tokens: more are left whole, for as many as --max-chunks windows */
    enum token_direction direction;
};

/** One encoded input. */
struct serve_text {
    struct token_encoding encoding;
    struct serve_string text; /* what the spans point into; in the arena or borrowed from the input */
    bool cut;                 /* not all of it is in `encoding` */
    /* What every window of a chunked text repeats: tokens at its beginning (the template's, the prompt's) and end. */
    uint32_t n_lead;
    uint32_t n_trail;
};

/** Check what must hold of any request's inputs, which errors call `name`: between 1 and --max-client-batch-size, none
 *  of them empty. Errors: EMPTY, VALIDATION. */
enum status serve_inputs_check(const struct serve_server *server, const struct serve_inputs *inputs, const char *name,
                               struct error *err);
/** Encode one input. Ids are first decoded to text, which is encoded without the template: [CLS] and [SEP] must be
 *  among them. With a prompt both get the template, and the decoded text none of its own special tokens.
 *  index   among the request's inputs, for the words of errors; -1: the only one
 *  Errors: VALIDATION (too long, naming limit and length; no tokens), TOKENIZER, NO_MEMORY; `ret` untouched */
enum status serve_text_encode(const struct serve_server *server, const struct serve_input *input, int64_t index,
                              const struct serve_text_options *options, struct arena *arena, struct serve_text *ret,
                              struct error *err);
/** Characters of a text, or ids. */
uint64_t serve_text_chars(const struct serve_input *input);
/** What errors call an input: "`inputs`" or "`inputs[7]`". */
const char *serve_text_name(int64_t index, char *name, size_t size);

#endif
