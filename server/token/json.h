/* Fields of the tokenizer's JSON files, fetched with errors that name them. Room-private. */
#ifndef BERTD_TOKEN_JSON_H
#define BERTD_TOKEN_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/** Parse UTF-8 JSON without duplicate keys. `ret` new; json_decref. Errors: FORMAT with line and column, NO_MEMORY. */
enum status token_json_parse(json_t **ret, const char *data, size_t size, struct error *err);
/** A whole number 0 <= n < limit. Errors: FORMAT where missing or not one, UNSUPPORTED at or over the limit. */
enum status token_json_number(const json_t *object, const char *field, uint32_t limit, uint32_t *ret,
                              struct error *err);
/** True or false; `ret` keeps its value where the field is missing or null. Errors: FORMAT. */
enum status token_json_flag(const json_t *object, const char *field, bool *ret, struct error *err);
/** A string, borrowed from `object`. Errors: FORMAT where it is missing or no string. */
enum status token_json_text(const json_t *object, const char *field, const char **ret, struct error *err);
/** The object or array of that kind. Errors: FORMAT where it is missing or something else. */
enum status token_json_part(const json_t *object, const char *field, json_type type, json_t **ret, struct error *err);
/** Words for a message: the "type" of an object, "null", or what sort of value it is. Borrowed. */
const char *token_json_kind(const json_t *value);
/** A string of the file as a message may show it: itself, or a stand-in where it is long. Borrowed. */
const char *token_json_shown(const char *text);

#endif
