/* What a model directory says of its tokenizer besides the vocabulary: tokenizer_config.json, special_tokens_map.json,
 * added_tokens.json, and the class that config.json may name. Room-private. */
#ifndef BERTD_TOKEN_SETTINGS_H
#define BERTD_TOKEN_SETTINGS_H

#include <jansson.h>
#include <stdbool.h>

#include "base/status.h"

/** Each an object, empty where the file is not there. */
struct token_settings {
    json_t *tokenizer; /* tokenizer_config.json */
    json_t *special;   /* special_tokens_map.json */
    json_t *added;     /* added_tokens.json */
    json_t *model;     /* config.json */
};

/** Read the four files. Free with token_settings_finish, after an error too.
 *  Errors: IO, FORMAT, naming the file; NO_MEMORY */
enum status token_settings_read(struct token_settings *settings, const char *model_dir, struct error *err);
void token_settings_finish(struct token_settings *settings);

/** Refuse a tokenizer of another class than BERT's.
 *  described  there is a tokenizer.json: then only classes that do not read it are refused
 *  Errors: UNSUPPORTED, naming the class; FORMAT */
enum status token_settings_check_class(const struct token_settings *settings, bool described, struct error *err);
/** The text of a special token ("cls_token"), `otherwise` where none is set. Borrowed. */
const char *token_settings_special(const struct token_settings *settings, const char *field, const char *otherwise);
/** Put the added tokens that the files name behind those of `added` (an array as tokenizer.json's added_tokens), in the
 *  order in which transformers adds them. A named special token (as cls_token) that is not in `entries` is left out.
 *  Errors: FORMAT, NO_MEMORY */
enum status token_settings_add_tokens(const struct token_settings *settings, const json_t *entries, json_t *added,
                                      struct error *err);

#endif
