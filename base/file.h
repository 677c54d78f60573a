/* Whole files, read only. */
#ifndef BERTD_BASE_FILE_H
#define BERTD_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/** A file's bytes, mapped. `data` is NULL where the file is empty. */
struct file_map {
    const unsigned char *data;
    size_t size;
};

enum { FILE_MAX_PATH = 4096 }; /* bytes of a path, with its NUL */

/** Write `dir`/`name` to path[FILE_MAX_PATH]. Errors: IO where it is too long. */
enum status file_path(char *path, const char *dir, const char *name, struct error *err);
/** True when `name` is one component that stays in its directory: not empty, no '/', not "." or "..". */
bool file_name_is_plain(const char *name);
/** Map the regular file at `path`. Errors: IO, naming the path and the reason; `ret` untouched on failure.
 *  Release with file_unmap. */
enum status file_map(struct file_map *ret, const char *path, struct error *err);
/** Release a mapping and clear it. A cleared one is fine. */
void file_unmap(struct file_map *map);

#endif
