/* A pull reader for JSON (RFC 8259): the caller asks for what it expects, nothing else is built.
 *
 * Memory is bounded by the text: strings without escapes point into it, the others and nothing more are copied to the
 * arena. The first failure sticks, its words are in `err`: MALFORMED (400) for what is not JSON, with line and column;
 * VALIDATION (422), set by the caller with wire_json_expected, for JSON of another kind than asked for.
 * Strictness: UTF-8 is checked; lone surrogates, control characters in strings, nesting deeper than 128 and anything
 * behind the value are refused. Numbers are read as integers where asked for, else skipped.
 */
#ifndef BERTD_WIRE_JSON_H
#define BERTD_WIRE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

enum wire_json_kind {
    WIRE_JSON_NOTHING, /* the end of the text, or no beginning of a value */
    WIRE_JSON_NULL,
    WIRE_JSON_BOOLEAN,
    WIRE_JSON_NUMBER,
    WIRE_JSON_STRING,
    WIRE_JSON_ARRAY,
    WIRE_JSON_OBJECT,
};

struct wire_json {
    const char *start;
    const char *at;
    const char *end;
    struct arena *arena;
    struct error *err;
    enum status status; /* OK until something failed */
    uint32_t depth;
    bool first; /* the next item of the innermost container is its first */
};

/** A string of the text, valid UTF-8, may hold NUL; lives as long as the text and the arena. */
struct wire_string {
    const char *bytes;
    size_t len;
};

/** Begin to read `text` [len], borrowed like `arena` and `err` while the reader and its strings are in use. */
void wire_json_init(struct wire_json *json, const char *text, size_t len, struct arena *arena, struct error *err);
/** What kind of value comes next, by its first byte. */
enum wire_json_kind wire_json_peek(struct wire_json *json);
/** "a string", "null", .. Static. */
const char *wire_json_kind_name(enum wire_json_kind kind);

/** Enter the object or array that comes next. False: failed, or another kind (then VALIDATION is not yet set). */
bool wire_json_enter_object(struct wire_json *json);
bool wire_json_enter_array(struct wire_json *json);
/** Go to the next member and read its key. False: the object has ended, or failed. */
bool wire_json_next_key(struct wire_json *json, struct wire_string *ret_key);
/** Go to the next item. False: the array has ended, or failed. */
bool wire_json_next_item(struct wire_json *json);

/** Read a value of a kind that wire_json_peek has seen. False: failed. */
bool wire_json_read_string(struct wire_json *json, struct wire_string *ret);
bool wire_json_read_bool(struct wire_json *json, bool *ret);
/** `ret_integer` is false where the number is negative, has a fraction or an exponent, or exceeds 2^64-1. */
bool wire_json_read_uint(struct wire_json *json, uint64_t *ret, bool *ret_integer);
/** Read past the next value, whatever it is, checking its syntax. */
bool wire_json_skip(struct wire_json *json);
/** True when nothing failed and only white space is left. */
bool wire_json_end(struct wire_json *json);

/** Fail with VALIDATION: "`what`: expected EXPECTED, got a string". Returns false. Looks at what comes next. */
bool wire_json_expected(struct wire_json *json, const char *what, const char *expected);
/** Fail with any status and words. Returns false. */
bool wire_json_fail(struct wire_json *json, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** True when `key` is `name`. */
bool wire_string_is(struct wire_string key, const char *name);

#endif
