/* Every error of requests in every protocol: HTTP status, code, words, details, where the status stands; and the
 * connection serves the next request. */
#include "tests/rpc/faults.h"

#define LONG "a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a "

#define INVALID AT_CALL, RPC_INVALID_ARGUMENT, 400
#define OTHER   AT_CALL, RPC_FAILED_PRECONDITION, 400

static const struct fault faults[] = {
    {"an unknown method", "/tei.v1.Embed/None", "/tei.v1.Embed/None", PROTO(A), "{}", NULL, AT_HEAD, RPC_UNIMPLEMENTED,
     404, "there is no method /tei.v1.Embed/None", NULL},
    {"no message of that kind", EMBED, STREAM,
     PROTO("\x0a\x05"
           "ab"),
     "{\"inputs\":", NULL, INVALID, "", "MALFORMED"},
    {"another type of field", EMBED, STREAM, PROTO("\x0a\x01\xff"), "{\"inputs\":[1]}", NULL, INVALID, "inputs",
     "MALFORMED"},
    {"no input", EMBED, STREAM, PROTO(""), "{}", NULL, INVALID, "`inputs` cannot be empty", "EMPTY"},
    {"no ids", "/tei.v1.Tokenize/Decode", "/tei.v1.Tokenize/DecodeStream", PROTO(""), "{\"ids\":[]}", NULL, INVALID,
     "cannot be empty", "EMPTY"},
    {"no inputs", BATCH, NULL, PROTO(""), "{\"inputs\":[]}", NULL, INVALID, "`inputs` cannot be empty", "EMPTY"},
    {"one empty input", BATCH, NULL, PROTO(A "\x0a\x00"), "{\"inputs\":[\"a\",\"\"]}", NULL, INVALID,
     "`inputs[1]` cannot be empty", "EMPTY"},
    {"a long input", EMBED, STREAM, PROTO("\x0a\x3c" LONG), "{\"inputs\":\"" LONG "\"}", NULL, INVALID,
     "must have at most 20 tokens", "VALIDATION"},
    {"many inputs", BATCH, NULL, PROTO(A A A A A), "{\"inputs\":[\"a\",\"a\",\"a\",\"a\",\"a\"]}", NULL, INVALID,
     "batch size 5 > maximum allowed batch size 4", "VALIDATION"},
    {"texts and ids", BATCH, NULL, PROTO(A "\x12\x03\x0a\x01\x05"), "{\"inputs\":[\"a\"],\"ids\":[{\"ids\":[5]}]}",
     NULL, INVALID, "ids", "VALIDATION"},
    {"an unknown id", BATCH, NULL, PROTO("\x12\x03\x0a\x01\x63"), "{\"ids\":[{\"ids\":[99]}]}", NULL, INVALID,
     "99 is not the id of a token", "VALIDATION"},
    {"an unknown prompt", EMBED, STREAM, PROTO(A "\x2a\x01p"), "{\"inputs\":\"a\",\"prompt_name\":\"p\"}", NULL,
     INVALID, "`prompt_name` \"p\"", "VALIDATION"},
    {"many dimensions", EMBED, STREAM, PROTO(A "\x30\x21"), "{\"inputs\":\"a\",\"dimensions\":33}", NULL, INVALID,
     "33 is more than the 32", "VALIDATION"},
    {"no dimensions", EMBED, STREAM, PROTO(A "\x30\x00"), "{\"inputs\":\"a\",\"dimensions\":0}", NULL, INVALID,
     "at least 1", "VALIDATION"},
    {"an unknown direction", EMBED, STREAM, PROTO(A "\x20\x07"), "{\"inputs\":\"a\",\"truncationDirection\":7}", NULL,
     INVALID, "`truncation_direction`", "VALIDATION"},
    {"an unknown class", BATCH, NULL, PROTO(A "\x50\x07"), "{\"inputs\":[\"a\"],\"priority\":7}", NULL, INVALID,
     "`priority`", "VALIDATION"},
    {"an unknown class in the head", EMBED, STREAM, PROTO(A), "{\"inputs\":\"a\"}", "x-bertd-priority: soon", INVALID,
     "x-bertd-priority", "VALIDATION"},
    {"an unknown coding", EMBED, STREAM, PROTO(A), "{\"inputs\":\"a\"}", "coding: br", AT_HEAD, RPC_UNIMPLEMENTED, 501,
     "is none of gzip, deflate, zstd, identity", NULL},
    {"no time at all", EMBED, STREAM, PROTO(A), "{\"inputs\":\"a\"}", "time: soon", AT_HEAD, RPC_INVALID_ARGUMENT, 400,
     "is not a time", NULL},
    {"much time", EMBED, STREAM, PROTO(A), "{\"inputs\":\"a\"}", "time: 12345678901", AT_HEAD, RPC_INVALID_ARGUMENT,
     400, "is not a time", NULL},
    {"a re-ranker's", "/tei.v1.Rerank/Rerank", NULL, PROTO(A), "{\"query\":\"a\"}", NULL, OTHER,
     "model is not a re-ranker model", "OTHER_MODEL"},
    {"a classifier's", "/tei.v1.Predict/Predict", "/tei.v1.Predict/PredictStream", PROTO(A), "{\"inputs\":\"a\"}", NULL,
     OTHER, "model is not a classifier model", "OTHER_MODEL"},
    {"a classifier's of pairs", "/tei.v1.Predict/PredictPair", "/tei.v1.Predict/PredictPairStream", PROTO(A),
     "{\"inputs\":[\"a\",\"b\"]}", NULL, OTHER, "model is not a classifier model", "OTHER_MODEL"},
    {"a sparse model's", "/tei.v1.Embed/EmbedSparse", "/tei.v1.Embed/EmbedSparseStream", PROTO(A), "{\"inputs\":\"a\"}",
     NULL, OTHER, "SPLADE", "OTHER_MODEL"},
};
enum { FAULTS = sizeof faults / sizeof *faults };

