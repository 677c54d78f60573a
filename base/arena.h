/* A pool of memory that is freed at once: one a request. */
#ifndef BERTD_BASE_ARENA_H
#define BERTD_BASE_ARENA_H

#include <stddef.h>

struct arena;

/** New arena that will hand out at most `limit` bytes. NULL when there is no memory. Free with arena_destroy.
 *  Thread: one at a time. */
struct arena *arena_create(size_t limit);
/** Free the arena and all it handed out, and set the pointer to NULL. NULL is fine. */
void arena_destroy(struct arena **arena);

/** `size` bytes, aligned for any type, uninitialised; they live as long as the arena.
 *  NULL when memory or the limit is exhausted. */
void *arena_alloc(struct arena *arena, size_t size);
/** `count` * `size` bytes aligned to `align` (a power of two, at most 64); NULL also when the product overflows. */
void *arena_alloc_array(struct arena *arena, size_t count, size_t size, size_t align);
/** A copy of `len` bytes with a NUL behind. */
char *arena_copy(struct arena *arena, const char *bytes, size_t len);
/** Bytes handed out so far. */
size_t arena_used(const struct arena *arena);

#endif
