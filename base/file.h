/* Whole files, read only. */
#ifndef BERTD_BASE_FILE_H
#define BERTD_BASE_FILE_H

#include <stddef.h>

#include "base/status.h"

/** A file's bytes, mapped. `data` is NULL where the file is empty. */
struct file_map {
    const unsigned char *data;
    size_t size;
};

/** Map the regular file at `path`. Errors: IO, naming the path and the reason; `ret` untouched on failure.
 *  Release with file_unmap. */
enum status file_map(struct file_map *ret, const char *path, struct error *err);
/** Release a mapping and clear it. A cleared one is fine. */
void file_unmap(struct file_map *map);

#endif
