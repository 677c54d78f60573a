#include "server/rpc/memory.h"

#include <protobuf-c/protobuf-c.h>
#include <stdalign.h>
#include <stdint.h>

#include "server/rpc/codec.h"

/* What stands before everything that is allocated for a message: so a string's length is known though it holds NUL. */
struct head {
    alignas(max_align_t) size_t size;
};

void *rpc_memory_alloc(void *cookie, size_t size)
{
    struct rpc_memory *memory = cookie;
    struct head *head = size < SIZE_MAX - sizeof *head ? arena_alloc(memory->arena, sizeof *head + size) : NULL;
    if (!head) {
        memory->exhausted = true;
        return NULL;
    }
    head->size = size;
    return head + 1;
}

size_t rpc_text_len(const char *text)
{
    if (!text || text == protobuf_c_empty_string)
        return 0;
    return ((const struct head *)(const void *)text)[-1].size - 1;
}
