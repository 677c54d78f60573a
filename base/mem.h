/* Allocation for the whole program: the C library's, with a test hook that fails the Nth call. */
#ifndef BERTD_BASE_MEM_H
#define BERTD_BASE_MEM_H

#include <stddef.h>

/** New memory, uninitialised; NULL when there is none. Caller frees with mem_free. Size 0 gives a valid pointer. */
void *mem_alloc(size_t size);
/** New zeroed memory for `count` items of `size` bytes; NULL when there is none or the product overflows. */
void *mem_calloc(size_t count, size_t size);
/** As realloc: on failure NULL, and `ptr` stays valid. */
void *mem_realloc(void *ptr, size_t size);
/** New memory aligned to `align` (a power of two, >= sizeof(void *)). Caller frees with mem_free. */
void *mem_alloc_aligned(size_t align, size_t size);
/** New memory for long reading, aligned to 64: in huge pages where it fills one and the system has them, so that few
 *  addresses wait to be translated. Caller frees with mem_free. */
void *mem_alloc_pages(size_t size);
/** New copy of `text`; caller frees with mem_free. */
char *mem_strdup(const char *text);
/** Free what any of the above gave. NULL is fine. */
void mem_free(void *ptr);

/** From now on every block of a megabyte and more has pages of its own, which the system has back once it is freed. A
 *  C library that raises that bound by what was freed keeps such blocks in the heaps of its threads, and those grow. */
void mem_return_large_blocks(void);

/** Tests only: let `n` more allocations succeed and fail the one after, once, in any thread. Negative: never fail. */
void mem_fail_after(long n);
/** Tests only: how many allocations this process has made. */
long mem_alloc_count(void);
/** Tests only: how many of them it has not freed. */
long mem_in_use(void);

#endif
