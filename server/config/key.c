#include "server/config/key.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "server/config/config.h"

enum { MAX_KEY = 8192 };

enum status config_check_key(const char *key, const char *origin, struct error *err)
{
    size_t len = strlen(key);
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)key[i] < 0x20 || key[i] == 0x7F)
            return error_set(err, STATUS_USAGE, "%s: the key has a control character (byte %zu)", origin, i + 1);
    }
    if (key[0] == ' ' || key[len - 1] == ' ')
        return error_set(err, STATUS_USAGE, "%s: the key begins or ends with a space, which no header can carry",
                         origin);
    if (strncmp(key, "\xEF\xBB\xBF", 3) == 0)
        return error_set(err, STATUS_USAGE, "%s: the key begins with a byte order mark", origin);
    return STATUS_OK;
}

/* The first line of the file's bytes. */
static enum status copy_line(char **ret, const struct file_map *map, struct error *err)
{
    size_t len = 0;
    while (len < map->size && map->data[len] != '\n' && map->data[len] != '\r')
        len++;
    if (len > 0 && memchr(map->data, '\0', len))
        return error_set(err, STATUS_USAGE, "the first line, which should be the key, has a NUL");
    if (len > MAX_KEY)
        return error_set(err, STATUS_USAGE, "the key has %zu bytes, more than the %d that a header can carry", len,
                         MAX_KEY);
    if (len == 0)
        return error_set(err, STATUS_USAGE, "the first line, which should be the key, is empty");
    char *key = mem_alloc(len + 1);
    if (!key)
        return error_set(err, STATUS_NO_MEMORY, "no memory for the key");
    memcpy(key, map->data, len);
    key[len] = '\0';
    *ret = key;
    return STATUS_OK;
}

enum status config_read_key(char **ret, const char *path, struct error *err)
{
    struct file_map map = {0};
    char *key = NULL;
    enum status status = file_map(&map, path, err);
    if (status != STATUS_OK) {
        error_prefix(err, status,
                     "--api-key-file (a file whose first line is the key; --api-key takes the key itself): ");
        return status;
    }
    status = copy_line(&key, &map, err);
    if (status == STATUS_OK)
        status = config_check_key(key, "its first line", err);
    file_unmap(&map);
    if (status == STATUS_OK) {
        *ret = key;
        return STATUS_OK;
    }
    mem_free(key);
    return error_prefix(err, status, "--api-key-file: %s: ", path);
}
