/* bertctl pull: a model of a hub, into the cache that other tools read, too. */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clients/cli/cache.h"
#include "clients/cli/digest.h"
#include "clients/cli/hub.h"
#include "clients/cli/plain.h"
#include "clients/cli/progress.h"
#include "clients/cli/stop.h"
#include "clients/cli/terminal.h"

#define FILES_MAX 10000

struct settings {
    const char *revision;
    const char *endpoint;
    const char *cache_dir;
    struct cli_texts include;
    struct cli_texts exclude;
    bool all;
    bool verify;
    double retries;
    double timeout;
};

#define FIELD(name) offsetof(struct settings, name)

static const struct cli_option options[] = {
    {"revision", 'r', CLI_TEXT, "NAME", "Branch, tag or commit (main)", FIELD(revision), 0, 0},
    {"include", 'i', CLI_TEXTS, "PATTERN", "Only files like this; default: *.json, *.txt, *.safetensors",
     FIELD(include), 0, 0},
    {"exclude", 'x', CLI_TEXTS, "PATTERN", "No files like this; default: onnx/*, openvino/*", FIELD(exclude), 0, 0},
    {"all", 'a', CLI_FLAG, NULL, "All files that --exclude does not name", FIELD(all), 0, 0},
    {"verify", 0, CLI_FLAG, NULL, "Check also the files that are there already", FIELD(verify), 0, 0},
    {"endpoint", 0, CLI_TEXT, "URL", "The hub; default: $HF_ENDPOINT, else https://huggingface.co", FIELD(endpoint), 0,
     0},
    {"cache-dir", 0, CLI_NAME, "DIR", "Default: $HF_HUB_CACHE, $HF_HOME/hub, ~/.cache/huggingface/hub",
     FIELD(cache_dir), 0, 0},
    {"retries", 0, CLI_NUMBER, "N", "Further tries of a file whose bytes stop coming (5)", FIELD(retries), 0, 1000},
    {"timeout", 0, CLI_NUMBER, "SECONDS", "Without a byte, a try has failed (60)", FIELD(timeout), 1, 86400},
};

struct pull {
    const struct settings *settings;
    const struct cli_line *line;
    struct cli_hub *hub;
    const char *repo;
    const char *commit;
    char model[CLI_CACHE_PATH_MAX]; /* its folder in the cache */
    struct cli_progress progress;
    uint64_t begun; /* bytes of the file that were there */
    uint64_t size;
    uint64_t loaded; /* of all files */
    json_t *files;   /* what --json tells of them */
};

static void defaults(void *into, struct cli_line *line)
{
    (void)line;
    struct settings *settings = into;
    settings->revision = "main";
    settings->retries = 5;
    settings->timeout = 60;
}

/* Which files --------------------------------------------------------------------------------------------------- */

static bool matches(const char *name, const char *const *patterns, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (fnmatch(patterns[i], name, 0) == 0)
            return true;
    }
    return false;
}

static bool is_wanted(const struct settings *settings, const char *name)
{
    static const char *const include[] = {"*.json", "*.txt", "*.safetensors"};
    static const char *const exclude[] = {"onnx/*", "openvino/*"};
    const struct cli_texts *in = &settings->include, *out = &settings->exclude;
    if (out->n > 0 ? matches(name, out->items, out->n) : in->n == 0 && !settings->all && matches(name, exclude, 2))
        return false;
    return settings->all || (in->n > 0 ? matches(name, in->items, in->n) : matches(name, include, 3));
}

/* One file ------------------------------------------------------------------------------------------------------ */

static bool tell(void *cookie, uint64_t done)
{
    struct pull *pull = cookie;
    cli_progress_tell(&pull->progress, (double)(done - (done > pull->begun ? pull->begun : 0)), (double)done,
                      (double)pull->size);
    return !cli_stopped();
}

/* Try until all bytes are there, waiting longer and longer between. */
static int load_bytes(struct pull *pull, const char *name, int fd, uint64_t size)
{
    double wait = 0.25;
    for (double tried = 0;; tried++) {
        bool again;
        int code = cli_hub_load(pull->hub, pull->repo, pull->commit, name, fd, size, tell, pull, &again);
        if (code < 0 || !again)
            return code;
        if (tried >= pull->settings->retries) {
            cli_say("%s: the hub stops sending; what came is kept, and the next pull goes on", name);
            return code;
        }
        cli_sleep(wait);
        wait = wait < 8 ? wait * 2 : 8;
        if (cli_stopped())
            return CLI_INTERRUPTED;
    }
}

