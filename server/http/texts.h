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
    enum token_direction direction;
};

/** Encode one input. Ids are first decoded to text, which is encoded without the template: [CLS] and [SEP] must be
 *  among them. With a prompt both get the template, and the decoded text none of its own special tokens.
 *  ret_text  what the spans of `ret` point into; in `arena` or borrowed from `input`
 *  Errors:   VALIDATION (too long, naming limit and length; no tokens), TOKENIZER, NO_MEMORY */
enum status http_text_encode(const struct http_server *server, const struct wire_input *input,
                             const struct http_text_options *options, struct arena *arena, struct token_encoding *ret,
                             struct wire_string *ret_text, struct error *err);
/** Characters of a text, or ids. */
uint64_t http_text_chars(const struct wire_input *input);

#endif
