#include "tests/http/framing.h"

#include <stdlib.h>
#include <string.h>

#define BYTES(text)        .bytes = (text), .len = sizeof(text) - 1
#define OPEN(...)          .codes = {__VA_ARGS__}
#define CLOSED(...)        .codes = {__VA_ARGS__}, .closed = true
#define FILL(text, n, end) .fill = (text), .times = (n), .tail = (end)
#define GET(fields)        "GET /health HTTP/1.1\r\nHost: a\r\n" fields "\r\n"
#define POST_LINE          "POST /tokenize HTTP/1.1\r\n"
#define TYPED              "Host: a\r\nContent-Type: application/json\r\n"
#define JSON               "{\"inputs\":\"a\"}" /* 14 bytes */
#define POST(fields, body) POST_LINE TYPED fields "\r\n" body
#define CHUNKED(body)      POST("Transfer-Encoding: chunked\r\n", body)
#define WHOLE              POST("Content-Length: 14\r\n", JSON)
#define CHUNK              "e\r\n" JSON "\r\n"

const struct framing_row framing_rows[] = {
    /* The request line. */
    {"plain", BYTES(GET("")), OPEN(200)},
    {"plain body", BYTES(WHOLE), OPEN(200)},
    {"empty line first", BYTES("\r\n" GET("")), OPEN(200)},
    {"method in lower case", BYTES("get /health HTTP/1.1\r\nHost: a\r\n\r\n"), OPEN(405)},
    {"unknown method", BYTES("BREW /health HTTP/1.1\r\nHost: a\r\n\r\n"), OPEN(405)},
    {"TRACE", BYTES("TRACE /health HTTP/1.1\r\nHost: a\r\n\r\n"), OPEN(405)},
    {"CONNECT", BYTES("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n"), OPEN(404)},
    {"garbage", BYTES("hello\r\n\r\n"), CLOSED(400), .needs = OURS},
    {"other protocol", BYTES("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"), CLOSED(400), .needs = OURS},
    {"no version", BYTES("GET /health\r\n\r\n"), CLOSED(400)},
    {"HTTP/2.0", BYTES("GET /health HTTP/2.0\r\nHost: a\r\n\r\n"), CLOSED(505)},
    {"HTTP/1.9", BYTES("GET /health HTTP/1.9\r\nHost: a\r\n\r\n"), OPEN(200)},
    {"version in lower case", BYTES("GET /health http/1.1\r\nHost: a\r\n\r\n"), CLOSED(400)},
    {"version of two digits", BYTES("GET /health HTTP/1.10\r\nHost: a\r\n\r\n"), CLOSED(400)},
    {"space first", BYTES(" GET /health HTTP/1.1\r\nHost: a\r\n\r\n"), CLOSED(400), .needs = OURS},
    {"three empty lines first", BYTES("\r\n\r\n\r\n" GET("")), CLOSED(400), .needs = OURS},
    {"two spaces", BYTES("GET  /health HTTP/1.1\r\nHost: a\r\n\r\n"), CLOSED(400), .needs = NEWER},
    {"space in the target", BYTES("GET /hea lth HTTP/1.1\r\nHost: a\r\n\r\n"), CLOSED(400), .needs = NEWER},
    {"NUL in the target", BYTES("GET /health\0 HTTP/1.1\r\nHost: a\r\n\r\n"), CLOSED(400), .needs = OURS},
    {"target of 100 kB", BYTES("GET /"), FILL("a", 100000, " HTTP/1.1\r\nHost: a\r\n\r\n"), CLOSED(414),
     .needs = NEWER},
    {"method of 100 kB", BYTES(""), FILL("A", 100000, " / HTTP/1.1\r\nHost: a\r\n\r\n"), CLOSED(400), .needs = OURS},
    /* Targets. */
    {"absolute form", BYTES("GET http://example.org/health HTTP/1.1\r\nHost: a\r\n\r\n"), OPEN(200)},
    {"absolute form of POST",
     BYTES("POST http://example.org:80/tokenize?a=b HTTP/1.1\r\n" TYPED "Content-Length: 14\r\n\r\n" JSON), OPEN(200)},
    {"absolute form without a path", BYTES("GET HTTP://example.org HTTP/1.1\r\nHost: a\r\n\r\n"), OPEN(200)},
    {"absolute form, unknown path", BYTES("GET https://example.org/nothing HTTP/1.1\r\nHost: a\r\n\r\n"), OPEN(404)},
    {"asterisk", BYTES("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), OPEN(204)},
    {"asterisk of GET", BYTES("GET * HTTP/1.1\r\nHost: a\r\n\r\n"), OPEN(404)},
    {"%00 in a path", BYTES("GET /health%00 HTTP/1.1\r\nHost: a\r\n\r\n"), OPEN(404)},
    {"%00 within a path", BYTES("GET /health%00/x HTTP/1.1\r\nHost: a\r\n\r\n"), OPEN(404)},
    {"%00 in a query", BYTES("GET /health?a=%00 HTTP/1.1\r\nHost: a\r\n\r\n"), OPEN(200)},
    {"escaped letters", BYTES("GET /%68ealth HTTP/1.1\r\nHost: a\r\n\r\n"), OPEN(200)},
    {"broken escape", BYTES("GET /health%4 HTTP/1.1\r\nHost: a\r\n\r\n"), OPEN(404)},
    {"250 query arguments", BYTES("GET /health?a=1"), FILL("&a=1", 249, " HTTP/1.1\r\nHost: a\r\n\r\n"), OPEN(200)},
    /* Fields. */
    {"line ends of LF alone", BYTES("GET /health HTTP/1.1\nHost: a\n\n"), CLOSED(400), .needs = NEWER},
    {"LF alone after a field", BYTES("GET /health HTTP/1.1\r\nHost: a\nX: y\r\n\r\n"), CLOSED(400), .needs = NEWER},
    {"CR alone in a field", BYTES(GET("X: a\rb\r\n")), CLOSED(400), .needs = NEWER},
    {"NUL in a field", BYTES(GET("X: a\0b\r\n")), CLOSED(400), .needs = NEWER},
    {"NUL in a field's name", BYTES(GET("X\0Y: a\r\n")), CLOSED(400), .needs = NEWER},
    {"folded field", BYTES(GET("X: a\r\n b\r\n")), CLOSED(400), .needs = NEWER},
    {"space before the first field", BYTES("GET /health HTTP/1.1\r\n Host: a\r\n\r\n"), CLOSED(400), .needs = NEWER},
    {"no colon", BYTES(GET("X\r\n")), CLOSED(400), .needs = NEWER},
    {"no name", BYTES(GET(": a\r\n")), CLOSED(400), .needs = NEWER},
    {"space in a name", BYTES(GET("X Y: a\r\n")), CLOSED(400)},
    {"space before a colon", BYTES(POST("Content-Length : 33\r\n", "GET /health HTTP/1.1\r\nHost: x\r\n\r\n")),
     CLOSED(400), .needs = NEWER},
    {"tab before a colon", BYTES(POST("Content-Length\t: 14\r\n", JSON)), CLOSED(400), .needs = NEWER},
    {"empty value", BYTES(GET("X:\r\n")), OPEN(200)},
    {"white space around a value", BYTES(POST("Content-Length: \t 14 \t\r\n", JSON)), OPEN(200), .needs = NEWER},
    {"white space after own header", BYTES(POST("x-request-timeout-ms: 5000 \r\nContent-Length: 14\r\n", JSON)),
     OPEN(200), .needs = NEWER},
    {"no white space before a value", BYTES(POST("Content-Length:14\r\n", JSON)), OPEN(200)},
    {"one field of 100 kB", BYTES("GET /health HTTP/1.1\r\nHost: a\r\nX: "), FILL("x", 100000, "\r\n\r\n"), CLOSED(431),
     .needs = NEWER},
    {"one field of 20 kB", BYTES("GET /health HTTP/1.1\r\nHost: a\r\nX: "), FILL("x", 20000, "\r\n\r\n"), CLOSED(431)},
    {"one field of 15 kB", BYTES("GET /health HTTP/1.1\r\nHost: a\r\nX: "), FILL("x", 15000, "\r\n\r\n"), OPEN(200)},
    {"2000 fields", BYTES("GET /health HTTP/1.1\r\nHost: a\r\n"), FILL("X:\r\n", 2000, "\r\n"), CLOSED(431),
     .needs = NEWER},
    {"600 fields", BYTES("GET /health HTTP/1.1\r\nHost: a\r\n"), FILL("X:\r\n", 600, "\r\n"), OPEN(200),
     .needs = NEWER},
    {"200 cookies", BYTES("GET /health HTTP/1.1\r\nHost: a\r\nCookie: a=b"), FILL("; c100=v", 199, "\r\n\r\n"),
     OPEN(200)},
    /* Host. */
    {"no Host", BYTES("GET /health HTTP/1.1\r\n\r\n"), CLOSED(400), .needs = NEWER},
    {"two Hosts", BYTES(GET("Host: b\r\n")), CLOSED(400)},
    {"the same Host twice", BYTES(GET("Host: a\r\n")), CLOSED(400)},
    {"empty Host", BYTES("GET /health HTTP/1.1\r\nHost:\r\n\r\n"), OPEN(200)},
    {"Host with a port", BYTES("GET /health HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"), OPEN(200)},
    {"Host with a path", BYTES("GET /health HTTP/1.1\r\nHost: a/b\r\n\r\n"), CLOSED(400)},
    {"Host with a port too large", BYTES("GET /health HTTP/1.1\r\nHost: a:99999\r\n\r\n"), CLOSED(400)},
    {"Host with a word for a port", BYTES("GET /health HTTP/1.1\r\nHost: a:abc\r\n\r\n"), CLOSED(400)},
    {"Host with brackets inside", BYTES("GET /health HTTP/1.1\r\nHost: a[b]\r\n\r\n"), CLOSED(400)},
    {"Host with half a bracket", BYTES("GET /health HTTP/1.1\r\nHost: [::1\r\n\r\n"), CLOSED(400)},
    {"Host with an escape", BYTES("GET /health HTTP/1.1\r\nHost: a%2db\r\n\r\n"), OPEN(200)},
    {"Host with a broken escape", BYTES("GET /health HTTP/1.1\r\nHost: %zz\r\n\r\n"), CLOSED(400)},
    {"absolute form without a host", BYTES("GET http:///health HTTP/1.1\r\nHost: a\r\n\r\n"), CLOSED(400)},
    {"absolute form with a bad host", BYTES("GET http://h%00/health HTTP/1.1\r\nHost: a\r\n\r\n"), CLOSED(400)},
    {"two Content-Encodings",
     BYTES(POST("Content-Encoding: identity\r\nContent-Encoding: gzip\r\nContent-Length: 14\r\n", JSON)), CLOSED(400)},
    {"two time limits",
     BYTES(POST("x-request-timeout-ms: 5000\r\nx-request-timeout-ms: bad\r\nContent-Length: 14\r\n", JSON)),
     CLOSED(400)},
    {"Host of two words", BYTES("GET /health HTTP/1.1\r\nHost: a b\r\n\r\n"), CLOSED(400)},
    /* Content-Length. */
    {"two Content-Lengths", BYTES(POST("Content-Length: 14\r\nContent-Length: 15\r\n", JSON)), CLOSED(400)},
    {"two Content-Lengths, none", BYTES(POST("Content-Length: 0\r\nContent-Length: 14\r\n", JSON)), CLOSED(400)},
    {"list of Content-Lengths", BYTES(POST("Content-Length: 14, 14\r\n", JSON)), CLOSED(400)},
    {"Content-Length of 20 digits", BYTES(POST("Content-Length: 18446744073709551616\r\n", JSON)), CLOSED(413)},
    {"Content-Length of 2^64-1", BYTES(POST("Content-Length: 18446744073709551615\r\n", JSON)), CLOSED(413)},
    {"Content-Length of 19 digits", BYTES(POST("Content-Length: 1000000000000000000\r\n", JSON)), CLOSED(413)},
    {"Content-Length of 18 digits", BYTES(POST("Content-Length: 100000000000000000\r\n", JSON)), CLOSED(413)},
    {"Content-Length of 40 digits", BYTES(POST("Content-Length: 1000000000000000000000000000000000000000\r\n", JSON)),
     CLOSED(413)},
    {"Content-Length with zeros", BYTES(POST("Content-Length: 0000000000000000000000014\r\n", JSON)), OPEN(200)},
    {"Content-Length with a minus", BYTES(POST("Content-Length: -14\r\n", JSON)), CLOSED(400)},
    {"Content-Length with a plus", BYTES(POST("Content-Length: +14\r\n", JSON)), CLOSED(400)},
    {"Content-Length in hex", BYTES(POST("Content-Length: 0xe\r\n", JSON)), CLOSED(400)},
    {"Content-Length with a point", BYTES(POST("Content-Length: 14.0\r\n", JSON)), CLOSED(400)},
    {"empty Content-Length", BYTES(POST("Content-Length:\r\n", JSON)), CLOSED(400)},
    {"no Content-Length", BYTES(POST("", "")), OPEN(400)},
    {"body of a GET", BYTES(GET("Content-Length: 14\r\n") JSON), OPEN(200)},
    /* Transfer-Encoding. */
    {"chunked", BYTES(CHUNKED(CHUNK "0\r\n\r\n")), OPEN(200)},
    {"Chunked", BYTES(POST("transfer-encoding: Chunked\r\n", CHUNK "0\r\n\r\n")), OPEN(200)},
    {"two chunks", BYTES(CHUNKED("1\r\n{\r\n000D\r\n\"inputs\":\"a\"}\r\n00\r\n\r\n")), OPEN(200)},
    {"with Content-Length", BYTES(POST("Content-Length: 14\r\nTransfer-Encoding: chunked\r\n", CHUNK "0\r\n\r\n")),
     CLOSED(400), .needs = NEWER},
    {"Content-Length after it", BYTES(POST("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", CHUNK "0\r\n\r\n")),
     CLOSED(400), .needs = NEWER},
    {"identity", BYTES(POST("Transfer-Encoding: identity\r\n", JSON)), CLOSED(400)},
    {"gzip, chunked", BYTES(POST("Transfer-Encoding: gzip, chunked\r\n", CHUNK "0\r\n\r\n")), CLOSED(400)},
    {"chunked twice", BYTES(POST("Transfer-Encoding: chunked, chunked\r\n", CHUNK "0\r\n\r\n")), CLOSED(400)},
    {"two Transfer-Encodings",
     BYTES(POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", CHUNK "0\r\n\r\n")), CLOSED(400)},
    {"two other codings", BYTES(POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n", CHUNK "0\r\n\r\n")),
     CLOSED(400)},
    {"almost chunked", BYTES(POST("Transfer-Encoding: xchunked\r\n", CHUNK "0\r\n\r\n")), CLOSED(400)},
    {"empty Transfer-Encoding", BYTES(POST("Transfer-Encoding:\r\n", CHUNK "0\r\n\r\n")), CLOSED(400)},
    {"chunked in HTTP/1.0",
     BYTES("POST /tokenize HTTP/1.0\r\n" TYPED "Transfer-Encoding: chunked\r\n\r\n" CHUNK "0\r\n\r\n"), CLOSED(400)},
    /* Chunks. */
    {"chunk extensions", BYTES(CHUNKED("e;a;b=c;d=\"e f\"\r\n" JSON "\r\n0;x\r\n\r\n")), OPEN(200), .needs = OURS},
    {"trailers", BYTES(CHUNKED(CHUNK "0\r\nX: y\r\nContent-Length: 3\r\n\r\n")), OPEN(200)},
    {"trailers of 100 kB", BYTES(CHUNKED(CHUNK "0\r\nX: ")), FILL("x", 100000, "\r\n\r\n"), CLOSED(431),
     .needs = NEWER},
    {"chunk size of 16 digits", BYTES(CHUNKED("ffffffffffffffff\r\n" JSON "\r\n0\r\n\r\n")), CLOSED(413),
     .needs = OURS},
    {"chunk size of 17 digits", BYTES(CHUNKED("10000000000000000\r\n" JSON "\r\n0\r\n\r\n")), CLOSED(413),
     .needs = NEWER},
    {"chunk size of 17 digits, small", BYTES(CHUNKED("0000000000000000e\r\n" JSON "\r\n0\r\n\r\n")), OPEN(200),
     .needs = NEWER},
    {"chunk line of 100 kB", BYTES(CHUNKED("e;")), FILL("x", 100000, "\r\n" JSON "\r\n0\r\n\r\n"), CLOSED(413),
     .needs = OURS},
    {"chunk size of 100 kB", BYTES(CHUNKED("")), FILL("0", 100000, "e\r\n" JSON "\r\n0\r\n\r\n"), CLOSED(413),
     .needs = NEWER},
    {"chunk size with a minus", BYTES(CHUNKED("-e\r\n" JSON "\r\n0\r\n\r\n")), CLOSED(400), .needs = NEWER},
    {"chunk size with 0x", BYTES(CHUNKED("0xe\r\n" JSON "\r\n0\r\n\r\n")), CLOSED(400), .needs = NEWER},
    {"space before a chunk size", BYTES(CHUNKED(" e\r\n" JSON "\r\n0\r\n\r\n")), CLOSED(400), .needs = NEWER},
    {"no chunk size", BYTES(CHUNKED("\r\n" JSON "\r\n0\r\n\r\n")), CLOSED(400), .needs = NEWER},
    {"chunk size too small", BYTES(CHUNKED("d\r\n" JSON "\r\n0\r\n\r\n")), CLOSED(400), .needs = NEWER},
    {"chunk lines of LF alone", BYTES(CHUNKED("e\n" JSON "\n0\n\n")), CLOSED(400), .needs = NEWER},
    /* What the body is. */
    {"other JSON",
     BYTES(POST_LINE "Host: a\r\nContent-Type: application/vnd.a+json; charset=utf-8\r\n"
                     "Content-Length: 14\r\n\r\n" JSON),
     OPEN(200)},
    {"JSON in capitals",
     BYTES(POST_LINE "Host: a\r\nContent-Type: Application/X+JSON\r\nContent-Length: 14\r\n\r\n" JSON), OPEN(200)},
    {"two words before +json",
     BYTES(POST_LINE "Host: a\r\nContent-Type: application/x/y+json\r\nContent-Length: 14\r\n\r\n" JSON), OPEN(415)},
    {"almost JSON", BYTES(POST_LINE "Host: a\r\nContent-Type: application/xjson\r\nContent-Length: 14\r\n\r\n" JSON),
     OPEN(415)},
    {"no subtype before +json",
     BYTES(POST_LINE "Host: a\r\nContent-Type: application/+json\r\nContent-Length: 14\r\n\r\n" JSON), OPEN(415)},
    {"gzip", BYTES(POST("Content-Encoding: gzip\r\nContent-Length: 14\r\n", JSON)), OPEN(400)}, /* it is not */
    {"br", BYTES(POST("Content-Encoding: br\r\nContent-Length: 14\r\n", JSON)), OPEN(415)},
    {"identity of the content", BYTES(POST("Content-Encoding: Identity\r\nContent-Length: 14\r\n", JSON)), OPEN(200)},
    {"too large", BYTES(POST("Content-Length: 100001\r\n", JSON)), FILL(" ", 99987, ""), OPEN(413)},
    {"too large in chunks", BYTES(CHUNKED("186a1\r\n")), FILL(" ", 100001, "\r\n0\r\n\r\n"), OPEN(413)},
    /* Connections. */
    {"HTTP/1.0", BYTES("GET /health HTTP/1.0\r\n\r\n"), CLOSED(200)},
    {"HTTP/1.0 kept", BYTES("GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"), OPEN(200)},
    {"close", BYTES(GET("Connection: close\r\n")), CLOSED(200)},
    {"Close among others", BYTES(GET("Connection: x, Close\r\n")), CLOSED(200)},
    {"close after a refusal", BYTES("GET /nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), CLOSED(404)},
    {"upgrade not taken", BYTES(GET("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: \r\n")),
     OPEN(200)},
    {"HEAD", BYTES("HEAD /health HTTP/1.1\r\nHost: a\r\n\r\n"), OPEN(200), .head = true},
    {"HEAD of nothing", BYTES("HEAD /nothing HTTP/1.1\r\nHost: a\r\n\r\n"), OPEN(404), .head = true},
    {"pipelined", BYTES(GET("") "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n" WHOLE), OPEN(200, 404, 200)},
    {"pipelined bodies", BYTES(WHOLE CHUNKED(CHUNK "0\r\n\r\n") WHOLE), OPEN(200, 200, 200)},
    {"refused in the middle", BYTES(WHOLE GET("Host: b\r\n") WHOLE), CLOSED(200, 400)},
    {"malformed in the middle", BYTES(WHOLE GET("X : y\r\n") WHOLE), CLOSED(200, 400), .needs = NEWER},
    {"Expect", BYTES(POST("Expect: 100-continue\r\nContent-Length: 14\r\n", "")), OPEN(100)},
    {"Expect with a body", BYTES(POST("Expect: 100-continue\r\nContent-Length: 14\r\n", JSON)), OPEN(200)},
    {"Expect without a body", BYTES(GET("Expect: 100-continue\r\n")), OPEN(200)},
    {"Expect refused", BYTES(POST("Expect: 100-continue\r\nContent-Length: 100001\r\n", "")), CLOSED(413)},
};

const size_t framing_n_rows = sizeof framing_rows / sizeof *framing_rows;

char *framing_bytes(const struct framing_row *row, size_t *ret_len)
{
    size_t unit = row->fill ? strlen(row->fill) : 0;
    size_t tail = row->tail ? strlen(row->tail) : 0;
    char *bytes = malloc(row->len + unit * row->times + tail + 1);
    memcpy(bytes, row->bytes, row->len);
    size_t len = row->len;
    for (size_t i = 0; unit && i < row->times; i++, len += unit)
        memcpy(bytes + len, row->fill, unit);
    if (tail)
        memcpy(bytes + len, row->tail, tail);
    *ret_len = len + tail;
    return bytes;
}