/* Load the blob and check it. A part of an earlier run that turns out wrong is loaded again as a whole, once. */
static int load_blob(struct pull *pull, const char *name, const struct cli_hub_file *file, const char *part, int fd)
{
    struct stat status;
    if (fstat(fd, &status) != 0) {
        cli_say_errno(part);
        return CLI_FILE;
    }
    bool resumed = status.st_size > 0;
    if ((uint64_t)status.st_size > file->size && ftruncate(fd, 0) == 0)
        status.st_size = 0;
    for (;;) {
        pull->begun = (uint64_t)status.st_size;
        pull->size = file->size;
        cli_progress_begin(&pull->progress, &pull->line->common, "B", (double)pull->begun);
        int code = (uint64_t)status.st_size == file->size ? -1 : load_bytes(pull, name, fd, file->size);
        cli_progress_end(&pull->progress);
        if (code >= 0)
            return code;
        int right = cli_digest_check(fd, part, file->etag);
        if (right == 1)
            return fsync(fd) == 0 ? -1 : (cli_say_errno(part), CLI_FILE);
        if (right < 0)
            return CLI_FILE;
        if (!resumed || ftruncate(fd, 0) != 0) {
            unlink(part);
            cli_say("%s: its checksum is not the one that the hub names, %s", name, file->etag);
            return CLI_DIFFERS;
        }
        resumed = false;
        status.st_size = 0;
    }
}

/* Have the blob in the cache. Returns -1 or the exit code; *ret_how is what was done. */
static int fetch_blob(struct pull *pull, const char *name, const struct cli_hub_file *file, const char **ret_how)
{
    char blob[CLI_CACHE_PATH_MAX], part[CLI_CACHE_PATH_MAX];
    struct stat status;
    if (!cli_cache_path(blob, "%s/blobs/%s", pull->model, file->etag) || !cli_cache_path(part, "%s.incomplete", blob) ||
        !cli_cache_folders(blob))
        return CLI_FILE;
    int fd = open(blob, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        bool right = fstat(fd, &status) == 0 && (uint64_t)status.st_size == file->size &&
                     (!pull->settings->verify || cli_digest_check(fd, blob, file->etag) == 1);
        close(fd);
        *ret_how = "present";
        if (right)
            return -1;
        cli_say("%s: what is in the cache is wrong; it is loaded again", name);
        unlink(blob);
    }
    fd = open(part, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) != 0 || fstat(fd, &status) != 0) {
        cli_say("%s: %s", part, errno == EWOULDBLOCK ? "another bertctl is loading it" : strerror(errno));
        if (fd >= 0)
            close(fd);
        return CLI_FILE;
    }
    *ret_how = status.st_size > 0 ? "resumed" : "loaded";
    int code = load_blob(pull, name, file, part, fd);
    if (code < 0 && rename(part, blob) != 0) {
        cli_say_errno(blob);
        code = CLI_FILE;
    }
    if (code < 0)
        pull->loaded += file->size - pull->begun;
    close(fd);
    return code;
}

static int pull_file(struct pull *pull, const char *name)
{
    struct cli_hub_file file;
    const char *how;
    if (cli_stopped())
        return CLI_INTERRUPTED;
    if (!cli_cache_is_name(name)) {
        cli_say("the hub names a file '%s', which is no name", name);
        return CLI_FAILED;
    }
    int code = cli_hub_look(pull->hub, pull->repo, pull->commit, name, &file);
    if (code < 0)
        code = fetch_blob(pull, name, &file, &how);
    if (code >= 0)
        return code;
    if (!cli_cache_link(pull->model, pull->commit, name, file.etag))
        return CLI_FILE;
    const char *check = cli_digest_word(cli_digest_kind(file.etag));
    bool checked = strcmp(how, "present") != 0 || pull->settings->verify;
    if (!pull->line->common.quiet && isatty(STDERR_FILENO))
        cli_say("%-9s %s (%.1f MB, %s)", how, name, (double)file.size / 1e6, checked ? check : "not checked again");
    json_array_append_new(pull->files, json_pack("{s:s, s:I, s:s, s:s}", "name", name, "bytes", (json_int_t)file.size,
                                                 "state", how, "checked", checked ? check : "none"));
    return -1;
}

/* All of them --------------------------------------------------------------------------------------------------- */

