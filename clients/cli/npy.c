#include "clients/cli/npy.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clients/cli/terminal.h"

#define MAGIC "\x93NUMPY\x01\x00"
#define LEAD  ((size_t)10) /* magic, version, and two bytes with the length of the rest of the head */

void cli_npy_head(char head[CLI_NPY_HEAD], uint64_t rows, uint64_t width)
{
    memset(head, ' ', CLI_NPY_HEAD);
    memcpy(head, MAGIC, 8);
    head[8] = (char)(CLI_NPY_HEAD - LEAD);
    head[9] = 0;
    int n =
        snprintf(head + LEAD, CLI_NPY_HEAD - LEAD, "{'descr': '<f4', 'fortran_order': False, 'shape': (%llu, %llu), }",
                 (unsigned long long)rows, (unsigned long long)width);
    head[LEAD + (size_t)n] = ' ';
    head[CLI_NPY_HEAD - 1] = '\n';
}

/* What stands behind 'key': in the head. */
static const char *value_of(const char *head, const char *key)
{
    const char *at = strstr(head, key);
    return at ? at + strlen(key) + strspn(at + strlen(key), ": ") : "";
}

/* Read the head at the file's begin. NULL: all is well; else what is wrong. */
static const char *read_head(const unsigned char *bytes, size_t size, struct cli_matrix *matrix)
{
    char head[1024];
    if (size < LEAD || memcmp(bytes, MAGIC, 6) != 0)
        return "is no .npy file";
    if (bytes[6] != 1)
        return "has a version of .npy that is not 1";
    size_t length = bytes[8] | (size_t)bytes[9] << 8;
    if (length >= sizeof head || size < LEAD + length)
        return "ends within its head";
    memcpy(head, bytes + LEAD, length);
    head[length] = 0;
    if (strncmp(value_of(head, "'descr'"), "'<f4'", 5) != 0)
        return "does not have values of binary32 ('<f4')";
    if (strncmp(value_of(head, "'fortran_order'"), "False", 5) != 0)
        return "is stored column by column";
    unsigned long long rows, width;
    if (sscanf(value_of(head, "'shape'"), "(%llu, %llu)", &rows, &width) != 2)
        return "is no matrix of two dimensions";
    size_t rest = size - LEAD - length, values = rest / sizeof(float);
    if (rest % sizeof(float) != 0 || (width == 0 ? rows != 0 : rows != values / width || values % width != 0))
        return "has another length than its head says";
    if ((LEAD + length) % sizeof(float) != 0)
        return "has values that are not aligned";
    matrix->rows = rows;
    matrix->width = width;
    matrix->values = (const float *)(const void *)(bytes + LEAD + length);
    return NULL;
}

bool cli_npy_open(const char *path, struct cli_matrix *ret)
{
    struct cli_matrix matrix = {0};
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool good = fd >= 0 && fstat(fd, &status) == 0;
    if (good && status.st_size > 0) {
        matrix.map_size = (size_t)status.st_size;
        matrix.map = mmap(NULL, matrix.map_size, PROT_READ, MAP_SHARED, fd, 0);
        good = matrix.map != MAP_FAILED;
    }
    if (!good)
        cli_say_errno(path);
    if (fd >= 0)
        close(fd);
    if (!good)
        return false;
    const char *wrong = read_head(matrix.map, matrix.map_size, &matrix);
    if (wrong) {
        cli_say("%s %s", path, wrong);
        cli_npy_close(&matrix);
        return false;
    }
    *ret = matrix;
    return true;
}

void cli_npy_close(struct cli_matrix *matrix)
{
    if (matrix->map)
        munmap(matrix->map, matrix->map_size);
    matrix->map = NULL;
}
