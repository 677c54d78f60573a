/* Content codings: whole and in pieces, bounded, broken; the choice of one for an answer. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "base/mem.h"
#include "server/net/coding.h"

enum { LIMIT = 1 << 20 };

static enum status keep(void *cookie, const char *bytes, size_t len, struct error *err)
{
    (void)err;
    buf_append(cookie, bytes, len);
    return STATUS_OK;
}

/* Decode in pieces of `step` bytes; `out` gets what came of it. */
static enum status decode(const char *codings, const char *bytes, size_t len, size_t step, uint64_t limit,
                          struct buf *out, struct error *err)
{
    struct net_decoder *decoder = NULL;
    enum status status = net_decoder_create(&decoder, codings, limit, err);
    cr_assert_eq(status, STATUS_OK, "%s: %s", codings, err->message);
    for (size_t i = 0; i < len && status == STATUS_OK; i += step)
        status = net_decoder_feed(decoder, bytes + i, len - i < step ? len - i : step, keep, out, err);
    if (status == STATUS_OK)
        status = net_decoder_end(decoder, err);
    net_decoder_destroy(&decoder);
    cr_assert_null(decoder);
    return status;
}

static void expect_decoded(const char *codings, const struct buf *coded, const char *want, size_t want_len)
{
    static const size_t steps[] = {1, 7, 1000, SIZE_MAX};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct buf out = {0};
        struct error err = {0};
        size_t step = steps[i] < coded->len ? steps[i] : coded->len;
        enum status status = decode(codings, coded->data, coded->len, step, LIMIT, &out, &err);
        cr_expect_eq(status, STATUS_OK, "%s by %zu: %s", codings, step, err.message);
        cr_expect(out.len == want_len && (want_len == 0 || memcmp(out.data, want, want_len) == 0), "%s by %zu", codings,
                  step);
        buf_finish(&out);
    }
}

static void expect_malformed(const char *codings, const char *bytes, size_t len, const char *why)
{
    for (int whole = 0; whole < 2; whole++) {
        struct buf out = {0};
        struct error err = {0};
        cr_expect_eq(decode(codings, bytes, len, whole ? len + 1 : 1, LIMIT, &out, &err), STATUS_MALFORMED, "%s: %s",
                     codings, why);
        cr_expect(strstr(err.message, "is not valid"), "%s", err.message);
        buf_finish(&out);
    }
}

static struct buf deflated(const char *text, size_t len)
{
    struct buf out = {0};
    uLongf size = compressBound(len);
    char *to = buf_reserve(&out, size);
    cr_assert_eq(compress((Bytef *)to, &size, (const Bytef *)text, len), Z_OK);
    out.len = size;
    return out;
}

static struct buf coded_with(const char *coding, const char *text, size_t len)
{
    struct buf out = {0};
    if (strcmp(coding, "deflate") == 0)
        return deflated(text, len);
    net_encode(&out, strcmp(coding, "zstd") == 0 ? NET_ZSTD : NET_GZIP, text, len);
    cr_assert_not(out.failed);
    return out;
}

/* New, of digits that compress about by half. */
static char *text_of(size_t len)
{
    char *text = malloc(len + 1);
    uint32_t seed = 1;
    for (size_t i = 0; i < len; i++) {
        seed = seed * 1664525u + 1013904223u;
        text[i] = "0123456789,.-"[(seed >> 16) % 13];
    }
    return text;
}

static const char *const each[] = {"gzip", "x-gzip", "deflate", "zstd"};
enum { EACH = sizeof each / sizeof *each };

Test(coding, each_round_trips)
{
    static const size_t lens[] = {0, 1, 1000, 16384, 65537, 300000};
    for (size_t c = 0; c < EACH; c++) {
        for (size_t l = 0; l < sizeof lens / sizeof *lens; l++) {
            char *text = text_of(lens[l]);
            struct buf coded = coded_with(each[c], text, lens[l]);
            cr_expect(lens[l] < 1000 || coded.len < lens[l] * 2 / 3);
            expect_decoded(each[c], &coded, text, lens[l]);
            buf_finish(&coded);
            free(text);
        }
    }
}

Test(coding, no_coding_has_no_decoder)
{
    static const char *const none[] = {NULL, "", "identity", " Identity , identity", ","};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        struct net_decoder *decoder = (struct net_decoder *)&decoder;
        cr_expect_eq(net_decoder_create(&decoder, none[i], LIMIT, NULL), STATUS_OK);
        cr_expect_null(decoder);
    }
}

Test(coding, unknown_ones_are_refused)
{
    static const char *const wrong[] = {
        "br", "gzip br", "gzip, br", "gzipp", "gzi", "gzip;q=1", "gzip,gzip,gzip,gzip,gzip"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct net_decoder *decoder = NULL;
        struct error err = {0};
        cr_expect_eq(net_decoder_create(&decoder, wrong[i], LIMIT, &err), STATUS_MEDIA_TYPE, "%s", wrong[i]);
        cr_expect(strstr(err.message, "Content-Encoding"), "%s", err.message);
        cr_expect_null(decoder);
    }
}

