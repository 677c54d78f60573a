/* JSON files and texts by jansson: parsed with the place of what is wrong, fields fetched with errors that name them.
 */
#ifndef BERTD_BASE_JSON_H
#define BERTD_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/** Parse UTF-8 JSON without duplicate keys, nested at most 2048 deep (the parser's own limit). An integer beyond 64
 *  bits becomes a real number.
 *  ret     new; json_decref
 *  data    [size] bytes; borrowed for the call
 *  Errors: FORMAT, with line and column; NO_MEMORY; `ret` untouched on failure. Thread: any */
enum status base_json_parse(json_t **ret, const void *data, size_t size, struct error *err);

/** Called with a file's bytes. */
typedef enum status base_json_reader(void *cookie, const void *data, size_t size, struct error *err);
/** Map `dir`/`name`, give its bytes to `read`, unmap; errors get the path before them.
 *  limit      bytes that the file may have
 *  ret_found  may be NULL: then a file that is not there is an error, else it is set to whether there is one
 *  Errors: IO, FORMAT (too large), and what `read` returned. Thread: any */
enum status base_json_file(const char *dir, const char *name, size_t limit, bool *ret_found, base_json_reader *read,
                           void *cookie, struct error *err);

/* Fields of an object. All are borrowed from it; `ret` is untouched on failure. `object` may be NULL or no object: then
 * every field is missing. Thread: any, while nobody changes the object. */

/** A whole number, least <= n <= limit. Errors: FORMAT where missing, of another type or below `least`; UNSUPPORTED
 *  over the limit. */
enum status base_json_count(const json_t *object, const char *field, uint32_t least, uint32_t limit, uint32_t *ret,
                            struct error *err);
/** True or false; `ret` keeps its value where the field is missing or null. Errors: FORMAT. */
enum status base_json_flag(const json_t *object, const char *field, bool *ret, struct error *err);
/** A string; `ret` keeps its value where the field is missing or null. Errors: FORMAT. */
enum status base_json_text(const json_t *object, const char *field, const char **ret, struct error *err);
/** A string that must be there. Errors: FORMAT. */
enum status base_json_required_text(const json_t *object, const char *field, const char **ret, struct error *err);
/** The object or array (`type`) that must be there. Errors: FORMAT. */
enum status base_json_part(const json_t *object, const char *field, json_type type, json_t **ret, struct error *err);

/** Words for a message: the "type" of an object, "null", or what sort of value it is. Borrowed. */
const char *base_json_kind(const json_t *value);
/** A string of a file as a message may show it: itself, or a stand-in where it is long. Borrowed. */
const char *base_json_shown(const char *text);

#endif