static void serve(void)
{
    serve_with(200, false, NULL);
}

TestSuite(errors, .init = serve, .fini = stop);

Test(errors, of_requests)
{
    for (int f = 0; f < FAULTS; f++)
        expect_everywhere(&faults[f], expect_and_go_on);
}

Test(errors, of_large_messages)
{
    static char large[PAYLOAD_LIMIT + 2];
    memset(large, ' ', PAYLOAD_LIMIT + 1);
    const struct fault fault = {"a large message",
                                EMBED,
                                STREAM,
                                large,
                                PAYLOAD_LIMIT + 1,
                                large,
                                NULL,
                                AT_BODY,
                                RPC_RESOURCE_EXHAUSTED,
                                429,
                                "more than 100000 bytes, the limit",
                                NULL};
    expect_everywhere(&fault, expect_and_go_on);
}

Test(errors, say_which_codings_are_known)
{
    const struct fault fault = {.unary = EMBED, .stream = STREAM, .proto = "", .json = "{}", .header = "coding: br"};
    for (int w = 0; w < WAYS; w++) {
        char line[100];
        struct told told = ask_for(w, &fault, ways[w].streams);
        snprintf(line, sizeof line, "\n%s: gzip, deflate, zstd, identity\n", ways[w].codings);
        cr_expect(strcasestr(told.head.data, line), "%s: %s", ways[w].type, told.head.data);
        told_free(&told);
    }
}

/* What is wrong with envelopes, and with a message that is compressed. */
Test(errors, of_bodies)
{
    static const struct {
        const char *name, *bytes;
        size_t len;
        const char *header;
        unsigned code;
        const char *words;
    } bodies[] = {
        {"no message", "", 0, NULL, RPC_UNIMPLEMENTED, "no message"},
        {"two messages", "\0\0\0\0\0\0\0\0\0\0", 10, NULL, RPC_UNIMPLEMENTED, "several messages"},
        {"unknown flags", "\x40\0\0\0\0", 5, NULL, RPC_INTERNAL, "0x40"},
        {"a cut head", "\0\0\0", 3, NULL, RPC_INTERNAL, "ends inside a message"},
        {"a cut message", "\0\0\0\0\2a", 6, NULL, RPC_INTERNAL, "ends inside a message"},
        {"compressed in no coding", "\1\0\0\0\1a", 6, NULL, RPC_INTERNAL, "names no coding"},
        {"not what the coding says", "\1\0\0\0\1a", 6, "coding: gzip", RPC_INVALID_ARGUMENT, "gzip"},
        {"not even that", "\1\0\0\0\1a", 6, "coding: zstd", RPC_INVALID_ARGUMENT, "zstd"},
    };
    for (int w = 2; w < WAYS; w++) {
        for (size_t b = 0; b < sizeof bodies / sizeof *bodies; b++) {
            char header[100];
            const struct fault fault = {
                .name = bodies[b].name, .found = AT_BODY, .code = bodies[b].code, .words = bodies[b].words};
            const struct question question = {
                .path = ways[w].streams ? "/grpc.health.v1.Health/Watch" : EMBED,
                .message = bodies[b].bytes,
                .len = bodies[b].len,
                .bare = true,
                .headers = {header_of(&ways[w], bodies[b].header, header, sizeof header)}};
            struct told told = ask_by(&askers[w], port, &ways[w], &question);
            expect_told(&told, &ways[w], &fault, false);
            told_free(&told);
            expect_served(w, true);
        }
    }
}