Test(coding, several_are_undone_from_the_last)
{
    char *text = text_of(50000);
    struct buf inner = coded_with("deflate", text, 50000), middle = coded_with("zstd", inner.data, inner.len);
    struct buf outer = coded_with("gzip", middle.data, middle.len);
    expect_decoded("deflate, zstd ,\tGZip", &outer, text, 50000);
    expect_malformed("gzip, zstd, deflate", outer.data, outer.len, "another order");
    buf_finish(&inner);
    buf_finish(&middle);
    buf_finish(&outer);
    free(text);
}

Test(coding, every_cut_is_noticed)
{
    for (size_t c = 0; c < EACH; c++) {
        struct buf coded = coded_with(each[c], "some text, and some text", 24);
        for (size_t len = 0; len < coded.len; len++)
            expect_malformed(each[c], coded.data, len, "cut");
        buf_finish(&coded);
    }
}

Test(coding, what_is_behind_the_end_is_refused)
{
    for (size_t c = 0; c < EACH; c++) {
        struct buf coded = coded_with(each[c], "some text", 9);
        size_t len = coded.len;
        for (size_t extra = 1; extra < 12; extra++) {
            buf_append(&coded, "x", 1);
            expect_malformed(each[c], coded.data, len + extra, "garbage");
        }
        buf_finish(&coded);
    }
}

Test(coding, members_and_frames_follow_each_other)
{
    static const char *const several[] = {"gzip", "zstd"};
    for (size_t c = 0; c < 2; c++) {
        struct buf coded = coded_with(several[c], "one ", 4), second = coded_with(several[c], "two", 3);
        buf_append(&coded, second.data, second.len);
        expect_decoded(several[c], &coded, "one two", 7);
        buf_finish(&coded);
        buf_finish(&second);
    }
    struct buf coded = coded_with("deflate", "one ", 4), second = coded_with("deflate", "two", 3);
    buf_append(&coded, second.data, second.len);
    expect_malformed("deflate", coded.data, coded.len, "two streams");
    buf_finish(&coded);
    buf_finish(&second);
}

Test(coding, damage_is_noticed)
{
    static const char *const checked[] = {"gzip", "deflate"}; /* our zstd frames have no checksum */
    char *text = text_of(5000);
    for (size_t c = 0; c < 2; c++) {
        struct buf coded = coded_with(checked[c], text, 5000);
        coded.data[coded.len / 2] ^= 4;
        expect_malformed(checked[c], coded.data, coded.len, "a flipped bit");
        buf_finish(&coded);
    }
    free(text);
}

/* Much that compresses to little: the limit counts what comes out, at every stage. */
Test(coding, bombs_are_stopped_at_the_limit)
{
    static const char *const bombs[][2] = {
        {"gzip", NULL}, {"deflate", NULL}, {"zstd", NULL}, {"gzip", "gzip"}, {"zstd", "gzip"}};
    size_t len = 8 << 20;
    char *zeros = calloc(len, 1);
    for (size_t b = 0; b < sizeof bombs / sizeof *bombs; b++) {
        struct buf coded = coded_with(bombs[b][0], zeros, len), out = {0};
        struct error err = {0};
        char codings[32];
        snprintf(codings, sizeof codings, "%s%s%s", bombs[b][0], bombs[b][1] ? ", " : "",
                 bombs[b][1] ? bombs[b][1] : "");
        if (bombs[b][1]) {
            struct buf outer = coded_with(bombs[b][1], coded.data, coded.len);
            buf_finish(&coded);
            coded = outer;
        }
        cr_expect_eq(decode(codings, coded.data, coded.len, coded.len, LIMIT, &out, &err), STATUS_TOO_LARGE, "%s",
                     codings);
        cr_expect_leq(out.len, (size_t)LIMIT);
        cr_expect(strstr(err.message, "1048576 bytes"), "%s", err.message);
        buf_finish(&out);
        buf_finish(&coded);
    }
    /* The first stage alone is too large, although little comes out of the second. */
    struct buf frames = {0}, out = {0};
    struct error err;
    for (int i = 0; i < 200000; i++)
        buf_append(&frames, "\x50\x2A\x4D\x18\0\0\0\0", 8); /* frames of zstd that are to be skipped */
    struct buf coded = coded_with("gzip", frames.data, frames.len);
    cr_expect_eq(decode("zstd, gzip", coded.data, coded.len, coded.len, LIMIT, &out, &err), STATUS_TOO_LARGE);
    cr_expect_eq(out.len, 0u);
    buf_finish(&frames);
    buf_finish(&coded);
    free(zeros);
}

Test(coding, the_limit_itself_is_allowed)
{
    char *text = text_of(5000);
    for (size_t c = 0; c < EACH; c++) {
        struct buf coded = coded_with(each[c], text, 5000), out = {0};
        struct error err;
        cr_expect_eq(decode(each[c], coded.data, coded.len, 100, 5000, &out, &err), STATUS_OK);
        cr_expect_eq(decode(each[c], coded.data, coded.len, 100, 4999, &out, &err), STATUS_TOO_LARGE);
        buf_finish(&out);
        buf_finish(&coded);
    }
    free(text);
}

