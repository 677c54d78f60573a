#include "clients/cli/cache.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clients/cli/terminal.h"

bool cli_cache_path(char path[CLI_CACHE_PATH_MAX], const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(path, CLI_CACHE_PATH_MAX, format, arguments);
    va_end(arguments);
    if (n < 0 || n >= CLI_CACHE_PATH_MAX)
        cli_say("a path in the cache is too long");
    return n >= 0 && n < CLI_CACHE_PATH_MAX;
}

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

bool cli_cache_folder(const char *given, char path[CLI_CACHE_PATH_MAX])
{
    const char *value;
    if (given || (given = variable("HF_HUB_CACHE")))
        return cli_cache_path(path, "%s", given);
    if ((value = variable("HF_HOME")))
        return cli_cache_path(path, "%s/hub", value);
    if ((value = variable("XDG_CACHE_HOME")))
        return cli_cache_path(path, "%s/huggingface/hub", value);
    if ((value = variable("HOME")))
        return cli_cache_path(path, "%s/.cache/huggingface/hub", value);
    cli_say("where is the cache? HOME is not set: see --cache-dir");
    return false;
}

bool cli_cache_is_name(const char *name)
{
    for (const char *c = name; *c; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            return false;
    }
    for (const char *at = name;; at++) {
        size_t n = strcspn(at, "/");
        bool dots = (n == 1 && at[0] == '.') || (n == 2 && at[0] == '.' && at[1] == '.');
        if (n == 0 || dots)
            return false;
        at += n;
        if (*at == 0)
            return true;
    }
}

bool cli_cache_model(const char *folder, const char *repo, char path[CLI_CACHE_PATH_MAX])
{
    const char *slash = strchr(repo, '/');
    size_t n = strspn(repo, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._-/");
    if (repo[n] != 0 || !cli_cache_is_name(repo) || (slash && strchr(slash + 1, '/'))) {
        cli_say("'%s' is no name of a model: OWNER/NAME or NAME", repo);
        return false;
    }
    if (slash)
        return cli_cache_path(path, "%s/models--%.*s--%s", folder, (int)(slash - repo), repo, slash + 1);
    return cli_cache_path(path, "%s/models--%s", folder, repo);
}

bool cli_cache_folders(const char *path)
{
    char folder[CLI_CACHE_PATH_MAX];
    if (!cli_cache_path(folder, "%s", path))
        return false;
    for (char *slash = strchr(folder + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        if (mkdir(folder, 0777) != 0 && errno != EEXIST)
            return cli_say_errno(folder);
        *slash = '/';
    }
    return true;
}

/* What leads from snapshots/COMMIT/NAME up to the model: "../../", and once more for each folder in NAME. */
static void way_up(const char *name, char way[CLI_CACHE_PATH_MAX])
{
    strcpy(way, "../..");
    for (const char *c = name; *c; c++) {
        if (*c == '/' && strlen(way) + 4 < CLI_CACHE_PATH_MAX / 2)
            strcat(way, "/..");
    }
}

bool cli_cache_link(const char *model, const char *commit, const char *name, const char *etag)
{
    char path[CLI_CACHE_PATH_MAX], fresh[CLI_CACHE_PATH_MAX], up[CLI_CACHE_PATH_MAX], target[CLI_CACHE_PATH_MAX];
    way_up(name, up);
    if (!cli_cache_path(path, "%s/snapshots/%s/%s", model, commit, name) ||
        !cli_cache_path(fresh, "%s/snapshots/%s/%s.%ld.new", model, commit, name, (long)getpid()) ||
        !cli_cache_path(target, "%s/blobs/%s", up, etag) || !cli_cache_folders(path))
        return false;
    unlink(fresh);
    if (symlink(target, fresh) != 0)
        return cli_say_errno(fresh);
    return rename(fresh, path) == 0 || cli_say_errno(path);
}

bool cli_cache_refer(const char *model, const char *revision, const char *commit)
{
    char path[CLI_CACHE_PATH_MAX], fresh[CLI_CACHE_PATH_MAX];
    if (!cli_cache_path(path, "%s/refs/%s", model, revision) ||
        !cli_cache_path(fresh, "%s/refs/%s.%ld.new", model, revision, (long)getpid()) || !cli_cache_folders(path))
        return false;
    FILE *file = fopen(fresh, "we");
    bool good = file && fputs(commit, file) >= 0;
    if (file)
        good = fclose(file) == 0 && good;
    return (good || cli_say_errno(fresh)) && (rename(fresh, path) == 0 || cli_say_errno(path));
}
