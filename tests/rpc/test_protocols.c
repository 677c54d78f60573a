/* Connect, gRPC-Web and gRPC in bytes: what a service hears, and what goes out. */
#include "base/base64.h"
#include "tests/rpc/noting.h"

TestSuite(protocols, .init = begin, .fini = end);

/* Each protocol --------------------------------------------------------------------------------------------------- */

Test(protocols, connect_unary)
{
    open_as("/p.S/Unary", "application/proto");
    fake_body(&exchange, "send", 4);
    fake_body(&exchange, " you", 4);
    expect_heard("");
    fake_end(&exchange);
    expect_code(200);
    expect_body("you", 3);
    expect_field("content-type", "application/proto");
    expect_field("x-head", "h");
    expect_field("trailer-x-tail", "t1");
    close_heard("start send you end over");
}

Test(protocols, connect_unary_error)
{
    open_as("/p.S/Unary", "application/json; charset=utf-8");
    fake_body(&exchange, "fail", 4);
    fake_end(&exchange);
    static const char right[] = "{\"code\":\"failed_precondition\",\"message\":\"not \xc3\xa9\","
                                "\"details\":[{\"type\":\"a.B\",\"value\":\"CAE\"}]}";
    expect_code(400);
    expect_body(right, sizeof right - 1);
    expect_field("content-type", "application/json");
    close_heard("start fail over");
}

Test(protocols, connect_get)
{
    exchange.method = "GET";
    exchange.query = "connect=v1&encoding=json&base64=1&message=c2VuZCB5b3U&compression=";
    open_as("/p.S/Get", NULL);
    fake_end(&exchange);
    expect_code(200);
    expect_body("you", 3);
    expect_field("content-type", "application/json");
    close_heard("start send you end over");
    exchange.method = "GET";
    exchange.query = "message=send%20y%6fu+too&encoding=proto";
    open_as("/p.S/Get", NULL);
    fake_end(&exchange);
    expect_body("you too", 7);
    fake_close(&exchange);
}

Test(protocols, connect_get_compressed)
{
    struct buf packed = {0}, query = {0};
    compress_text(&packed, "send you", 8);
    buf_puts(&query, "encoding=proto&compression=gzip&base64=1&message=");
    base64_encode_bare(&query, packed.data, packed.len);
    for (size_t i = 0; i < query.len; i++)
        query.data[i] = query.data[i] == '+' ? '-' : query.data[i] == '/' ? '_' : query.data[i];
    buf_append(&query, "", 1);
    exchange.method = "GET";
    exchange.query = query.data;
    open_as("/p.S/Get", NULL);
    fake_end(&exchange);
    expect_body("you", 3);
    fake_close(&exchange);
    buf_finish(&packed);
    buf_finish(&query);
}

Test(protocols, connect_get_that_is_wrong)
{
    static const struct {
        const char *query;
        unsigned code;
    } rows[] = {{NULL, 400},
                {"encoding=json", 400},
                {"encoding=xml&message=a", 400},
                {"message=a", 400},
                {"encoding=json&message=a&connect=v2", 400},
                {"encoding=json&message=***&base64=1", 400},
                {"encoding=json&message=a&compression=br", 501}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        exchange.method = "GET";
        exchange.query = rows[i].query;
        open_as("/p.S/Get", NULL);
        fake_end(&exchange);
        expect_code(rows[i].code);
        close_heard("");
    }
}

Test(protocols, connect_stream)
{
    open_as("/p.S/Server", "application/connect+proto");
    put("send you");
    fake_end(&exchange);
    expect_code(200);
    expect_body("\0\0\0\0\3you\2\0\0\0\x23{\"metadata\":{\"x-tail\":[\"t1\",\"t2\"]}}", 48);
    expect_field("content-type", "application/connect+proto");
    close_heard("start send you end over");
    open_as("/p.S/Server", "application/connect+json");
    put("fail");
    fake_end(&exchange);
    expect_code(200);
    cr_expect(memmem(exchange.body.data, exchange.body.len, "{\"error\":{\"code\":\"failed_precondition\"", 38) ==
              exchange.body.data + 5);
    close_heard("start fail over");
}

Test(protocols, grpc_unary)
{
    open_as("/p.S/Unary", "application/grpc");
    put("send you");
    fake_end(&exchange);
    expect_code(200);
    expect_body("\0\0\0\0\3you", 8);
    expect_field("content-type", "application/grpc");
    expect_field("grpc-status", NULL);
    expect_field("x-head", "h");
    expect_trailer("grpc-status", "0");
    expect_trailer("grpc-message", NULL);
    expect_trailer("x-tail", "t1");
    close_heard("start send you end over");
}

