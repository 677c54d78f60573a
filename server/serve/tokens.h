/* Texts to tokens and back, without boards. */
#ifndef BERTD_SERVE_TOKENS_H
#define BERTD_SERVE_TOKENS_H

#include "server/serve/call.h"
#include "server/serve/input.h"
#include "server/token/token.h"

struct serve_tokenize_spec {
    struct serve_inputs inputs; /* texts only */
    bool add_special_tokens;
    struct serve_string prompt_name; /* bytes NULL: none */
};

/** Take the tokens of input `index`, whose spans point into `text` [len]; both are borrowed for the call. What is kept
 *  should be reserved with serve_call_reserve. A failure ends the request. */
typedef enum status serve_tokens_write(struct serve_call *call, uint32_t index, const struct token_encoding *encoding,
                                       const char *text, size_t len, struct error *err);
/** Take the text [len] of input `index`; as above. */
typedef enum status serve_text_write(struct serve_call *call, uint32_t index, const char *text, size_t len,
                                     struct error *err);

/** Give the tokens of each text, never truncated, to `write`, in order.
 *  Errors: EMPTY, VALIDATION, TOKENIZER, NO_MEMORY, and those of `write` */
enum status serve_tokenize(struct serve_call *call, const struct serve_tokenize_spec *spec, serve_tokens_write *write,
                           struct error *err);
/** Give the text of each input, all of them ids, to `write`, in order. Errors: EMPTY, VALIDATION, NO_MEMORY, and those
 *  of `write` */
enum status serve_decode(struct serve_call *call, const struct serve_inputs *inputs, bool skip_special_tokens,
                         serve_text_write *write, struct error *err);

#endif
