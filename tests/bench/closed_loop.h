/* What the programs that send requests in closed loops share. */
#ifndef TESTS_BENCH_CLOSED_LOOP_H
#define TESTS_BENCH_CLOSED_LOOP_H

#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/buf.h"

enum { MAX_LIST = 16, MAX_SAMPLES = 1 << 20 };

/** "1,4,16" as numbers, [MAX_LIST]. Returns how many there are. */
static inline int parse_list(const char *text, int *list)
{
    int n = 0;
    char *end = NULL;
    for (const char *at = text; n < MAX_LIST && *at; at = *end ? end + 1 : end)
        list[n++] = (int)strtol(at, &end, 10);
    return n;
}

static inline uint32_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 32);
}

/** Append a text of so many words. */
static inline void write_text(struct buf *out, int words, uint64_t seed)
{
    static const char *const some[] = {"embedding", "river", "a",    "quick",  "server", "of",
                                       "board",     "and",   "text", "vector", "the",    "light"};
    for (int w = 0; w < words; w++)
        buf_printf(out, "%s%s", w ? " " : "", some[next_random(&seed) % 12]);
}

/** For qsort of uint32_t. */
static inline int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/** Processor time of this process. */
static inline double cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

#endif
