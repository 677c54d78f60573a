/* Texts out of a stream: lines, JSONL, or a column of CSV. Memory does not grow with the stream. */
#ifndef CLIENTS_CLI_READER_H
#define CLIENTS_CLI_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The longest record that is read, in bytes. */
#define CLI_RECORD_MAX ((size_t)64 << 20)

enum cli_form { CLI_FORM_AUTO = 0, CLI_FORM_LINES = 1, CLI_FORM_JSONL = 2, CLI_FORM_CSV = 3 };

struct cli_reader_settings {
    const char *path;             /**< "-": standard input */
    const char *const *arguments; /**< [n_arguments] the texts themselves; NULL: they come from `path` */
    size_t n_arguments;
    enum cli_form form; /**< auto: by the path's ending, else lines */
    const char *field;  /**< of JSONL */
    const char *column; /**< of CSV: a name of the first line, or a number from 1 where there is no such name */
    char separator;     /**< of CSV */
    bool no_header;     /**< of CSV: the first line is a record, and `column` a number */
};

/** Where a reader stands: behind a whole record. */
struct cli_position {
    uint64_t offset;  /**< bytes of the stream */
    uint64_t hash;    /**< FNV-1a of these bytes */
    uint64_t records; /**< records read, empty ones too */
};

struct cli_reader;

/** Open a stream.
 *  Returns  NULL, having said why: it cannot be opened, or its first line is not what CSV needs */
struct cli_reader *cli_reader_open(const struct cli_reader_settings *settings);

/** The next record's text.
 *  ret_text  UTF-8, borrowed until the next call
 *  Returns   1: there is one; 0: the stream has ended; -1: it is wrong, which was said */
int cli_reader_next(struct cli_reader *reader, const char **ret_text, size_t *ret_length);

/** Whether the next record can be read without a long wait. */
bool cli_reader_ready(const struct cli_reader *reader);

/** Where it stands. */
struct cli_position cli_reader_position(const struct cli_reader *reader);

/** Go to a position of an earlier reader of the same stream. What is before it is read again, and must be the same.
 *  Returns  false, having said why, where it is not */
bool cli_reader_resume(struct cli_reader *reader, const struct cli_position *position);

/** Bytes of the whole stream; 0: not known. */
uint64_t cli_reader_size(const struct cli_reader *reader);

/** NULL is fine. */
void cli_reader_close(struct cli_reader *reader);

#endif
