#define ZLIB_CONST /* input is const */
#include <string.h>
#include <strings.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/mem.h"
#include "server/net/coding.h"

/* ZSTD_LOG: the largest window that RFC 9659 lets senders use on the web, 8 MiB. ZLIB_SIZE: what inflate allocates. */
enum { PIECE = 16384, ZSTD_LOG = 23, ZLIB_SIZE = 48 << 10 };

enum kind { GZIP, DEFLATE, ZSTD };

struct stage {
    enum kind kind;
    z_stream zlib;
    ZSTD_DCtx *zstd;
    bool inside;  /* a member or frame has begun and not ended */
    bool any;     /* one has ended */
    uint64_t out; /* bytes given so far */
};

struct net_decoder {
    uint64_t limit;
    uint32_t n;
    struct stage stages[NET_MAX_CODINGS]; /* in the order of decoding */
    bool failed;
};

static const struct {
    const char *name;
    enum kind kind;
} names[] = {{"gzip", GZIP}, {"x-gzip", GZIP}, {"deflate", DEFLATE}, {"zstd", ZSTD}};
static const char *const words[] = {[GZIP] = "gzip", [DEFLATE] = "deflate", [ZSTD] = "zstd"};

/* `len` bytes at `name`; false: not one of ours. */
static bool find_kind(const char *name, size_t len, enum kind *ret)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strlen(names[i].name) == len && strncasecmp(names[i].name, name, len) == 0) {
            *ret = names[i].kind;
            return true;
        }
    }
    return false;
}

const char *net_coding_find(const char *name)
{
    enum kind kind;
    return find_kind(name, strlen(name), &kind) ? words[kind] : NULL;
}

/* The kinds that a header names, as they were applied. */
static enum status parse(const char *codings, enum kind *ret, uint32_t *ret_n, struct error *err)
{
    static const char space[] = " \t", ends[] = ", \t";
    uint32_t n = 0;
    for (const char *at = codings + strspn(codings, ends); *at; at += strspn(at, ends)) {
        size_t len = strcspn(at, ends);
        const char *name = at;
        at += len;
        if (at[strspn(at, space)] != ',' && at[strspn(at, space)] != '\0')
            return error_set(err, STATUS_MEDIA_TYPE, "Content-Encoding: expected codings with commas between");
        if (len == strlen("identity") && strncasecmp(name, "identity", len) == 0)
            continue;
        if (n == NET_MAX_CODINGS)
            return error_set(err, STATUS_MEDIA_TYPE, "Content-Encoding has more than %d codings", NET_MAX_CODINGS);
        if (!find_kind(name, len, &ret[n]))
            return error_set(err, STATUS_MEDIA_TYPE,
                             "Content-Encoding %.*s is not known: send " NET_CODINGS ", or the body as it is",
                             (int)(len < 40 ? len : 40), name);
        n++;
    }
    *ret_n = n;
    return STATUS_OK;
}

static bool open_stage(struct stage *stage, enum kind kind)
{
    stage->kind = kind;
    if (kind != ZSTD)
        return inflateInit2(&stage->zlib, kind == GZIP ? 15 + 16 : 15) == Z_OK;
    stage->zstd = ZSTD_createDCtx();
    return stage->zstd && !ZSTD_isError(ZSTD_DCtx_setParameter(stage->zstd, ZSTD_d_windowLogMax, ZSTD_LOG));
}

enum status net_decoder_create(struct net_decoder **ret, const char *codings, uint64_t limit, struct error *err)
{
    enum kind kinds[NET_MAX_CODINGS];
    uint32_t n = 0;
    enum status status = codings ? parse(codings, kinds, &n, err) : STATUS_OK;
    if (status != STATUS_OK)
        return status;
    if (n == 0) {
        *ret = NULL;
        return STATUS_OK;
    }
    struct net_decoder *decoder = mem_calloc(1, sizeof *decoder);
    bool opened = decoder != NULL;
    for (uint32_t i = 0; i < n && opened; i++) {
        opened = open_stage(&decoder->stages[i], kinds[n - 1 - i]);
        decoder->n++;
    }
    if (!opened) {
        net_decoder_destroy(&decoder);
        return error_set(err, STATUS_NO_MEMORY, "no memory to decode the body");
    }
    decoder->limit = limit;
    *ret = decoder;
    return STATUS_OK;
}

static enum status malformed(const struct stage *stage, struct error *err)
{
    return error_set(err, STATUS_MALFORMED, "the body is not valid %s", words[stage->kind]);
}

