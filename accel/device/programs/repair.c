/* bertd-xrt-repair: a copy of XRT's emulation shim without an error of Debian's builds of XRT 2.13. Its alloc_void()
 * grows a buffer by realloc() and forgets the result:
 *
 *     mov  OFFSET(%rdi),%rdi    48 8b bf OFFSET
 *     call realloc              e8 ....
 *     test %rax,%rax            48 85 c0
 *     jne  END                  75 ..
 *
 * The instruction before END, which malloc()'s result goes through, is the one that is missing: mov %rax,OFFSET(%rbx)
 * or OFFSET(%rbp). So the jump has to go to it. A library without that pattern is copied as it is.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

enum { LOAD = 3, OFFSET = 4, CALL = 5, TEST = 3, JUMP = 2, STORE = 7, PATTERN = LOAD + OFFSET + CALL + TEST + JUMP };

/* The distance of the jump in `code`, where an error of this kind begins there; else NULL. */
static unsigned char *find_jump(unsigned char *code, const unsigned char *begin, const unsigned char *end)
{
    const unsigned char *offset = code + LOAD, *call = offset + OFFSET, *test = call + CALL;
    unsigned char *jump = code + PATTERN - JUMP;
    if (end - code < PATTERN || memcmp(code, "\x48\x8b\xbf", LOAD) != 0 || *call != 0xe8 ||
        memcmp(test, "\x48\x85\xc0", TEST) != 0 || *jump != 0x75)
        return NULL;
    const long distance = (signed char)jump[1];
    if (code + PATTERN - begin + distance < STORE || end - (code + PATTERN) < distance)
        return NULL;
    const unsigned char *store = code + PATTERN + distance - STORE;
    bool stores = store[0] == 0x48 && store[1] == 0x89 && (store[2] == 0x83 || store[2] == 0x85) &&
                  memcmp(store + LOAD, offset, OFFSET) == 0;
    return stores ? jump + 1 : NULL;
}

int main(int argc, char **argv)
{
    struct file_map file;
    struct error err;
    if (argc != 3) {
        bool asked = argc == 2 && strcmp(argv[1], "--help") == 0;
        fputs("usage: bertd-xrt-repair LIBRARY COPY\n\n"
              "Copies XRT's emulation shim without an error of Debian's builds of XRT 2.13, and says what it did.\n",
              asked ? stdout : stderr);
        return asked ? 0 : 2;
    }
    if (file_map(&file, argv[1], &err)) {
        fprintf(stderr, "bertd-xrt-repair: %s\n", err.message);
        return 1;
    }
    unsigned char *bytes = malloc(file.size + 1);
    FILE *copy = fopen(argv[2], "wb");
    if (!bytes || !copy) {
        perror(argv[2]);
        return 1;
    }
    memcpy(bytes, file.data, file.size);
    unsigned places = 0;
    for (size_t i = 0; i < file.size; i++) {
        unsigned char *distance = find_jump(bytes + i, bytes, bytes + file.size);
        if (!distance)
            continue;
        *distance = (unsigned char)(*distance - STORE);
        places++;
    }
    if (fwrite(bytes, 1, file.size, copy) != file.size || fclose(copy) != 0) {
        perror(argv[2]);
        return 1;
    }
    printf("%s: %u %s corrected\n", argv[1], places, places == 1 ? "place" : "places");
    free(bytes);
    file_unmap(&file);
    return 0;
}
