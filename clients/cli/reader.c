#include "clients/cli/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clients/cli/records.h"
#include "clients/cli/stop.h"
#include "clients/cli/terminal.h"

#define FIRST_BYTES ((size_t)1 << 18)

struct cli_reader {
    int fd;
    struct cli_reader_settings settings;
    char *bytes; /* [room] */
    size_t room;
    size_t begin; /* of what was not given out yet */
    size_t end;
    bool ended;
    bool is_file;
    struct cli_position position;
    size_t column; /* of CSV, from 0 */
    json_t *value; /* the record of JSONL whose text was given out */
};

/* Bytes --------------------------------------------------------------------------------------------------------- */

static uint64_t hash_more(uint64_t hash, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * 1099511628211u;
    return hash;
}

static const char *name_of(const struct cli_reader *reader)
{
    return strcmp(reader->settings.path, "-") == 0 ? "standard input" : reader->settings.path;
}

/* Read more behind `end`. False, having said why. */
static bool fill(struct cli_reader *reader)
{
    if (reader->begin > 0) {
        memmove(reader->bytes, reader->bytes + reader->begin, reader->end - reader->begin);
        reader->end -= reader->begin;
        reader->begin = 0;
    }
    if (reader->end == reader->room) {
        char *more = reader->room < CLI_RECORD_MAX ? realloc(reader->bytes, reader->room * 2) : NULL;
        if (!more) {
            cli_say("%s: record %llu is longer than %zu bytes", name_of(reader),
                    (unsigned long long)reader->position.records, reader->room);
            return false;
        }
        reader->bytes = more;
        reader->room *= 2;
    }
    ssize_t n;
    do
        n = read(reader->fd, reader->bytes + reader->end, reader->room - reader->end);
    while (n < 0 && errno == EINTR && !cli_stopped());
    if (n < 0) {
        if (errno != EINTR)
            cli_say_errno(name_of(reader));
        return false;
    }
    reader->ended = n == 0;
    reader->end += (size_t)n;
    return true;
}

/* Give out the first n bytes: they are behind the position then. */
static void pass(struct cli_reader *reader, size_t n)
{
    reader->position.hash = hash_more(reader->position.hash, reader->bytes + reader->begin, n);
    reader->position.offset += n;
    reader->begin += n;
}

/* Find the whole record at `begin`: its bytes with the end of the line. 1, 0: the end, -1: wrong. */
static int find_record(struct cli_reader *reader, size_t *ret_length)
{
    struct cli_scan scan = {0};
    char separator = reader->settings.form == CLI_FORM_CSV ? reader->settings.separator : 0;
    for (;;) {
        size_t n = reader->end - reader->begin;
        if (cli_records_end(&scan, reader->bytes + reader->begin, n, separator)) {
            *ret_length = scan.at;
            return 1;
        }
        if (reader->ended) {
            if (scan.quoted) {
                cli_say("%s: record %llu has a quote that does not end", name_of(reader),
                        (unsigned long long)reader->position.records);
                return -1;
            }
            *ret_length = n;
            return n > 0;
        }
        if (!fill(reader))
            return -1;
    }
}

/* Opening ------------------------------------------------------------------------------------------------------- */

static enum cli_form form_of(const char *path)
{
    const char *dot = strrchr(path, '.');
    if (dot && (strcmp(dot, ".jsonl") == 0 || strcmp(dot, ".ndjson") == 0))
        return CLI_FORM_JSONL;
    return dot && strcmp(dot, ".csv") == 0 ? CLI_FORM_CSV : CLI_FORM_LINES;
}

/* Find the column by the first line, which is passed, or by its number. False, having said why. */
static bool find_column(struct cli_reader *reader)
{
    const char *column = reader->settings.column;
    if (!reader->settings.no_header) {
        size_t length;
        int found = find_record(reader, &length);
        if (found < 0)
            return false;
        int at =
            found ? cli_records_column(reader->bytes + reader->begin, length, reader->settings.separator, column) : -1;
        if (found)
            pass(reader, length);
        if (at >= 0) {
            reader->column = (size_t)at;
            return true;
        }
    }
    char *end;
    long number = column ? strtol(column, &end, 10) : 1;
    if (column && (*column == 0 || *end != 0 || number < 1 || number > 100000)) {
        cli_say("%s: there is no column '%s'", name_of(reader), column);
        return false;
    }
    reader->column = (size_t)number - 1;
    return true;
}

