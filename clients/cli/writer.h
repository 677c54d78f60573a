/* Vectors into a file: .npy, .fvecs or JSONL. */
#ifndef CLIENTS_CLI_WRITER_H
#define CLIENTS_CLI_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cli_file_format { CLI_FILE_AUTO = 0, CLI_FILE_NPY = 1, CLI_FILE_JSONL = 2, CLI_FILE_FVECS = 3 };

/** How much is in a file. */
struct cli_written {
    uint64_t rows;
    uint64_t bytes;
    uint64_t width; /**< values of a vector; 0: none was written */
};

struct cli_writer;

/** The format that a path's ending names; JSONL for "-"; auto where it names none. */
enum cli_file_format cli_writer_format(const char *path);

/** Open a file for writing.
 *  path     "-": standard output
 *  from     what is in it already, and stays: the file is cut there. NULL: a new one
 *  Returns  NULL, having said why */
struct cli_writer *cli_writer_open(const char *path, enum cli_file_format format, const struct cli_written *from);

/** Put a vector behind the others.
 *  record   the number of its text in the input; for JSONL
 *  vector   [width]
 *  Returns  false, having said why: it cannot be written, or has another width than those before */
bool cli_writer_put(struct cli_writer *writer, uint64_t record, const float *vector, size_t width);

/** Have what was put on the disk. Returns false, having said why. */
bool cli_writer_sync(struct cli_writer *writer);

/** How much was put. */
struct cli_written cli_writer_written(const struct cli_writer *writer);

/** Write what the file's begin says about the whole, and have all on the disk. Returns false, having said why. */
bool cli_writer_end(struct cli_writer *writer);

/** NULL is fine. */
void cli_writer_close(struct cli_writer *writer);

#endif
