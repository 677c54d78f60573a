/* Base64, whole and in pieces. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/base64.h"

static void expect_text(struct buf *buf, const char *text)
{
    cr_assert_not(buf->failed);
    cr_expect(buf->len == strlen(text) && (buf->len == 0 || memcmp(buf->data, text, buf->len) == 0), "%.*s is not %s",
              (int)buf->len, buf->data, text);
    buf_finish(buf);
}

static bool decode(const char *text, size_t piece, struct buf *out)
{
    struct base64_decoder state = {0};
    for (size_t at = 0; at < strlen(text); at += piece) {
        size_t left = strlen(text) - at;
        if (!base64_decode_piece(&state, out, text + at, left < piece ? left : piece))
            return false;
    }
    return base64_decode_end(&state, out);
}

Test(base64, is_written_with_padding_and_without)
{
    static const char *const rows[] = {"", "Zg", "Zm8", "Zm9v", "Zm9vYg", "Zm9vYmE", "Zm9vYmFy"};
    for (size_t len = 0; len < sizeof rows / sizeof *rows; len++) {
        struct buf out = {0};
        base64_encode_bare(&out, "foobar", len);
        expect_text(&out, rows[len]);
        base64_encode(&out, "foobar", len);
        while (out.len > strlen(rows[len]))
            cr_expect_eq(out.data[--out.len], '=');
        expect_text(&out, rows[len]);
    }
}

Test(base64, is_read_piece_by_piece)
{
    static const struct {
        const char *text, *right;
    } rows[] = {{"", ""},
                {"Zg==", "f"},
                {"Zg", "f"},
                {"Zm8=", "fo"},
                {"Zm9v", "foo"},
                {"Zg==Zm9v", "ffoo"}, /* texts one behind the other */
                {"Zm8=Zg==YmFy", "fofbar"},
                {"-_-_", "\xfb\xff\xbf"},
                {"+/+/", "\xfb\xff\xbf"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t piece = 1; piece < 5; piece++) {
            struct buf out = {0};
            cr_expect(decode(rows[i].text, piece, &out), "%s", rows[i].text);
            expect_text(&out, rows[i].right);
        }
    }
}

Test(base64, that_is_none_is_refused)
{
    static const char *const rows[] = {
        "Z", "=", "Z===", "Zg=", "Zg=a", "Zm9v=", "Zm 9", "Zm9v\n", "Z\xc3\xa9", "Zm8=Z", "===="};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf out = {0};
        cr_expect_not(decode(rows[i], 1, &out), "%s", rows[i]);
        buf_finish(&out);
    }
}

Test(base64, is_read_whole)
{
    static const struct {
        const char *text, *right; /* NULL: it is none */
    } rows[] = {{"", ""},           {"Zg==", "f"}, {"Zg", "f"}, {"Zm8=", "fo"}, {"-_-_", "\xfb\xff\xbf"},
                {"Zg==Zm9v", NULL}, {"Zg=", NULL}, {"Z", NULL}, {"====", NULL}, {"Zm 9", NULL}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char bytes[16];
        size_t len = 0;
        bool right = base64_decode(rows[i].text, strlen(rows[i].text), bytes, &len);
        cr_expect_eq(right, rows[i].right != NULL, "%s", rows[i].text);
        cr_expect(!right || (len == strlen(rows[i].right) && memcmp(bytes, rows[i].right, len) == 0), "%s",
                  rows[i].text);
    }
}
