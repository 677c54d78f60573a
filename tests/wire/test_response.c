#include <criterion/criterion.h>
#include <jansson.h>
#include <string.h>

#include "base/mem.h"
#include "server/wire/response.h"

static json_t *parse(struct buf *buf)
{
    json_error_t error;
    json_t *json = json_loadb(buf->data, buf->len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    cr_assert(json, "%.*s: %s", (int)buf->len, buf->data, error.text);
    return json;
}

Test(response, strings_survive)
{
    static const char text[] = "q\" b\\ n\n t\t nul\0 del\x7F bell\a \xC3\xA9 \xF0\x9F\x98\x80";
    struct buf buf = {0};
    wire_write_string(&buf, text, sizeof text - 1);
    json_t *json = parse(&buf);
    cr_assert_eq(json_string_length(json), sizeof text - 1);
    cr_expect_eq(memcmp(json_string_value(json), text, sizeof text - 1), 0);
    json_decref(json);
    buf_finish(&buf);
}

Test(response, null_text)
{
    struct buf buf = {0};
    wire_write_text(&buf, NULL);
    cr_expect_eq(buf.len, 4u);
    cr_expect_eq(memcmp(buf.data, "null", 4), 0);
    buf_finish(&buf);
}

Test(response, text_that_is_not_utf8)
{
    struct buf buf = {0};
    wire_write_text(&buf, "/m\xff\"\xC3\xA9\xE2\x82");
    buf_append(&buf, "", 1);
    cr_expect_str_eq(buf.data, "\"/m\\ufffd\\\"\xC3\xA9\\ufffd\\ufffd\"");
    buf_finish(&buf);
}

Test(response, rows_are_cut_and_exact)
{
    enum { N = 3, WIDTH = 2500, KEEP = 2100 };
    static float rows[N][WIDTH];
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < WIDTH; j++)
            rows[i][j] = (float)(i * WIDTH + j + 1) / 7.0f * (j % 2 ? -1.0f : 1e-6f);
    }
    struct buf buf = {0};
    wire_write_rows(&buf, &rows[0][0], N, WIDTH, KEEP);
    json_t *json = parse(&buf);
    cr_assert_eq(json_array_size(json), (size_t)N);
    for (int i = 0; i < N; i++) {
        json_t *row = json_array_get(json, (size_t)i);
        cr_assert_eq(json_array_size(row), (size_t)KEEP);
        for (int j = 0; j < KEEP; j++)
            cr_assert_eq((float)json_real_value(json_array_get(row, (size_t)j)), rows[i][j]);
    }
    json_decref(json);
    buf_finish(&buf);
}

Test(response, errors)
{
    struct buf buf = {0};
    wire_write_error(&buf, WIRE_ERROR_TEI, STATUS_OVERLOADED, "too \"many\"");
    static const char want[] = "{\"error\":\"too \\\"many\\\"\",\"error_type\":\"Overloaded\"}";
    cr_assert_eq(buf.len, sizeof want - 1);
    cr_expect_eq(memcmp(buf.data, want, buf.len), 0, "%.*s", (int)buf.len, buf.data);
    buf_finish(&buf);
}

Test(response, memory_runs_out)
{
    static const float values[4000] = {0.5f};
    for (long n = 0; n < 4; n++) {
        struct buf buf = {0};
        mem_fail_after(n);
        wire_write_rows(&buf, values, 1, 4000, 4000);
        mem_fail_after(-1);
        size_t len = 0;
        char *data = buf_take(&buf, &len);
        cr_assert(data == NULL || data[len - 1] == ']');
        mem_free(data);
    }
}
