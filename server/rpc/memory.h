/* The memory of decoded messages. Private to the room. */
#ifndef BERTD_RPC_MEMORY_H
#define BERTD_RPC_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

struct rpc_memory {
    struct arena *arena;
    bool exhausted; /* an allocation failed */
};

/** As ProtobufCAllocator has it; `memory` is a struct rpc_memory. Strings, NUL included, must have their own. */
void *rpc_memory_alloc(void *memory, size_t size);

#endif
