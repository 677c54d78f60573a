#include "clients/cli/writer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clients/cli/npy.h"
#include "clients/cli/terminal.h"

struct cli_writer {
    FILE *file;
    const char *path;
    enum cli_file_format format;
    struct cli_written written;
};

static bool failed(const struct cli_writer *writer)
{
    return cli_say_errno(strcmp(writer->path, "-") == 0 ? "standard output" : writer->path);
}

enum cli_file_format cli_writer_format(const char *path)
{
    static const char *const endings[] = {"", ".npy", ".jsonl", ".fvecs"};
    const char *dot = strrchr(path, '.');
    if (strcmp(path, "-") == 0)
        return CLI_FILE_JSONL;
    for (unsigned i = CLI_FILE_NPY; dot && i <= CLI_FILE_FVECS; i++) {
        if (strcmp(dot, endings[i]) == 0)
            return (enum cli_file_format)i;
    }
    return CLI_FILE_AUTO;
}

static bool put_bytes(struct cli_writer *writer, const void *bytes, size_t n)
{
    if (fwrite(bytes, 1, n, writer->file) != n)
        return failed(writer);
    writer->written.bytes += n;
    return true;
}

/* Cut the file behind what stays, and go there. */
static bool take_up(struct cli_writer *writer, const struct cli_written *from)
{
    struct stat status;
    if (fstat(fileno(writer->file), &status) != 0)
        return failed(writer);
    if ((uint64_t)status.st_size < from->bytes) {
        cli_say("%s is shorter than the job left it: --force begins anew", writer->path);
        return false;
    }
    if (ftruncate(fileno(writer->file), (off_t)from->bytes) != 0 ||
        fseeko(writer->file, (off_t)from->bytes, SEEK_SET) != 0)
        return failed(writer);
    writer->written = *from;
    return true;
}

struct cli_writer *cli_writer_open(const char *path, enum cli_file_format format, const struct cli_written *from)
{
    struct cli_writer *writer = calloc(1, sizeof *writer);
    if (!writer) {
        cli_say("no memory");
        return NULL;
    }
    writer->path = path;
    writer->format = format;
    writer->file = strcmp(path, "-") == 0 ? stdout : fopen(path, from ? "r+e" : "we");
    if (!writer->file) {
        failed(writer);
        cli_writer_close(writer);
        return NULL;
    }
    char head[CLI_NPY_HEAD];
    cli_npy_head(head, 0, 0);
    bool begun = from ? take_up(writer, from) : format != CLI_FILE_NPY || put_bytes(writer, head, sizeof head);
    if (!begun) {
        cli_writer_close(writer);
        return NULL;
    }
    return writer;
}

static bool put_json(struct cli_writer *writer, uint64_t record, const float *vector, size_t width)
{
    char text[64];
    int n = snprintf(text, sizeof text, "{\"index\": %llu, \"embedding\": [", (unsigned long long)record);
    bool good = put_bytes(writer, text, (size_t)n);
    for (size_t i = 0; good && i < width; i++) {
        n = snprintf(text, sizeof text, "%s%.9g", i > 0 ? ", " : "", (double)vector[i]);
        good = put_bytes(writer, text, (size_t)n);
    }
    return good && put_bytes(writer, "]}\n", 3);
}

bool cli_writer_put(struct cli_writer *writer, uint64_t record, const float *vector, size_t width)
{
    if (writer->written.rows > 0 && writer->written.width != width) {
        cli_say("the server gave vectors of %llu values, and now one of %zu", (unsigned long long)writer->written.width,
                width);
        return false;
    }
    writer->written.width = width;
    bool good;
    if (writer->format == CLI_FILE_JSONL) {
        good = put_json(writer, record, vector, width);
    } else {
        uint32_t count = (uint32_t)width;
        good = (writer->format != CLI_FILE_FVECS || put_bytes(writer, &count, sizeof count)) &&
               put_bytes(writer, vector, width * sizeof *vector);
    }
    writer->written.rows += good;
    return good;
}

bool cli_writer_sync(struct cli_writer *writer)
{
    if (fflush(writer->file) != 0)
        return failed(writer);
    if (fdatasync(fileno(writer->file)) != 0 && errno != EINVAL && errno != EROFS) /* pipes have no disk */
        return failed(writer);
    return true;
}

struct cli_written cli_writer_written(const struct cli_writer *writer)
{
    return writer->written;
}

bool cli_writer_end(struct cli_writer *writer)
{
    if (writer->format == CLI_FILE_NPY) {
        char head[CLI_NPY_HEAD];
        cli_npy_head(head, writer->written.rows, writer->written.width);
        if (fflush(writer->file) != 0 || pwrite(fileno(writer->file), head, sizeof head, 0) != (ssize_t)sizeof head)
            return failed(writer);
    }
    return cli_writer_sync(writer);
}

void cli_writer_close(struct cli_writer *writer)
{
    if (!writer)
        return;
    if (writer->file && writer->file != stdout)
        fclose(writer->file);
    free(writer);
}
