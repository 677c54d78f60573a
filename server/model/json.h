/* The model directory's small JSON files: read whole, fields fetched with errors that name them. Room-private. */
#ifndef BERTD_MODEL_JSON_H
#define BERTD_MODEL_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum {
    MODEL_MAX_JSON = 4 << 20, /* bytes of one file */
    MODEL_MAX_PATH = 4096,    /* bytes of a path, with its NUL */
};

/** Parse UTF-8 JSON without duplicate keys, nested at most 2048 deep (the parser's own limit).
 *  ret     new; json_decref. Errors: FORMAT, with line and column; NO_MEMORY */
enum status model_json_parse(json_t **ret, const void *data, size_t size, struct error *err);

/** Called with a file's bytes. */
typedef enum status model_json_reader(void *cookie, const void *data, size_t size, struct error *err);
/** Map `dir`/`name`, give its bytes to `read`, unmap; errors get the path before them.
 *  ret_found  may be NULL: then a file that is not there is an error, else it is set to whether there is one
 *  Errors: IO, FORMAT (too large), and what `read` returned */
enum status model_json_file(const char *dir, const char *name, bool *ret_found, model_json_reader *read, void *cookie,
                            struct error *err);

/** A whole number, 1 <= n <= limit, of an object. Errors: FORMAT where missing, of another type or < 1; UNSUPPORTED
 *  over the limit; each naming the field. */
enum status model_json_count(const json_t *object, const char *field, uint32_t limit, uint32_t *ret, struct error *err);
/** True or false; `ret` keeps its value where the field is missing or null. Errors: FORMAT naming the field. */
enum status model_json_flag(const json_t *object, const char *field, bool *ret, struct error *err);
/** A string; `ret` keeps its value where the field is missing or null. Borrowed from `object`. */
enum status model_json_text(const json_t *object, const char *field, const char **ret, struct error *err);

/** A string of the file as a message may show it: itself, or a stand-in where it is long. Borrowed. */
const char *model_json_shown(const char *text);
/** Write dir/name to path[MODEL_MAX_PATH]. Errors: IO where it is too long. */
enum status model_path(char *path, const char *dir, const char *name, struct error *err);
/** True when `name` is one component that stays in its directory: not empty, no '/', not "." or "..". */
bool model_name_is_plain(const char *name);

#endif
