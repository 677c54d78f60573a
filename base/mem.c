#include "base/mem.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define LARGE_BLOCK (1 << 20)

enum { LINE = 64, HUGE_PAGE = 2 << 20 };

static atomic_long allocations;
static atomic_long fail_at = -1;
static atomic_long in_use;

static int must_fail(void)
{
    long n = atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
    return n == atomic_load_explicit(&fail_at, memory_order_relaxed);
}

void mem_fail_after(long n)
{
    atomic_store(&fail_at, n < 0 ? -1 : atomic_load(&allocations) + n);
}

long mem_alloc_count(void)
{
    return atomic_load(&allocations);
}

long mem_in_use(void)
{
    return atomic_load(&in_use);
}

static void *counted(void *ptr)
{
    if (ptr)
        atomic_fetch_add_explicit(&in_use, 1, memory_order_relaxed);
    return ptr;
}

void *mem_alloc(size_t size)
{
    return must_fail() ? NULL : counted(malloc(size ? size : 1));
}

void *mem_calloc(size_t count, size_t size)
{
    return must_fail() ? NULL : counted(calloc(count ? count : 1, size ? size : 1));
}

void *mem_realloc(void *ptr, size_t size)
{
    if (must_fail())
        return NULL;
    void *moved = realloc(ptr, size ? size : 1);
    return ptr ? moved : counted(moved);
}

void *mem_alloc_aligned(size_t align, size_t size)
{
    if (must_fail() || size > SIZE_MAX - align)
        return NULL;
    void *ptr = NULL;
    return posix_memalign(&ptr, align, size ? size : align) == 0 ? counted(ptr) : NULL;
}

void *mem_alloc_pages(size_t size)
{
    if (size < HUGE_PAGE)
        return mem_alloc_aligned(LINE, size);
    void *pages = mem_alloc_aligned(HUGE_PAGE, size);
    if (pages)
        madvise(pages, size / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE); /* only a wish */
    return pages;
}

char *mem_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = mem_alloc(size);
    return copy ? memcpy(copy, text, size) : NULL;
}

void mem_free(void *ptr)
{
    if (ptr)
        atomic_fetch_sub_explicit(&in_use, 1, memory_order_relaxed);
    free(ptr);
}

void mem_return_large_blocks(void)
{
    mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK);
    mallopt(M_TRIM_THRESHOLD, 2 * LARGE_BLOCK); /* fixed too, by the call before, at a value that suits small heaps */
}