/* Decode some of `in` to `out` [*out_len]; both lengths become what was used. */
static enum status step_zlib(struct stage *stage, const char *in, size_t *in_len, char *out, size_t *out_len,
                             struct error *err)
{
    z_stream *z = &stage->zlib;
    if (!stage->inside && stage->any && (stage->kind == DEFLATE || inflateReset(z) != Z_OK))
        return malformed(stage, err); /* gzip may have several members, deflate has nothing behind its end */
    stage->inside = true;
    z->next_in = (const Bytef *)in;
    z->avail_in = (uInt)*in_len;
    z->next_out = (Bytef *)out;
    z->avail_out = (uInt)*out_len;
    int code = inflate(z, Z_NO_FLUSH);
    *in_len -= z->avail_in;
    *out_len -= z->avail_out;
    if (code == Z_MEM_ERROR)
        return error_set(err, STATUS_NO_MEMORY, "no memory to decode the body");
    if (code == Z_STREAM_END) {
        stage->inside = false;
        stage->any = true;
    } else if (code != Z_OK && code != Z_BUF_ERROR) {
        return malformed(stage, err);
    }
    return STATUS_OK;
}

static enum status step_zstd(struct stage *stage, const char *in, size_t *in_len, char *out, size_t *out_len,
                             struct error *err)
{
    ZSTD_inBuffer from = {in, *in_len, 0};
    ZSTD_outBuffer to = {out, *out_len, 0};
    size_t left = ZSTD_decompressStream(stage->zstd, &to, &from);
    if (ZSTD_isError(left))
        return ZSTD_getErrorCode(left) == ZSTD_error_memory_allocation
                   ? error_set(err, STATUS_NO_MEMORY, "no memory to decode the body")
                   : malformed(stage, err);
    *in_len = from.pos;
    *out_len = to.pos;
    stage->inside = left > 0;
    stage->any = true;
    return STATUS_OK;
}

struct target {
    net_decoder_sink *sink;
    void *cookie;
};

static enum status feed_stage(struct net_decoder *decoder, uint32_t index, const char *bytes, size_t len,
                              const struct target *target, struct error *err)
{
    if (index == decoder->n)
        return len > 0 ? target->sink(target->cookie, bytes, len, err) : STATUS_OK;
    struct stage *stage = &decoder->stages[index];
    char out[PIECE];
    bool full = false; /* there may be more than fitted */
    while (len > 0 || full) {
        size_t used = len, given = sizeof out;
        if (used > UINT32_MAX)
            used = UINT32_MAX;
        enum status status = stage->kind == ZSTD ? step_zstd(stage, bytes, &used, out, &given, err)
                                                 : step_zlib(stage, bytes, &used, out, &given, err);
        if (status != STATUS_OK)
            return status;
        bytes += used;
        len -= used;
        full = given == sizeof out && stage->inside;
        if (given > decoder->limit - stage->out)
            return error_set(err, STATUS_TOO_LARGE, "the body is larger than %llu bytes when it is decoded",
                             (unsigned long long)decoder->limit);
        stage->out += given;
        status = feed_stage(decoder, index + 1, out, given, target, err);
        if (status != STATUS_OK)
            return status;
        if (used == 0 && given == 0)
            return len > 0 ? malformed(stage, err) : STATUS_OK;
    }
    return STATUS_OK;
}

enum status net_decoder_feed(struct net_decoder *decoder, const char *bytes, size_t len, net_decoder_sink *sink,
                             void *cookie, struct error *err)
{
    if (decoder->failed)
        return error_set(err, STATUS_MALFORMED, "the body cannot be decoded");
    enum status status = feed_stage(decoder, 0, bytes, len, &(struct target){sink, cookie}, err);
    decoder->failed = status != STATUS_OK;
    return status;
}

enum status net_decoder_end(struct net_decoder *decoder, struct error *err)
{
    for (uint32_t i = 0; i < decoder->n; i++) {
        const struct stage *stage = &decoder->stages[i];
        if (decoder->failed || stage->inside || !stage->any)
            return malformed(stage, err);
    }
    return STATUS_OK;
}

size_t net_decoder_size(const struct net_decoder *decoder)
{
    size_t size = sizeof *decoder;
    for (uint32_t i = 0; i < decoder->n; i++)
        size += decoder->stages[i].kind == ZSTD ? ZSTD_sizeof_DCtx(decoder->stages[i].zstd) : ZLIB_SIZE;
    return size;
}

void net_decoder_destroy(struct net_decoder **ref)
{
    struct net_decoder *decoder = *ref;
    if (!decoder)
        return;
    for (uint32_t i = 0; i < decoder->n; i++) {
        if (decoder->stages[i].kind == ZSTD)
            ZSTD_freeDCtx(decoder->stages[i].zstd);
        else
            inflateEnd(&decoder->stages[i].zlib);
    }
    mem_free(decoder);
    *ref = NULL;
}
