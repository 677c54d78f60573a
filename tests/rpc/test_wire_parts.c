/* The parts that the protocols are made of: envelopes, times, statuses, text. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "server/rpc/envelope.h"
#include "server/rpc/status.h"
#include "server/rpc/timeout.h"

static void expect_text(struct buf *buf, const char *text)
{
    cr_assert_not(buf->failed);
    cr_expect(buf->len == strlen(text) && memcmp(buf->data, text, buf->len) == 0, "%.*s is not %s", (int)buf->len,
              buf->data, text);
    buf_finish(buf);
}

/* Envelopes ------------------------------------------------------------------------------------------------------- */

Test(envelope, comes_back_whole_whatever_the_pieces)
{
    struct buf out = {0};
    rpc_envelope_write(&out, 0, "abc", 3);
    rpc_envelope_write(&out, RPC_ENVELOPE_COMPRESSED, NULL, 0);
    rpc_envelope_write(&out, RPC_ENVELOPE_TRAILERS, "trailers", 8);
    for (size_t piece = 1; piece <= out.len; piece++) {
        struct rpc_envelopes in = {0};
        struct rpc_envelope got;
        char all[64] = "";
        for (size_t at = 0; at < out.len; at += piece) {
            rpc_envelopes_add(&in, out.data + at, out.len - at < piece ? out.len - at : piece);
            while (rpc_envelopes_next(&in, 100, &got) == RPC_ENVELOPE_WHOLE)
                sprintf(all + strlen(all), "%02x:%.*s;", got.flags, (int)got.len, got.bytes);
        }
        cr_expect_str_eq(all, "00:abc;01:;80:trailers;", "in pieces of %zu", piece);
        cr_expect_eq(rpc_envelopes_left(&in), 0u);
        rpc_envelopes_finish(&in);
    }
    buf_finish(&out);
}

Test(envelope, of_more_than_the_limit_is_told_by_its_head)
{
    struct rpc_envelopes in = {0};
    struct rpc_envelope got;
    rpc_envelopes_add(&in, "\0\0\0\0\x65", 5);
    cr_expect_eq(rpc_envelopes_next(&in, 101, &got), RPC_ENVELOPE_NONE);
    cr_expect_eq(rpc_envelopes_next(&in, 100, &got), RPC_ENVELOPE_TOO_LONG);
    rpc_envelopes_finish(&in);
    rpc_envelopes_add(&in, "\0\xff\xff\xff\xff", 5);
    cr_expect_eq(rpc_envelopes_next(&in, 100, &got), RPC_ENVELOPE_TOO_LONG);
    rpc_envelopes_finish(&in);
}

Test(envelope, half_a_head_is_left_over)
{
    struct rpc_envelopes in = {0};
    struct rpc_envelope got;
    rpc_envelopes_add(&in, "\0\0\0", 3);
    cr_expect_eq(rpc_envelopes_next(&in, 100, &got), RPC_ENVELOPE_NONE);
    cr_expect_eq(rpc_envelopes_left(&in), 3u);
    rpc_envelopes_finish(&in);
}

Test(envelope, memory_runs_out)
{
    struct rpc_envelopes in = {0};
    mem_fail_after(0);
    rpc_envelopes_add(&in, "abc", 3);
    mem_fail_after(-1);
    cr_expect(in.bytes.failed);
    rpc_envelopes_finish(&in);
}

/* Times ----------------------------------------------------------------------------------------------------------- */

Test(timeout, of_grpc_has_digits_and_a_unit)
{
    static const struct {
        const char *text;
        uint64_t ns;
    } rows[] = {{"1n", 1},
                {"20u", 20000},
                {"300m", 300000000},
                {"0S", 0},
                {"7S", 7000000000},
                {"2M", 120000000000},
                {"1H", 3600000000000},
                {"99999999m", 99999999000000},
                {"99999999H", UINT64_MAX}};
    static const char *const wrong[] = {"", "1", "m", "-1m", "1 m", "1ms", "100000000m", "1d", "1.5S", "0x1S", "+1S"};
    uint64_t ns = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cr_assert(rpc_timeout_grpc(rows[i].text, &ns), "%s", rows[i].text);
        cr_expect_eq(ns, rows[i].ns, "%s", rows[i].text);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_expect_not(rpc_timeout_grpc(wrong[i], &ns), "'%s'", wrong[i]);
}