Test(protocols, grpc_error_is_in_the_headers)
{
    open_as("/p.S/Unary", "application/grpc+proto");
    put("fail");
    fake_end(&exchange);
    expect_code(200);
    expect_body("", 0);
    expect_field("content-type", "application/grpc+proto");
    expect_field("grpc-status", "9");
    expect_field("grpc-message", "not %C3%A9");
    expect_field("grpc-status-details-bin", "CAkSBm5vdCDDqRodChd0eXBlLmdvb2dsZWFwaXMuY29tL2EuQhICCAE");
    close_heard("start fail over");
}

Test(protocols, grpc_streams_both_ways)
{
    open_as("/p.S/Bidi", "application/grpc");
    frees = true;
    expect_heard("start");
    put("send a");
    cr_expect(exchange.begun && !exchange.given);
    expect_body("\0\0\0\0\1a", 6);
    put("fail");
    cr_expect(exchange.given);
    expect_trailer("grpc-status", "9");
    expect_trailer("grpc-message", "not %C3%A9");
    expect_trailer("x-tail", "t1");
    close_heard("start send a fail over");
}

Test(protocols, grpc_web)
{
    open_as("/p.S/Unary", "application/grpc-web+proto");
    put("send you");
    fake_end(&exchange);
    static const char right[] = "\0\0\0\0\3you\x80\0\0\0\x28"
                                "grpc-status: 0\r\nx-tail: t1\r\nx-tail: t2\r\n";
    expect_body(right, sizeof right - 1);
    expect_field("content-type", "application/grpc-web+proto");
    close_heard("start send you end over");
}

Test(protocols, grpc_web_text)
{
    open_as("/p.S/Unary", "application/grpc-web-text");
    fake_body(&exchange, "AAAAAAhzZW5kIH", 14);
    fake_body(&exchange, "lvdQ==", 6);
    fake_end(&exchange);
    static const char right[] = "AAAAAAN5b3WAAAAAKGdycGMtc3RhdHVzOiAwDQp4LXRhaWw6IHQxDQp4LXRhaWw6IHQyDQo=";
    expect_body(right, sizeof right - 1);
    expect_field("content-type", "application/grpc-web-text");
    close_heard("start send you end over");
}

/* Compression ----------------------------------------------------------------------------------------------------- */

Test(protocols, answers_are_compressed_like_the_request)
{
    struct buf packed = {0}, out = {0};
    char text[5 + 1500] = "send ";
    memset(text + 5, 'x', 1500);
    compress_text(&packed, text, sizeof text);
    rpc_envelope_write(&out, RPC_ENVELOPE_COMPRESSED, packed.data, packed.len);
    header("grpc-encoding", "gzip");
    header("grpc-accept-encoding", "identity, gzip");
    open_as("/p.S/Unary", "application/grpc");
    fake_body(&exchange, out.data, out.len);
    fake_end(&exchange);
    expect_field("grpc-encoding", "gzip");
    cr_expect_eq(exchange.body.data[0], 1);
    cr_expect_lt(exchange.body.len, 200u);
    expect_trailer("grpc-status", "0");
    fake_close(&exchange);
    buf_finish(&packed);
    buf_finish(&out);
}

Test(protocols, what_is_compressed_keeps_to_the_limit)
{
    struct buf packed = {0};
    static char text[LIMIT + 1];
    compress_text(&packed, text, sizeof text);
    header("content-encoding", "gzip");
    open_as("/p.S/Unary", "application/proto");
    fake_body(&exchange, packed.data, packed.len);
    fake_end(&exchange);
    expect_code(429);
    close_heard("");
    packed.data[packed.len - 1] ^= 1;
    header("content-encoding", "gzip");
    open_as("/p.S/Unary", "application/proto");
    fake_body(&exchange, packed.data, packed.len / 2);
    fake_end(&exchange);
    expect_code(400);
    close_heard("");
    buf_finish(&packed);
}

Test(protocols, unknown_codings_are_refused_with_those_that_are_known)
{
    header("grpc-encoding", "br");
    open_as("/p.S/Bidi", "application/grpc");
    expect_field("grpc-status", "12");
    expect_field("grpc-accept-encoding", "gzip, deflate, zstd, identity");
    close_heard("");
    header("content-encoding", "br");
    open_as("/p.S/Unary", "application/json");
    expect_code(501);
    expect_field("accept-encoding", "gzip, deflate, zstd, identity");
    close_heard("");
}
