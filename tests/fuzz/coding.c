/* Content codings on arbitrary bytes: no crash, no leak, never more than the limit, the same in pieces as whole; and
 * what is encoded reads back the same. The first byte says which codings, the second how long the pieces are. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/net/coding.h"
#include "tests/fuzz/require.h"

enum { LIMIT = 1 << 16 };

static enum status keep(void *cookie, const char *bytes, size_t len, struct error *err)
{
    (void)err;
    REQUIRE(len > 0);
    buf_append(cookie, bytes, len);
    return STATUS_OK;
}

static int is_same(const struct buf *buf, const char *bytes, size_t len)
{
    return buf->len == len && (len == 0 || memcmp(buf->data, bytes, len) == 0);
}

/* What is both too large and malformed is refused for what is noticed first. */
static int is_refusal(enum status status)
{
    return status == STATUS_MALFORMED || status == STATUS_TOO_LARGE;
}

static enum status decode(const char *codings, const char *bytes, size_t len, size_t step, struct buf *out)
{
    struct net_decoder *decoder = NULL;
    struct error err;
    REQUIRE(net_decoder_create(&decoder, codings, LIMIT, &err) == STATUS_OK && decoder);
    enum status status = STATUS_OK;
    for (size_t i = 0; i < len && status == STATUS_OK; i += step)
        status = net_decoder_feed(decoder, bytes + i, len - i < step ? len - i : step, keep, out, &err);
    if (status == STATUS_OK)
        status = net_decoder_end(decoder, &err);
    REQUIRE(net_decoder_size(decoder) < (size_t)36 << 20);
    net_decoder_destroy(&decoder);
    REQUIRE(out->len <= LIMIT);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const codings[] = {"gzip", "deflate", "zstd", "gzip, zstd", "zstd, deflate", "x-gzip,gzip"};
    if (size < 2)
        return 0;
    const char *bytes = (const char *)data + 2;
    size_t len = size - 2;
    const char *coding = codings[data[0] % (sizeof codings / sizeof *codings)];
    struct buf whole = {0}, pieces = {0};
    enum status status = decode(coding, bytes, len, len + 1, &whole);
    enum status other = decode(coding, bytes, len, data[1] + (size_t)1, &pieces);
    REQUIRE(status == other || (is_refusal(status) && is_refusal(other)));
    REQUIRE(status != STATUS_OK || is_same(&pieces, whole.data, whole.len));
    buf_finish(&pieces);
    for (enum net_coding c = NET_GZIP; c <= NET_ZSTD && len <= LIMIT; c++) {
        struct buf coded = {0}, back = {0};
        net_encode(&coded, c, bytes, len);
        REQUIRE(!coded.failed && decode(net_coding_name(c), coded.data, coded.len, SIZE_MAX, &back) == STATUS_OK);
        REQUIRE(is_same(&back, bytes, len));
        buf_finish(&coded);
        buf_finish(&back);
    }
    buf_finish(&whole);
    struct net_decoder *decoder = NULL;
    char *header = strndup(bytes, len); /* as a header: any text */
    if (net_decoder_create(&decoder, header, LIMIT, NULL) == STATUS_OK)
        net_decoder_destroy(&decoder);
    REQUIRE(net_coding_choose(header) <= NET_ZSTD);
    free(header);
    return 0;
}