Test(errors, of_bodies_of_connect)
{
    const struct fault fault = {.name = "not gzip",
                                .unary = EMBED,
                                .proto = "a",
                                .n = 1,
                                .json = "a",
                                .header = "coding: gzip",
                                .found = AT_BODY,
                                .code = RPC_INVALID_ARGUMENT,
                                .http = 400,
                                .words = "gzip"};
    for (int w = 0; w < 2; w++)
        expect_and_go_on(w, &fault, false);
}

Test(errors, of_text_that_is_no_base64)
{
    struct way way = ways[6];
    const struct fault fault = {.name = "no base64", .found = AT_BODY, .code = RPC_INVALID_ARGUMENT, .words = "base64"};
    const struct question question = {.path = EMBED, .message = "AA*A", .len = 4, .bare = true};
    cr_assert(way.text);
    way.text = false; /* it is sent as it is, and answered without a body */
    struct told told = ask_by(&askers[6], port, &way, &question);
    expect_told(&told, &way, &fault, false);
    told_free(&told);
    expect_served(6, true);
}

/* Where HTTP alone can tell. */
Test(errors, of_http)
{
    static const char unknown[] = "application/xml";
    static const struct {
        const char *path, *type;
        bool h2;
        long http;
        const char *words;
    } rows[] = {{EMBED, unknown, false, 415, "content type"},
                {EMBED, unknown, true, 415, "content type"},
                {EMBED, "application/connect+proto", true, 415, "content type"},
                {STREAM, "application/proto", true, 415, "content type"},
                {EMBED, "application/grpc", false, 505, "HTTP/2"},
                {STREAM, "application/connect+proto", false, 505, "HTTP/2"},
                {"/tei.v1.Embed/None", unknown, false, 404, ""},
                {"/tei.v1.None/Embed", "application/proto", false, 404, "there is nothing at"},
                {"/tei.v1.None/Embed", "application/json", true, 404, "there is nothing at"}};
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        const struct way way = {.type = rows[r].type, .form = FORM_UNARY, .h2 = rows[r].h2};
        const struct question question = {.path = rows[r].path, .message = A, .len = 3};
        struct asker *asker = NULL;
        struct told told = ask_by(&asker, port, &way, &question);
        cr_expect_eq(told.http, rows[r].http, "%s %s: %ld", rows[r].path, rows[r].type, told.http);
        cr_expect(strstr(told.body.data, rows[r].words), "%s", told.body.data);
        cr_expect_eq(strcasestr(told.head.data, "\naccept-post: ") != NULL, rows[r].http == 415);
        told_free(&told);
        asker_close(&asker);
    }
}

/* gRPC and Connect's streams are known by their content type, whatever the path. */
Test(errors, of_unknown_services)
{
    const struct fault fault = {"an unknown service",
                                "/tei.v1.None/Embed",
                                "/tei.v1.None/Embed",
                                PROTO(A),
                                "{}",
                                NULL,
                                AT_HEAD,
                                RPC_UNIMPLEMENTED,
                                404,
                                "there is no method /tei.v1.None/Embed",
                                NULL};
    for (int w = 2; w < WAYS; w++)
        expect_and_go_on(w, &fault, ways[w].streams);
}

Test(errors, of_codecs)
{
    const struct fault fault = {
        .name = "an unknown codec", .found = AT_HEAD, .code = RPC_UNIMPLEMENTED, .words = "codec"};
    for (int w = 4; w < WAYS; w++) {
        struct way way = ways[w];
        const struct question question = {.path = EMBED, .message = A, .len = 3};
        char type[60], named[60];
        snprintf(type, sizeof type, "%.*s+xml", (int)strcspn(way.type, "+"), way.type);
        snprintf(named, sizeof named, "%.*s", (int)strcspn(way.type, "+"), way.type);
        way.type = type;
        struct asker *asker = NULL;
        struct told told = ask_by(&asker, port, &way, &question);
        cr_expect_eq(told.http, 200, "%s: %ld", type, told.http);
        cr_expect_str_eq(told.type, named);
        cr_expect(strcasestr(told.head.data, "\ngrpc-status: 12\n"), "%s", told.head.data);
        cr_expect(strcasestr(told.head.data, fault.words), "%s", told.head.data);
        told_free(&told);
        asker_close(&asker);
    }
}
