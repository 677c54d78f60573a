#include "clients/cli/job.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "clients/cli/terminal.h"

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

/* New names in the folder are on the disk when the folder is. */
static bool sync_folder(const char *path)
{
    char folder[CLI_PATH_MAX] = ".";
    const char *slash = strrchr(path, '/');
    if (slash)
        snprintf(folder, sizeof folder, "%.*s", (int)(slash == path ? 1 : slash - path), path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return cli_say_errno(folder);
    bool good = fsync(fd) == 0 || errno == EINVAL; /* file systems that do not know it */
    if (!good)
        cli_say_errno(folder);
    close(fd);
    return good;
}

/* State --------------------------------------------------------------------------------------------------------- */

bool cli_job_save(const struct cli_job *job, const struct cli_state *state)
{
    char hash[32], fresh[CLI_PATH_MAX + 8];
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)state->input.hash);
    snprintf(fresh, sizeof fresh, "%s.new", job->state);
    json_t *root =
        json_pack("{s:i, s:s, s:I, s:s, s:I, s:I, s:I, s:I, s:b}", "bertctl_job", 1, "job", job->identity, "offset",
                  (json_int_t)state->input.offset, "hash", hash, "records", (json_int_t)state->input.records, "rows",
                  (json_int_t)state->output.rows, "bytes", (json_int_t)state->output.bytes, "width",
                  (json_int_t)state->output.width, "done", (int)state->done);
    FILE *file = root ? fopen(fresh, "we") : NULL;
    bool good = file && json_dumpf(root, file, JSON_INDENT(1)) == 0 && fputc('\n', file) != EOF && fflush(file) == 0 &&
                fsync(fileno(file)) == 0;
    if (!good)
        cli_say_errno(fresh);
    if (file)
        good &= fclose(file) == 0;
    json_decref(root);
    if (good && rename(fresh, job->state) != 0)
        good = cli_say_errno(job->state);
    return good && sync_folder(job->state);
}

/* 1: read; 0: there is none; -1: it is another job's or none at all, which was said. */
static int load(const struct cli_job *job, struct cli_state *ret)
{
    if (!is_there(job->state))
        return 0;
    json_t *root = json_load_file(job->state, 0, NULL);
    const char *identity = NULL, *hash = NULL;
    json_int_t offset, records, rows, bytes, width;
    int version, done;
    bool read = root && json_unpack(root, "{s:i, s:s, s:I, s:s, s:I, s:I, s:I, s:I, s:b}", "bertctl_job", &version,
                                    "job", &identity, "offset", &offset, "hash", &hash, "records", &records, "rows",
                                    &rows, "bytes", &bytes, "width", &width, "done", &done) == 0;
    bool good = read && version == 1 && offset >= 0 && records >= 0 && rows >= 0 && bytes >= 0 && width >= 0;
    if (good) {
        *ret = (struct cli_state){.input = {(uint64_t)offset, strtoull(hash, NULL, 16), (uint64_t)records},
                                  .output = {(uint64_t)rows, (uint64_t)bytes, (uint64_t)width},
                                  .done = done};
    } else {
        cli_say("%s cannot be read: --force begins anew", job->state);
    }
    if (good && strcmp(identity, job->identity) != 0) {
        cli_say("%s is of a job with other options or another model: --force begins anew", job->state);
        cli_say("  then: %s", identity);
        cli_say("  now:  %s", job->identity);
        good = false;
    }
    json_decref(root);
    return good ? 1 : -1;
}

/* Begin and end ------------------------------------------------------------------------------------------------- */

static enum cli_job_begin lock(struct cli_job *job, enum cli_job_begin begin)
{
    job->lock = open(job->part, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (job->lock < 0) {
        cli_say_errno(job->part);
        return CLI_JOB_WRONG;
    }
    if (flock(job->lock, LOCK_EX | LOCK_NB) != 0) {
        cli_say("%s is being written by another bertctl", job->part);
        cli_job_leave(job);
        return CLI_JOB_WRONG;
    }
    return begin;
}

enum cli_job_begin cli_job_open(struct cli_job *job, bool resume, bool force, struct cli_state *ret_state)
{
    job->lock = -1;
    if (snprintf(job->part, sizeof job->part, "%s.part", job->output) >= (int)sizeof job->part - 8 ||
        snprintf(job->state, sizeof job->state, "%s.bertctl", job->output) >= (int)sizeof job->state - 8) {
        cli_say("the name of the output is too long");
        return CLI_JOB_WRONG;
    }
    bool unfinished = is_there(job->state);
    if (force) {
        enum cli_job_begin begin = lock(job, CLI_JOB_NEW);
        if (begin == CLI_JOB_NEW && unfinished && unlink(job->state) != 0)
            cli_say_errno(job->state);
        return begin;
    }
    if (unfinished && !resume) {
        cli_say("%s was interrupted: --resume goes on with it, --force begins anew", job->output);
        return CLI_JOB_WRONG;
    }
    if (!unfinished && is_there(job->output)) {
        if (!resume)
            cli_say("%s is there already: --force replaces it", job->output);
        return resume ? CLI_JOB_WHOLE : CLI_JOB_WRONG;
    }
    int found = load(job, ret_state);
    if (found == 0)
        return lock(job, CLI_JOB_NEW);
    if (found > 0 && ret_state->done && !is_there(job->part) && is_there(job->output))
        return unlink(job->state) == 0 ? CLI_JOB_WHOLE : (cli_say_errno(job->state), CLI_JOB_WRONG);
    if (found > 0 && !is_there(job->part)) {
        cli_say("%s is gone: --force begins anew", job->part);
        found = -1;
    }
    return found > 0 ? lock(job, CLI_JOB_RESUMED) : CLI_JOB_WRONG;
}

bool cli_job_finish(struct cli_job *job)
{
    bool good = rename(job->part, job->output) == 0 || cli_say_errno(job->output);
    good = good && sync_folder(job->output) && (unlink(job->state) == 0 || cli_say_errno(job->state));
    cli_job_leave(job);
    return good;
}

void cli_job_leave(struct cli_job *job)
{
    if (job->lock >= 0)
        close(job->lock);
    job->lock = -1;
}
