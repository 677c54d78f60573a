#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"

enum { FIRST_BLOCK = 8192, MAX_BLOCK = 1 << 20 };

struct block {
    struct block *next;
    size_t size;
    size_t used;
    unsigned char *bytes;
};

struct arena {
    struct block *blocks; /* newest first */
    size_t limit;
    size_t used;
    size_t next_size;
};

struct arena *arena_create(size_t limit)
{
    struct arena *arena = mem_calloc(1, sizeof *arena);
    if (!arena)
        return NULL;
    arena->limit = limit;
    arena->next_size = FIRST_BLOCK;
    return arena;
}

void arena_destroy(struct arena **arena)
{
    if (!*arena)
        return;
    struct block *block = (*arena)->blocks;
    while (block) {
        struct block *next = block->next;
        mem_free(block);
        block = next;
    }
    mem_free(*arena);
    *arena = NULL;
}

static struct block *add_block(struct arena *arena, size_t at_least)
{
    size_t size = arena->next_size > at_least ? arena->next_size : at_least;
    struct block *block = mem_alloc(sizeof *block + size);
    if (!block)
        return NULL;
    *block = (struct block){.next = arena->blocks, .size = size, .bytes = (unsigned char *)(block + 1)};
    arena->blocks = block;
    if (arena->next_size < MAX_BLOCK)
        arena->next_size *= 2;
    return block;
}

static void *take(struct block *block, size_t size, size_t align)
{
    uintptr_t start = (uintptr_t)(block->bytes + block->used);
    size_t skip = (size_t)(-start & (align - 1));
    if (skip + size > block->size - block->used)
        return NULL;
    void *ptr = block->bytes + block->used + skip;
    block->used += skip + size;
    return ptr;
}

static void *alloc_aligned(struct arena *arena, size_t size, size_t align)
{
    if (size > arena->limit - arena->used)
        return NULL;
    void *ptr = arena->blocks ? take(arena->blocks, size, align) : NULL;
    if (!ptr) {
        struct block *block = add_block(arena, size + align);
        if (!block)
            return NULL;
        ptr = take(block, size, align);
    }
    arena->used += size;
    return ptr;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    return alloc_aligned(arena, size, alignof(max_align_t));
}

void *arena_alloc_array(struct arena *arena, size_t count, size_t size, size_t align)
{
    if (size && count > SIZE_MAX / size)
        return NULL;
    return alloc_aligned(arena, count * size, align);
}

char *arena_copy(struct arena *arena, const char *bytes, size_t len)
{
    char *copy = len < SIZE_MAX ? arena_alloc(arena, len + 1) : NULL;
    if (!copy)
        return NULL;
    memcpy(copy, bytes, len);
    copy[len] = '\0';
    return copy;
}

size_t arena_used(const struct arena *arena)
{
    return arena->used;
}
