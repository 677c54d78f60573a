#include "clients/c/memory.h"

#include <stdlib.h>
#include <string.h>

#include "clients/c/bertd.h"

enum { ALIGN = 16, FIRST_SIZE = 256 };

/* Before each block: how it is freed when its client is gone. */
struct head {
    _Alignas(ALIGN) struct bertd_memory memory;
};

static void *allocate(void *cookie, size_t size)
{
    (void)cookie;
    return malloc(size);
}

static void *reallocate(void *cookie, void *memory, size_t size)
{
    (void)cookie;
    return realloc(memory, size);
}

static void release(void *cookie, void *memory)
{
    (void)cookie;
    free(memory);
}

struct bertd_memory bertd_memory_default(void)
{
    return (struct bertd_memory){.allocate = allocate, .reallocate = reallocate, .release = release};
}

void *bertd_memory_new(const struct bertd_memory *memory, size_t count, size_t size)
{
    size_t bytes = 0;
    if (__builtin_mul_overflow(count, size, &bytes))
        return NULL;
    void *made = memory->allocate(memory->cookie, bytes ? bytes : 1);
    return made ? memset(made, 0, bytes) : NULL;
}

char *bertd_memory_copy(const struct bertd_memory *memory, const char *text)
{
    size_t size = strlen(text) + 1;
    char *made = memory->allocate(memory->cookie, size);
    return made ? memcpy(made, text, size) : NULL;
}

void bertd_memory_free(const struct bertd_memory *memory, void *ptr)
{
    if (ptr)
        memory->release(memory->cookie, ptr);
}

bool bertd_memory_add(size_t *sum, size_t count, size_t size)
{
    size_t bytes = 0, total = 0;
    if (__builtin_mul_overflow(count, size, &bytes) || __builtin_add_overflow(bytes, (size_t)ALIGN - 1, &bytes) ||
        __builtin_add_overflow(*sum, bytes & ~((size_t)ALIGN - 1), &total))
        return false;
    *sum = total;
    return true;
}

void *bertd_memory_block(const struct bertd_memory *memory, size_t size)
{
    if (size > SIZE_MAX - sizeof(struct head))
        return NULL;
    struct head *head = memory->allocate(memory->cookie, sizeof *head + size);
    if (!head)
        return NULL;
    head->memory = *memory;
    return memset(head + 1, 0, size);
}

void bertd_free(void *result)
{
    if (!result)
        return;
    struct head *head = (struct head *)result - 1;
    struct bertd_memory memory = head->memory;
    memory.release(memory.cookie, head);
}

void *bertd_bytes_add(struct bertd_bytes *bytes, size_t len)
{
    size_t need = bytes->len + len;
    if (bytes->failed || need < len || need > SIZE_MAX / 2) {
        bytes->failed = true;
        return NULL;
    }
    if (need > bytes->size || !bytes->data) {
        size_t size = bytes->size ? bytes->size : FIRST_SIZE;
        while (size < need)
            size *= 2;
        char *data = bytes->memory->reallocate(bytes->memory->cookie, bytes->data, size);
        if (!data) {
            bytes->failed = true;
            return NULL;
        }
        bytes->data = data;
        bytes->size = size;
    }
    bytes->len = need;
    return bytes->data + need - len;
}

void bertd_bytes_append(struct bertd_bytes *bytes, const void *data, size_t len)
{
    void *to = bertd_bytes_add(bytes, len);
    if (to && len > 0)
        memcpy(to, data, len);
}

void bertd_bytes_puts(struct bertd_bytes *bytes, const char *text)
{
    bertd_bytes_append(bytes, text, strlen(text));
}

void bertd_bytes_clear(struct bertd_bytes *bytes)
{
    bytes->len = 0;
    bytes->failed = false;
}

void bertd_bytes_finish(struct bertd_bytes *bytes)
{
    bertd_memory_free(bytes->memory, bytes->data);
    *bytes = (struct bertd_bytes){.memory = bytes->memory};
}
