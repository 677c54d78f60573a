/* Memory by the allocator of the client, growing bytes, and the blocks that results are. */
#ifndef BERTD_CLIENT_MEMORY_H
#define BERTD_CLIENT_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Where memory comes from: as in struct bertd_options. */
struct bertd_memory {
    void *(*allocate)(void *cookie, size_t size);
    void *(*reallocate)(void *cookie, void *memory, size_t size);
    void (*release)(void *cookie, void *memory);
    void *cookie;
};

/** The C library's. Thread: any */
struct bertd_memory bertd_memory_default(void);
/** New zeroed memory for `count` items of `size` bytes; bertd_memory_free. NULL: none, or too much. Thread: any */
void *bertd_memory_new(const struct bertd_memory *memory, size_t count, size_t size);
/** New copy of a text, or NULL. Thread: any */
char *bertd_memory_copy(const struct bertd_memory *memory, const char *text);
/** Free one of the two. NULL is fine. Thread: any */
void bertd_memory_free(const struct bertd_memory *memory, void *ptr);
/** New zeroed block that bertd_free frees, or NULL. Thread: any */
void *bertd_memory_block(const struct bertd_memory *memory, size_t size);
/** *sum += count * size, rounded up to 16. False: the sum is too large. */
bool bertd_memory_add(size_t *sum, size_t count, size_t size);

/** Bytes that grow as they are written; zeroed but for `memory` they are empty. Once an append failed, all later ones
 * do nothing. */
struct bertd_bytes {
    const struct bertd_memory *memory;
    char *data;
    size_t len;
    size_t size;
    bool failed;
};

/** Room for `len` more bytes, which count as written; NULL: no memory. */
void *bertd_bytes_add(struct bertd_bytes *bytes, size_t len);
void bertd_bytes_append(struct bertd_bytes *bytes, const void *data, size_t len);
void bertd_bytes_puts(struct bertd_bytes *bytes, const char *text);
/** Empty, with its memory kept. */
void bertd_bytes_clear(struct bertd_bytes *bytes);
/** Empty, with its memory given back. */
void bertd_bytes_finish(struct bertd_bytes *bytes);

/** Bytes that are somewhere else. */
struct bertd_slice {
    const char *data;
    size_t len;
};

#endif
