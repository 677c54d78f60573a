/* From an input of a request to tokens: prompt, length limits, truncation. Private to the room. */
#ifndef BERTD_HTTP_TEXTS_H
#define BERTD_HTTP_TEXTS_H

#include "server/http/server.h"
#include "server/wire/request.h"

struct http_text_options {
    struct wire_string prompt; /* put before the text; bytes NULL: none */
    bool add_special_tokens;
    bool truncate;
    bool limit_tokens; /* more than --max-input-length tokens are cut or refused; /tokenize takes them */
    bool chunk;        /* with limit_tokens: more are left whole, for as many as --max-chunks windows */
    enum token_direction direction;
};

/** One encoded input. */
struct http_text {
    struct token_encoding encoding;
    struct wire_string text; /* what the spans point into; in the arena or borrowed from the input */
    bool cut;                /* not all of it is in `encoding` */
    /* What every window of a chunked text repeats: tokens at its beginning (the template's, the prompt's) and end. */
    uint32_t n_lead;
    uint32_t n_trail;
};

/** Encode one input. Ids are first decoded to text, which is encoded without the template: [CLS] and [SEP] must be
 *  among them. With a prompt both get the template, and the decoded text none of its own special tokens.
 *  index   among the request's inputs, for the words of errors; -1: the only one
 *  Errors: VALIDATION (too long, naming limit and length; no tokens), TOKENIZER, NO_MEMORY; `ret` untouched */
enum status http_text_encode(const struct http_server *server, const struct wire_input *input, int64_t index,
                             const struct http_text_options *options, struct arena *arena, struct http_text *ret,
                             struct error *err);
/** Characters of a text, or ids. */
uint64_t http_text_chars(const struct wire_input *input);
/** What errors call an input: "`inputs`" or "`inputs[7]`". */
const char *http_text_name(int64_t index, char *name, size_t size);

#endif