/* Windows beyond 8 MiB would hold too much memory. */
Test(coding, large_windows_of_zstd_are_refused)
{
    ZSTD_CCtx *context = ZSTD_createCCtx();
    for (int log = 23; log <= 24; log++) {
        char coded[256];
        ZSTD_CCtx_reset(context, ZSTD_reset_session_and_parameters);
        ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, log);
        ZSTD_outBuffer to = {coded, sizeof coded, 0};
        ZSTD_inBuffer from = {"some text", 9, 0};
        ZSTD_compressStream2(context, &to, &from, ZSTD_e_flush); /* the size is not known at the beginning */
        cr_assert_eq(ZSTD_compressStream2(context, &to, &from, ZSTD_e_end), 0u);
        struct net_decoder *decoder = NULL;
        struct buf out = {0};
        struct error err;
        cr_assert_eq(net_decoder_create(&decoder, "zstd", LIMIT, &err), STATUS_OK);
        enum status status = net_decoder_feed(decoder, coded, to.pos, keep, &out, &err);
        cr_expect_eq(status, log == 23 ? STATUS_OK : STATUS_MALFORMED);
        cr_expect_leq(net_decoder_size(decoder), (size_t)9 << 20);
        cr_expect(log > 23 || net_decoder_size(decoder) > (size_t)8 << 20, "the window counts");
        net_decoder_destroy(&decoder);
        buf_finish(&out);
    }
    ZSTD_freeCCtx(context);
}

static enum status refuse(void *cookie, const char *bytes, size_t len, struct error *err)
{
    (void)bytes;
    (void)len;
    ++*(int *)cookie;
    return error_set(err, STATUS_OVERLOADED, "no more");
}

Test(coding, a_sink_that_fails_ends_it)
{
    struct buf coded = coded_with("gzip", "some text", 9);
    struct net_decoder *decoder = NULL;
    struct error err;
    int calls = 0;
    cr_assert_eq(net_decoder_create(&decoder, "gzip", LIMIT, &err), STATUS_OK);
    cr_expect_eq(net_decoder_feed(decoder, coded.data, coded.len, refuse, &calls, &err), STATUS_OVERLOADED);
    cr_expect_str_eq(err.message, "no more");
    cr_expect_eq(net_decoder_feed(decoder, coded.data, coded.len, refuse, &calls, &err), STATUS_MALFORMED);
    cr_expect_eq(net_decoder_end(decoder, &err), STATUS_MALFORMED);
    cr_expect_eq(calls, 1);
    net_decoder_destroy(&decoder);
    net_decoder_destroy(&decoder);
    buf_finish(&coded);
}

Test(coding, choice)
{
    static const struct {
        const char *accept;
        enum net_coding want;
    } cases[] = {
        {NULL, NET_IDENTITY},
        {"", NET_IDENTITY},
        {"gzip", NET_GZIP},
        {"GZIP", NET_GZIP},
        {"zstd", NET_ZSTD},
        {"br, deflate", NET_IDENTITY},
        {"gzip, deflate, br, zstd", NET_ZSTD},
        {"gzip, deflate", NET_GZIP},
        {"*", NET_GZIP},
        {"*;q=0", NET_IDENTITY},
        {"zstd;q=0, *", NET_GZIP},
        {"gzip;q=0, *", NET_IDENTITY},
        {"gzip;q=1.0, zstd;q=0.9", NET_GZIP},
        {"gzip ; q=0.5 , zstd; Q=0.501", NET_ZSTD},
        {"gzip;q=0", NET_IDENTITY},
        {"gzip;q=0.000", NET_IDENTITY},
        {"gzip;q=0.001", NET_GZIP},
        {"identity, gzip;q=0.5", NET_IDENTITY},
        {"identity;q=0.5, gzip;q=0.5", NET_GZIP},
        {"identity;q=0", NET_IDENTITY},
        {"gzip;q=2", NET_IDENTITY},
        {"gzip;q=1.5", NET_IDENTITY},
        {"gzip;q=0.1234", NET_IDENTITY},
        {"gzip;q=x", NET_IDENTITY},
        {"gzip;q=", NET_IDENTITY},
        {"gzip;level=1", NET_IDENTITY},
        {";;,,;q=1,gzip", NET_GZIP},
        {"gzipped, zst", NET_IDENTITY},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        cr_expect_eq(net_coding_choose(cases[i].accept), cases[i].want, "%s: %s", cases[i].accept,
                     net_coding_name(net_coding_choose(cases[i].accept)));
}

Test(coding, memory_runs_out)
{
    struct buf coded = coded_with("gzip", "some text", 9), out = {0};
    struct net_decoder *decoder = NULL;
    struct error err;
    mem_fail_after(0);
    enum status status = net_decoder_create(&decoder, "gzip, zstd", LIMIT, &err);
    mem_fail_after(0);
    net_encode(&out, NET_GZIP, "some text", 9);
    mem_fail_after(-1);
    cr_expect_eq(status, STATUS_NO_MEMORY);
    cr_expect_null(decoder);
    cr_expect(out.failed);
    buf_finish(&out);
    buf_finish(&coded);
}