struct cli_reader *cli_reader_open(const struct cli_reader_settings *settings)
{
    struct cli_reader *reader = calloc(1, sizeof *reader);
    if (!reader || !(reader->bytes = malloc(FIRST_BYTES))) {
        free(reader);
        cli_say("no memory");
        return NULL;
    }
    reader->room = FIRST_BYTES;
    reader->fd = -1;
    reader->settings = *settings;
    reader->position.hash = 14695981039346656037u;
    if (settings->form == CLI_FORM_AUTO)
        reader->settings.form = form_of(settings->path);
    if (settings->arguments)
        return reader;
    bool standard = strcmp(settings->path, "-") == 0;
    reader->fd = standard ? STDIN_FILENO : open(settings->path, O_RDONLY | O_CLOEXEC);
    if (reader->fd < 0) {
        cli_say_errno(settings->path);
        cli_reader_close(reader);
        return NULL;
    }
    struct stat status;
    reader->is_file = fstat(reader->fd, &status) == 0 && S_ISREG(status.st_mode);
    if (reader->settings.form == CLI_FORM_CSV && !find_column(reader)) {
        cli_reader_close(reader);
        return NULL;
    }
    return reader;
}

void cli_reader_close(struct cli_reader *reader)
{
    if (!reader)
        return;
    if (reader->fd > STDIN_FILENO)
        close(reader->fd);
    json_decref(reader->value);
    free(reader->bytes);
    free(reader);
}

/* Reading ------------------------------------------------------------------------------------------------------- */

/* The text of a line of JSON: the line itself, or its field. */
static int read_json(struct cli_reader *reader, char *line, size_t length, const char **ret_text, size_t *ret_length)
{
    json_error_t error;
    json_decref(reader->value);
    reader->value = json_loadb(line, length, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (!reader->value) {
        cli_say("%s: record %llu is not JSON: %s", name_of(reader), (unsigned long long)reader->position.records,
                error.text);
        return -1;
    }
    json_t *text =
        json_is_object(reader->value) ? json_object_get(reader->value, reader->settings.field) : reader->value;
    if (!json_is_string(text)) {
        cli_say("%s: record %llu has no text '%s'", name_of(reader), (unsigned long long)reader->position.records,
                reader->settings.field);
        return -1;
    }
    *ret_text = json_string_value(text);
    *ret_length = json_string_length(text);
    return 1;
}

/* The next line without its end. Forms with fields have no empty records: such lines are passed by. */
static int next_line(struct cli_reader *reader, char **ret_line, size_t *ret_length)
{
    size_t length;
    int found;
    do {
        found = find_record(reader, &length);
        if (found <= 0)
            return found;
        *ret_line = reader->bytes + reader->begin;
        pass(reader, length);
        if (length > 0 && (*ret_line)[length - 1] == '\n')
            length--;
        if (length > 0 && (*ret_line)[length - 1] == '\r')
            length--;
    } while (length == 0 && reader->settings.form != CLI_FORM_LINES);
    *ret_length = length;
    return 1;
}

int cli_reader_next(struct cli_reader *reader, const char **ret_text, size_t *ret_length)
{
    if (reader->settings.arguments) {
        if (reader->position.records == reader->settings.n_arguments)
            return 0;
        *ret_text = reader->settings.arguments[reader->position.records++];
        *ret_length = strlen(*ret_text);
        return 1;
    }
    char *line;
    size_t length;
    int result = next_line(reader, &line, &length);
    if (result <= 0)
        return result;
    if (reader->settings.form == CLI_FORM_JSONL) {
        result = read_json(reader, line, length, ret_text, ret_length);
    } else if (reader->settings.form == CLI_FORM_LINES) {
        *ret_text = line;
        *ret_length = length;
    } else if (!cli_records_field(line, length, reader->settings.separator, reader->column, ret_text, ret_length)) {
        cli_say("%s: record %llu has no column %zu", name_of(reader), (unsigned long long)reader->position.records,
                reader->column + 1);
        result = -1;
    }
    reader->position.records++;
    return result;
}

bool cli_reader_ready(const struct cli_reader *reader)
{
    if (reader->settings.arguments || reader->is_file || reader->ended ||
        memchr(reader->bytes + reader->begin, '\n', reader->end - reader->begin))
        return true;
    struct pollfd input = {.fd = reader->fd, .events = POLLIN};
    return poll(&input, 1, 0) > 0;
}

struct cli_position cli_reader_position(const struct cli_reader *reader)
{
    return reader->position;
}

bool cli_reader_resume(struct cli_reader *reader, const struct cli_position *position)
{
    while (reader->position.offset < position->offset) {
        uint64_t rest = position->offset - reader->position.offset;
        size_t n = reader->end - reader->begin;
        pass(reader, n < rest ? n : (size_t)rest);
        if (reader->position.offset == position->offset)
            break;
        if (reader->ended || cli_stopped() || !fill(reader))
            break;
    }
    if (reader->position.offset != position->offset || reader->position.hash != position->hash) {
        if (!cli_stopped())
            cli_say("%s is not what the job began with: --force begins anew", name_of(reader));
        return false;
    }
    reader->position.records = position->records;
    return true;
}

uint64_t cli_reader_size(const struct cli_reader *reader)
{
    struct stat status;
    return reader->is_file && fstat(reader->fd, &status) == 0 ? (uint64_t)status.st_size : 0;
}
