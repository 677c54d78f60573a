#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum status file_path(char *path, const char *dir, const char *name, struct error *err)
{
    int n = snprintf(path, FILE_MAX_PATH, "%s/%s", dir, name);
    if (n < 0 || n >= FILE_MAX_PATH)
        return error_set(err, STATUS_IO, "the path of the model directory is longer than %d bytes", FILE_MAX_PATH);
    return STATUS_OK;
}

bool file_name_is_plain(const char *name)
{
    return name[0] != '\0' && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static enum status map_open_file(struct file_map *ret, int fd, const char *path, struct error *err)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return error_set(err, STATUS_IO, "%s: %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return error_set(err, STATUS_IO, "%s: not a regular file", path);
    struct file_map map = {.size = (size_t)info.st_size};
    if (map.size > 0) {
        void *data = mmap(NULL, map.size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data == MAP_FAILED)
            return error_set(err, STATUS_IO, "%s: %s", path, strerror(errno));
        map.data = data;
    }
    *ret = map;
    return STATUS_OK;
}

enum status file_map(struct file_map *ret, const char *path, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return error_set(err, STATUS_IO, "%s: %s", path, strerror(errno));
    enum status status = map_open_file(ret, fd, path, err);
    close(fd);
    return status;
}

void file_unmap(struct file_map *map)
{
    if (map->data)
        munmap((void *)map->data, map->size);
    *map = (struct file_map){0};
}