static int pull_files(struct pull *pull, const json_t *siblings)
{
    size_t n = json_array_size(siblings), wanted = 0;
    if (n > FILES_MAX) {
        cli_say("%s has %zu files; more than %d are not pulled", pull->repo, n, FILES_MAX);
        return CLI_FAILED;
    }
    for (size_t i = 0; i < n; i++) {
        const char *name = json_string_value(json_object_get(json_array_get(siblings, i), "rfilename"));
        if (!name || !is_wanted(pull->settings, name))
            continue;
        wanted++;
        int code = pull_file(pull, name);
        if (code >= 0)
            return code;
    }
    if (wanted > 0)
        return -1;
    cli_say("none of the %zu files of %s is wanted: see --include and --all", n, pull->repo);
    return CLI_USAGE;
}

static int finish(struct pull *pull)
{
    char path[CLI_CACHE_PATH_MAX];
    const struct settings *settings = pull->settings;
    if (strcmp(settings->revision, pull->commit) != 0 &&
        !cli_cache_refer(pull->model, settings->revision, pull->commit))
        return CLI_FILE;
    if (!cli_cache_path(path, "%s/snapshots/%s", pull->model, pull->commit))
        return CLI_FILE;
    if (pull->line->common.json) {
        json_t *root = json_pack("{s:s, s:o, s:s, s:o, s:I, s:O}", "repo", pull->repo, "revision",
                                 cli_plain_json(settings->revision), "commit", pull->commit, "path",
                                 cli_plain_json(path), "loaded_bytes", (json_int_t)pull->loaded, "files", pull->files);
        json_dumpf(root, stdout, 0);
        printf("\n");
        json_decref(root);
    } else {
        printf("%s\n", path);
    }
    return CLI_OK;
}

static int run_on(struct pull *pull)
{
    int code;
    json_t *revision = cli_hub_revision(pull->hub, pull->repo, pull->settings->revision, &code);
    if (!revision)
        return code;
    pull->commit = json_string_value(json_object_get(revision, "sha"));
    pull->files = json_array();
    if (cli_digest_kind(pull->commit) == CLI_DIGEST_NONE) {
        cli_say("the hub names the commit '%s', which is none", pull->commit);
        code = CLI_FAILED;
    } else {
        code = pull_files(pull, json_object_get(revision, "siblings"));
    }
    if (code < 0)
        code = finish(pull);
    json_decref(pull->files);
    json_decref(revision);
    return code;
}

static int run(const void *settings_, const struct cli_line *line)
{
    const struct settings *settings = settings_;
    struct pull pull = {.settings = settings, .line = line, .repo = line->arguments[0]};
    char folder[CLI_CACHE_PATH_MAX], endpoint[CLI_CACHE_PATH_MAX];
    const char *from = settings->endpoint ? settings->endpoint : getenv("HF_ENDPOINT");
    if (!cli_cache_path(endpoint, "%s", from && *from ? from : "https://huggingface.co"))
        return CLI_USAGE;
    size_t length = strlen(endpoint);
    while (length > 0 && endpoint[length - 1] == '/')
        endpoint[--length] = 0;
    if (!cli_cache_folder(settings->cache_dir, folder) || !cli_cache_model(folder, pull.repo, pull.model))
        return CLI_USAGE;
    if (!cli_cache_is_name(settings->revision)) {
        cli_say("'%s' is no revision", settings->revision);
        return CLI_USAGE;
    }
    pull.hub = cli_hub_create(endpoint, getenv("HF_TOKEN"), settings->timeout);
    if (!pull.hub)
        return CLI_FAILED;
    cli_stop_listen();
    int code = run_on(&pull);
    cli_hub_destroy(pull.hub);
    return code;
}

const struct cli_command cli_command_pull = {
    .name = "pull",
    .arguments = "[OWNER/]NAME",
    .summary = "A model of a hub into the cache that other tools share",
    .about =
        "Loads a model from a hub with the routes of Hugging Face's and prints the folder that has it, for bertd "
        "--model-id. It goes into the cache that huggingface_hub and others read (blobs, snapshots, refs): what they "
        "loaded is not loaded again. Each file that comes is checked against the checksum that the hub names (SHA-256, "
        "or git's). An interrupted file goes on where it stopped. A hub that needs a key gets $HF_TOKEN. Patterns are "
        "those of shells; * goes over slashes.",
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .settings_size = sizeof(struct settings),
    .defaults = defaults,
    .run = run,
    .least_arguments = 1,
    .most_arguments = 1,
};