Test(timeout, of_connect_is_milliseconds)
{
    static const char *const wrong[] = {"", "-1", "1m", " 1", "12345678901", "1.5"};
    uint64_t ns = 0;
    cr_assert(rpc_timeout_connect("9999999999", &ns));
    cr_expect_eq(ns, 9999999999000000u);
    cr_assert(rpc_timeout_connect("0", &ns));
    cr_expect_eq(ns, 0u);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_expect_not(rpc_timeout_connect(wrong[i], &ns), "'%s'", wrong[i]);
}

Test(timeout, beyond_the_clock_is_none)
{
    cr_expect_eq(rpc_timeout_deadline(10, 5), 15u);
    cr_expect_eq(rpc_timeout_deadline(10, UINT64_MAX), 0u);
    cr_expect_eq(rpc_timeout_deadline(10, UINT64_MAX - 10), UINT64_MAX);
}

/* Statuses -------------------------------------------------------------------------------------------------------- */

Test(status, has_the_names_and_http_statuses_of_connect)
{
    static const struct {
        const char *name;
        unsigned http;
    } rows[] = {{"ok", 200},
                {"canceled", 499},
                {"unknown", 500},
                {"invalid_argument", 400},
                {"deadline_exceeded", 504},
                {"not_found", 404},
                {"already_exists", 409},
                {"permission_denied", 403},
                {"resource_exhausted", 429},
                {"failed_precondition", 400},
                {"aborted", 409},
                {"out_of_range", 400},
                {"unimplemented", 501},
                {"internal", 500},
                {"unavailable", 503},
                {"data_loss", 500},
                {"unauthenticated", 401}};
    for (rpc_code code = 0; code < sizeof rows / sizeof *rows; code++) {
        cr_expect_str_eq(rpc_code_connect_name(code), rows[code].name);
        cr_expect_eq(rpc_code_http(code), rows[code].http, "%s", rows[code].name);
    }
    cr_expect_str_eq(rpc_code_connect_name(17), "unknown");
    cr_expect_eq(rpc_code_http(1000), 500u);
}

static const struct rpc_detail details[] = {{"google.rpc.A", "\x08\x01", 2}, {"b.B", "", 0}};

Test(status, is_json_of_connect)
{
    struct buf out = {0};
    rpc_status_write_json(&out, &(struct rpc_status){RPC_NOT_FOUND, "no \"x\"\n\\\x01 \xc3\xa9 \xff!", NULL, 0});
    expect_text(&out, "{\"code\":\"not_found\",\"message\":\"no \\\"x\\\"\\u000a\\\\\\u0001 \xc3\xa9 \xef\xbf\xbd!\"}");
    rpc_status_write_json(&out, &(struct rpc_status){RPC_INTERNAL, NULL, details, 2});
    expect_text(&out, "{\"code\":\"internal\",\"details\":[{\"type\":\"google.rpc.A\",\"value\":\"CAE\"},"
                      "{\"type\":\"b.B\",\"value\":\"\"}]}");
}

Test(status, is_a_message_of_google_rpc)
{
    struct buf out = {0};
    static const char right[] = "\x08\x08"
                                "\x12\x03"
                                "who"
                                "\x1a\x26"
                                "\x0a\x20"
                                "type.googleapis.com/google.rpc.A"
                                "\x12\x02\x08\x01"
                                "\x1a\x1b"
                                "\x0a\x17"
                                "type.googleapis.com/b.B"
                                "\x12\x00";
    rpc_status_write_proto(&out, &(struct rpc_status){RPC_RESOURCE_EXHAUSTED, "who", details, 2});
    cr_expect_eq(out.len, sizeof right - 1);
    cr_expect_eq(memcmp(out.data, right, sizeof right - 1), 0);
    buf_finish(&out);
}

Test(status, with_a_long_detail_has_long_lengths)
{
    static const char bytes[300];
    struct buf out = {0};
    struct rpc_detail detail = {"x", bytes, sizeof bytes};
    rpc_status_write_proto(&out, &(struct rpc_status){RPC_ABORTED, NULL, &detail, 1});
    cr_expect_eq(memcmp(out.data, "\x08\x0a\x1a\xc6\x02\x0a\x15type.googleapis.com/x\x12\xac\x02", 31), 0);
    cr_expect_eq(out.len, 31 + sizeof bytes);
    buf_finish(&out);
}

Test(status, message_of_grpc_is_in_percent)
{
    struct buf out = {0};
    rpc_status_write_percent(&out, "50% of \xe2\x98\xba\r\n~ \x7f\t");
    expect_text(&out, "50%25 of %E2%98%BA%0D%0A~ %7F%09");
}
