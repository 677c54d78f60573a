#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "server/config/config.h"

static bool is_directory(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

enum status config_find_model(char *path, size_t size, const char *model_id, const char *(*get_env)(const char *),
                              struct error *err)
{
    if (is_directory(model_id)) {
        if (snprintf(path, size, "%s", model_id) >= (int)size)
            return error_set(err, STATUS_USAGE, "--model-id: the path is longer than %zu bytes", size - 1);
        return STATUS_OK;
    }
    const char *cache = get_env("XDG_CACHE_HOME");
    const char *home = get_env("HOME");
    const char *below = cache && *cache ? "" : "/.cache";
    const char *base = cache && *cache ? cache : home;
    if (model_id[0] == '/' || model_id[0] == '.' || strstr(model_id, "..") || !base)
        return error_set(err, STATUS_USAGE, "--model-id: there is no directory %s (\"bertctl pull\" fetches models)",
                         model_id);
    const char *slash = strrchr(model_id, '/');
    const char *names[] = {model_id, slash ? slash + 1 : NULL};
    for (int i = 0; i < 2 && names[i]; i++) {
        if (snprintf(path, size, "%s%s/bertd/models/%s", base, below, names[i]) < (int)size && is_directory(path))
            return STATUS_OK;
    }
    return error_set(err, STATUS_USAGE, "--model-id: there is neither a directory %s nor %s%s/bertd/models/%s",
                     model_id, base, below, slash ? slash + 1 : model_id);
}
