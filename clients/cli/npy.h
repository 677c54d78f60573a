/* Files .npy of NumPy (format 1.0): a matrix of little-endian binary32, row by row. */
#ifndef CLIENTS_CLI_NPY_H
#define CLIENTS_CLI_NPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Bytes of the head that is written here, as numpy.save makes it. */
#define CLI_NPY_HEAD 128

/** A matrix in memory, mapped from its file. */
struct cli_matrix {
    uint64_t rows;
    uint64_t width;
    const float *values; /**< [rows][width] */
    void *map;
    size_t map_size;
};

/** The head of a matrix, [rows][width]. */
void cli_npy_head(char head[CLI_NPY_HEAD], uint64_t rows, uint64_t width);

/** Map a file. Returns false, having said why: it cannot be read, or is another kind of matrix. */
bool cli_npy_open(const char *path, struct cli_matrix *ret);

/** Unmap it. */
void cli_npy_close(struct cli_matrix *matrix);

#endif
