#include "server/rpc/coding.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#include "base/mem.h"

enum { GZIP = 16, WINDOW = 15, MEMORY_LEVEL = 8, PIECE = 16 << 10 };

bool rpc_coding_read(const char *name, enum rpc_coding *ret)
{
    if (!name || !*name || strcasecmp(name, "identity") == 0)
        *ret = RPC_IDENTITY;
    else if (strcasecmp(name, "gzip") == 0)
        *ret = RPC_GZIP;
    else
        return false;
    return true;
}

/* What follows a name in the list: its weight, if any, is not zero. */
static bool is_wanted(const char *parameters, size_t len)
{
    const char *q = memchr(parameters, '=', len);
    return !q || strtod(q + 1, NULL) > 0;
}

bool rpc_coding_takes_gzip(const char *list)
{
    while (list && *list) {
        list += strspn(list, ", \t");
        size_t len = strcspn(list, ",");
        size_t name_len = strcspn(list, ",; \t");
        if (name_len == 4 && strncasecmp(list, "gzip", 4) == 0)
            return is_wanted(list + 4, len - 4);
        list += len;
    }
    return false;
}

static void *allocate(void *opaque, unsigned n, unsigned size)
{
    (void)opaque;
    return mem_calloc(n, size);
}

static void release(void *opaque, void *ptr)
{
    (void)opaque;
    mem_free(ptr);
}

/* Append pieces until the input ends: Z_STREAM_END where it was whole. */
static int inflate_all(z_stream *z, struct buf *out, uint64_t limit)
{
    size_t start = out->len;
    for (;;) {
        uint64_t left = limit - (out->len - start) + 1; /* one more tells that it is too large */
        unsigned room = left < PIECE ? (unsigned)left : PIECE;
        char *to = buf_reserve(out, room);
        if (!to)
            return Z_MEM_ERROR;
        z->next_out = (unsigned char *)to;
        z->avail_out = room;
        int result = inflate(z, Z_NO_FLUSH);
        out->len += room - z->avail_out;
        if (out->len - start > limit)
            return Z_BUF_ERROR;
        if (result != Z_OK)
            return result == Z_BUF_ERROR ? Z_DATA_ERROR : result;
    }
}

enum status rpc_gunzip(struct buf *out, const char *bytes, size_t len, uint64_t limit, struct error *err)
{
    z_stream z = {.zalloc = allocate, .zfree = release, .next_in = (unsigned char *)(uintptr_t)bytes};
    if (len > UINT_MAX)
        return error_set(err, STATUS_TOO_LARGE, "the compressed message has %zu bytes", len);
    z.avail_in = (unsigned)len;
    if (inflateInit2(&z, GZIP + WINDOW) != Z_OK)
        return error_set(err, STATUS_NO_MEMORY, "no memory to decompress the message");
    int result = inflate_all(&z, out, limit);
    bool rest = z.avail_in > 0;
    inflateEnd(&z);
    if (result == Z_STREAM_END && !rest)
        return STATUS_OK;
    if (result == Z_BUF_ERROR)
        return error_set(err, STATUS_TOO_LARGE, "the message has more than %llu bytes when decompressed, the limit",
                         (unsigned long long)limit);
    if (result == Z_MEM_ERROR)
        return error_set(err, STATUS_NO_MEMORY, "no memory to decompress the message");
    return error_set(err, STATUS_MALFORMED, "the message is not whole and valid gzip");
}

void rpc_gzip(struct buf *out, const char *bytes, size_t len)
{
    z_stream z = {.zalloc = allocate, .zfree = release, .next_in = (unsigned char *)(uintptr_t)bytes};
    if (len > UINT_MAX / 2 ||
        deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, GZIP + WINDOW, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK) {
        out->failed = true;
        return;
    }
    z.avail_in = (unsigned)len;
    unsigned room = (unsigned)deflateBound(&z, len);
    char *to = buf_reserve(out, room);
    if (to) {
        z.next_out = (unsigned char *)to;
        z.avail_out = room;
        if (deflate(&z, Z_FINISH) != Z_STREAM_END)
            out->failed = true;
        out->len += room - z.avail_out;
    }
    deflateEnd(&z);
}
