#define ZLIB_CONST /* input is const */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>
#include <zstd.h>

#include "server/net/coding.h"

enum { LEVEL = 1, NOT_NAMED = -1 };

static const char *const names[] = {"identity", "gzip", "zstd"};

const char *net_coding_name(enum net_coding coding)
{
    return names[coding];
}

/* A weight in thousandths, "0.5"; NOT_NAMED where it is none. */
static int parse_weight(const char *text, size_t len)
{
    if (len == 0 || len > 5 || (text[0] != '0' && text[0] != '1') || (len > 1 && text[1] != '.'))
        return NOT_NAMED;
    int weight = (text[0] - '0') * 1000, unit = 100;
    for (size_t i = 2; i < len; i++, unit /= 10) {
        if (text[i] < '0' || text[i] > '9')
            return NOT_NAMED;
        weight += (text[i] - '0') * unit;
    }
    return weight <= 1000 ? weight : NOT_NAMED;
}

/* One item of the header, "gzip;q=0.5". */
static void take_item(const char *item, size_t len, int weights[3], int *any)
{
    static const char space[] = " \t";
    size_t name_len = 0;
    while (name_len < len && item[name_len] != ';' && !strchr(space, item[name_len]))
        name_len++;
    const char *at = item + name_len, *end = item + len;
    while (at < end && (*at == ';' || strchr(space, *at)))
        at++;
    while (end > at && strchr(space, end[-1]))
        end--;
    int weight = 1000;
    if (at < end)
        weight = end - at > 2 && strncasecmp(at, "q=", 2) == 0 ? parse_weight(at + 2, (size_t)(end - at) - 2) : 0;
    if (name_len == 1 && *item == '*')
        *any = weight;
    for (int coding = NET_IDENTITY; coding <= NET_ZSTD; coding++) {
        if (strlen(names[coding]) == name_len && strncasecmp(names[coding], item, name_len) == 0)
            weights[coding] = weight;
    }
}

enum net_coding net_coding_choose(const char *accept_encoding)
{
    int weights[] = {NOT_NAMED, NOT_NAMED, NOT_NAMED}, any = NOT_NAMED;
    if (!accept_encoding)
        return NET_IDENTITY;
    for (const char *at = accept_encoding; *at;) {
        at += strspn(at, ", \t");
        size_t len = strcspn(at, ",");
        if (len > 0)
            take_item(at, len, weights, &any);
        at += len;
    }
    if (weights[NET_GZIP] == NOT_NAMED)
        weights[NET_GZIP] = any; /* whoever takes anything can surely read gzip, not so surely zstd */
    enum net_coding best = weights[NET_ZSTD] > 0 && weights[NET_ZSTD] >= weights[NET_GZIP] ? NET_ZSTD : NET_GZIP;
    return weights[best] > 0 && weights[best] >= weights[NET_IDENTITY] ? best : NET_IDENTITY;
}

static void encode_gzip(struct buf *out, const char *bytes, size_t len)
{
    z_stream z = {0};
    if (len > UINT32_MAX / 2 || deflateInit2(&z, LEVEL, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        out->failed = true;
        return;
    }
    size_t bound = deflateBound(&z, len);
    char *to = buf_reserve(out, bound);
    if (to) {
        z.next_in = (const Bytef *)bytes;
        z.avail_in = (uInt)len;
        z.next_out = (Bytef *)to;
        z.avail_out = (uInt)bound;
        if (deflate(&z, Z_FINISH) == Z_STREAM_END)
            out->len += z.total_out;
        else
            out->failed = true;
    }
    deflateEnd(&z);
}

static void encode_zstd(struct buf *out, const char *bytes, size_t len)
{
    size_t bound = ZSTD_compressBound(len);
    char *to = buf_reserve(out, bound);
    size_t size = to ? ZSTD_compress(to, bound, bytes, len, LEVEL) : 0;
    if (!to || ZSTD_isError(size))
        out->failed = true;
    else
        out->len += size;
}

void net_encode(struct buf *out, enum net_coding coding, const char *bytes, size_t len)
{
    if (coding == NET_ZSTD)
        encode_zstd(out, bytes, len);
    else
        encode_gzip(out, bytes, len);
}
