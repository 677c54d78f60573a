/* The services' methods, each with what it answers and how it fails, in both codecs. */
#include <jansson.h>

#include "bertd.pb-c.h"
#include "error_details.pb-c.h"
#include "health.pb-c.h"
#include "reflection.pb-c.h"
#include "tei.pb-c.h"
#include "tests/rpc/emu_server.h"
#include "tests/rpc/fake_stream.h"

TestSuite(services, .init = begin_stream, .fini = end);

#define UNPACK(type, i) type##__unpack(NULL, stream.sent_len[i], (const uint8_t *)stream.sent[i])

static void expect_ok(int n)
{
    cr_assert_eq(stream.code, 0u, "%u: %s", stream.code, stream.message);
    cr_assert_eq(stream.n_sent, n);
}

/* An error with these details; `retry`: google.rpc.RetryInfo is there. */
static void expect_error(rpc_code code, const char *reason, const char *words, bool retry)
{
    cr_assert_eq(stream.code, code, "%u: %s", stream.code, stream.message);
    cr_expect(strstr(stream.message, words), "%s", stream.message);
    cr_assert_eq(stream.n_details, retry ? 2u : 1u);
    cr_expect_str_eq(stream.details[0].type, "google.rpc.ErrorInfo");
    Google__Rpc__ErrorInfo *info =
        google__rpc__error_info__unpack(NULL, stream.details[0].len, (const uint8_t *)stream.details[0].bytes);
    cr_assert_not_null(info);
    cr_expect_str_eq(info->reason, reason);
    cr_expect_str_eq(info->domain, "bertd");
    google__rpc__error_info__free_unpacked(info, NULL);
    if (!retry)
        return;
    cr_expect_str_eq(stream.details[1].type, "google.rpc.RetryInfo");
    Google__Rpc__RetryInfo *delay =
        google__rpc__retry_info__unpack(NULL, stream.details[1].len, (const uint8_t *)stream.details[1].bytes);
    cr_assert(delay && delay->retry_delay);
    cr_expect_geq(delay->retry_delay->seconds, 1);
    google__rpc__retry_info__free_unpacked(delay, NULL);
}

/* The JSON of the only answer; fails the test when it is none. */
static json_t *ask_json(const char *path, const char *text)
{
    stream.codec = RPC_JSON;
    fake_open(&stream, path);
    fake_message(&stream, text, strlen(text));
    fake_half_close(&stream);
    fake_end(&stream);
    expect_ok(1);
    json_t *root = json_loadb(stream.sent[0], stream.sent_len[0], JSON_REJECT_DUPLICATES, NULL);
    cr_assert_not_null(root, "%.*s", (int)stream.sent_len[0], stream.sent[0]);
    return root;
}

Test(services, embed)
{
    Tei__V1__EmbedRequest request = TEI__V1__EMBED_REQUEST__INIT;
    request.inputs = (char *)(uintptr_t) "a b c";
    stream.headers[0][0] = "x-request-id";
    stream.headers[0][1] = "mine";
    fake_ask(&stream, "tei.v1.Embed/Embed", &request.base);
    expect_ok(1);
    Tei__V1__EmbedResponse *response = UNPACK(tei__v1__embed_response, 0);
    cr_assert_not_null(response);
    float *right = direct_rows("a b c", false, true);
    cr_assert_eq(response->n_embeddings, (size_t)EMU_HIDDEN);
    cr_expect_eq(memcmp(response->embeddings, right, EMU_HIDDEN * sizeof *right), 0);
    cr_expect_eq(response->metadata->compute_chars, 5u);
    cr_expect_eq(response->metadata->compute_tokens, 5u);
    cr_expect_gt(response->metadata->total_time_ns, response->metadata->tokenization_time_ns);
    cr_expect_gt(response->metadata->inference_time_ns, 0u);
    cr_expect_str_eq(fake_header(&stream, "x-compute-tokens"), "5");
    cr_expect_str_eq(fake_header(&stream, "x-compute-characters"), "5");
    cr_expect_str_eq(fake_header(&stream, "x-compute-type"), "cpu");
    cr_expect_str_eq(fake_header(&stream, "x-request-id"), "mine");
    tei__v1__embed_response__free_unpacked(response, NULL);
    free(right);
    fake_close(&stream);
}

Test(services, embed_in_json)
{
    json_t *root = ask_json("tei.v1.Embed/Embed", "{\"inputs\":\"a b c\",\"normalize\":false}");
    float *right = direct_rows("a b c", false, false);
    json_t *values = json_object_get(root, "embeddings");
    cr_assert_eq(json_array_size(values), (size_t)EMU_HIDDEN);
    for (size_t i = 0; i < EMU_HIDDEN; i++)
        cr_expect_eq((float)json_real_value(json_array_get(values, i)), right[i]);
    json_t *metadata = json_object_get(root, "metadata");
    cr_expect_eq(json_integer_value(json_object_get(metadata, "computeTokens")), 5);
    cr_expect(json_is_string(json_object_get(metadata, "totalTimeNs")));
    json_decref(root);
    free(right);
    fake_close(&stream);
}

/* A text may hold NUL, which the tokenizer drops; protobuf-c's strings end there. */
Test(services, a_text_with_nul)
{
    float *right = direct_rows("ab", false, true), *other = direct_rows("a", false, true);
    cr_assert_neq(memcmp(right, other, EMU_HIDDEN * sizeof *right), 0);
    for (int codec = RPC_PROTO; codec <= RPC_JSON; codec++) {
        static const char json[] = "{\"inputs\":\"a\\u0000b\"}";
        stream.codec = (enum rpc_codec)codec;
        fake_open(&stream, "tei.v1.Embed/Embed");
        fake_message(&stream,
                     codec ? json
                           : "\x0a\x03"
                             "a\0b",
                     codec ? sizeof json - 1 : 5);
        fake_half_close(&stream);
        fake_end(&stream);
        expect_ok(1);
        if (codec == RPC_PROTO) {
            Tei__V1__EmbedResponse *response = UNPACK(tei__v1__embed_response, 0);
            cr_expect_eq(response->metadata->compute_chars, 3u);
            cr_expect_eq(memcmp(response->embeddings, right, EMU_HIDDEN * sizeof *right), 0);
            tei__v1__embed_response__free_unpacked(response, NULL);
        } else {
            cr_expect(strstr(stream.sent[0], "\"computeChars\":3"));
        }
        fake_close(&stream);
    }
    free(right);
    free(other);
}

Test(services, embed_all)
{
    Tei__V1__EmbedAllRequest request = TEI__V1__EMBED_ALL_REQUEST__INIT;
    request.inputs = (char *)(uintptr_t) "a b c";
    fake_ask(&stream, "tei.v1.Embed/EmbedAll", &request.base);
    expect_ok(1);
    Tei__V1__EmbedAllResponse *response = UNPACK(tei__v1__embed_all_response, 0);
    float *right = direct_rows("a b c", true, false);
    cr_assert_eq(response->n_token_embeddings, 5u);
    for (size_t t = 0; t < 5; t++) {
        cr_assert_eq(response->token_embeddings[t]->n_embeddings, (size_t)EMU_HIDDEN);
        cr_expect_eq(
            memcmp(response->token_embeddings[t]->embeddings, right + t * EMU_HIDDEN, EMU_HIDDEN * sizeof *right), 0);
    }
    cr_expect_eq(response->metadata->compute_tokens, 5u);
    tei__v1__embed_all_response__free_unpacked(response, NULL);
    free(right);
    fake_close(&stream);
}

static void expect_vector(const Bertd__V1__EmbedBatchResponse *response, uint32_t row, const char *text, bool normalize)
{
    float *right = direct_rows(text, false, normalize);
    size_t size = response->width * sizeof *right;
    cr_expect_eq(memcmp(response->vectors.data + row * size, right, size), 0, "row %u", row);
    free(right);
}

Test(services, embed_batch)
{
    char *texts[] = {"a b", "c", "a b c d e f g h i j a b c d e f g h i j"};
    Bertd__V1__EmbedBatchRequest request = BERTD__V1__EMBED_BATCH_REQUEST__INIT;
    request.inputs = texts;
    request.n_inputs = 3;
    fake_ask(&stream, "bertd.v1.Embeddings/EmbedBatch", &request.base);
    expect_ok(1);
    Bertd__V1__EmbedBatchResponse *response = UNPACK(bertd__v1__embed_batch_response, 0);
    cr_assert_eq(response->rows, 3u);
    cr_assert_eq(response->width, (uint32_t)EMU_HIDDEN);
    cr_assert_eq(response->vectors.len, 3 * EMU_HIDDEN * sizeof(float));
    for (uint32_t i = 0; i < 3; i++)
        expect_vector(response, i, texts[i], true);
    cr_assert_eq(response->n_truncated, 3u);
    cr_expect(!response->truncated[0] && !response->truncated[1] && response->truncated[2]);
    cr_assert_eq(response->n_tokens, 3u);
    cr_expect_eq(response->tokens[0], 4u);
    cr_expect_eq(response->tokens[2], 20u);
    cr_expect_eq(response->metadata->compute_tokens, 4u + 3 + 20);
    cr_expect_str_eq(fake_header(&stream, "x-truncated-count"), "1");
    bertd__v1__embed_batch_response__free_unpacked(response, NULL);
    fake_close(&stream);
}

/* Cut and not normalised: the values themselves. Of token ids, [CLS] a b [SEP] and [CLS] c [SEP]. */
Test(services, embed_batch_of_ids)
{
    uint32_t first[] = {2, 4, 5, 3}, second[] = {2, 6, 3};
    Bertd__V1__TokenIds ids[2] = {BERTD__V1__TOKEN_IDS__INIT, BERTD__V1__TOKEN_IDS__INIT}, *list[] = {&ids[0], &ids[1]};
    Bertd__V1__EmbedBatchRequest request = BERTD__V1__EMBED_BATCH_REQUEST__INIT;
    ids[0].ids = first;
    ids[0].n_ids = 4;
    ids[1].ids = second;
    ids[1].n_ids = 3;
    request.ids = list;
    request.n_ids = 2;
    request.has_dimensions_case = BERTD__V1__EMBED_BATCH_REQUEST__HAS_DIMENSIONS_DIMENSIONS;
    request.dimensions = 5;
    request.has_normalize_case = BERTD__V1__EMBED_BATCH_REQUEST__HAS_NORMALIZE_NORMALIZE;
    request.priority = BERTD__V1__PRIORITY__PRIORITY_BULK;
    fake_ask(&stream, "bertd.v1.Embeddings/EmbedBatch", &request.base);
    expect_ok(1);
    Bertd__V1__EmbedBatchResponse *response = UNPACK(bertd__v1__embed_batch_response, 0);
    cr_assert_eq(response->rows, 2u);
    cr_assert_eq(response->width, 5u);
    cr_assert_eq(response->vectors.len, 2 * 5 * sizeof(float));
    expect_vector(response, 0, "a b", false);
    expect_vector(response, 1, "c", false);
    bertd__v1__embed_batch_response__free_unpacked(response, NULL);
    fake_close(&stream);
}

Test(services, embed_batch_chunked)
{
    json_t *root =
        ask_json("bertd.v1.Embeddings/EmbedBatch",
                 "{\"inputs\":[\"a b c d e f g h i j a b c d e f g h i j\"],\"chunk\":true,\"chunkOverlap\":1}");
    cr_expect_eq(json_integer_value(json_object_get(root, "rows")), 1);
    cr_expect_eq(json_string_length(json_object_get(root, "vectors")), (EMU_HIDDEN * 4 + 2) / 3 * 4u);
    cr_expect(json_is_false(json_array_get(json_object_get(root, "truncated"), 0)));
    json_decref(root);
    fake_close(&stream);
}

Test(services, tokenize_and_decode)
{
    json_t *root = ask_json("tei.v1.Tokenize/Tokenize", "{\"inputs\":\" a b\",\"addSpecialTokens\":true}");
    json_t *tokens = json_object_get(root, "tokens");
    cr_assert_eq(json_array_size(tokens), 4u);
    json_t *first = json_array_get(tokens, 0), *second = json_array_get(tokens, 1);
    cr_expect_str_eq(json_string_value(json_object_get(first, "text")), "[CLS]");
    cr_expect(json_is_true(json_object_get(first, "special")));
    cr_expect_null(json_object_get(first, "start"));
    cr_expect_str_eq(json_string_value(json_object_get(second, "text")), "a");
    cr_expect_eq(json_integer_value(json_object_get(second, "id")), 4);
    cr_expect_eq(json_integer_value(json_object_get(second, "start")), 1);
    cr_expect_eq(json_integer_value(json_object_get(second, "stop")), 2);
    json_decref(root);
    fake_close(&stream);
    root = ask_json("tei.v1.Tokenize/Tokenize", "{\"inputs\":\"a b\"}");
    cr_expect_eq(json_array_size(json_object_get(root, "tokens")), 2u);
    json_decref(root);
    fake_close(&stream);
    root = ask_json("tei.v1.Tokenize/Decode", "{\"ids\":[2,4,5,3],\"skipSpecialTokens\":true}");
    cr_expect_str_eq(json_string_value(json_object_get(root, "text")), "a b");
    json_decref(root);
    fake_close(&stream);
}

Test(services, info)
{
    json_t *root = ask_json("tei.v1.Info/Info", "{}");
    cr_expect_str_eq(json_string_value(json_object_get(root, "modelId")), "a model");
    cr_expect_str_eq(json_string_value(json_object_get(root, "version")), "1.2");
    cr_expect_eq(json_integer_value(json_object_get(root, "maxInputLength")), 20);
    cr_expect_eq(json_integer_value(json_object_get(root, "maxClientBatchSize")), 4);
    cr_expect_null(json_object_get(root, "maxBatchRequests"), "there is no limit");
    json_decref(root);
    fake_close(&stream);
}

Test(services, boards)
{
    json_t *root = ask_json("bertd.v1.Boards/List", "{}");
    cr_expect_eq(json_integer_value(json_object_get(root, "inService")), EMU_BOARDS);
    json_t *list = json_object_get(root, "boards"), *board = json_array_get(list, 0);
    cr_assert_eq(json_array_size(list), (size_t)EMU_BOARDS);
    cr_expect_str_eq(json_string_value(json_object_get(board, "kind")), "emu");
    cr_expect_eq(json_integer_value(json_object_get(board, "layerEnd")), EMU_LAYERS);
    cr_expect_null(json_object_get(board, "lastError"));
    json_decref(root);
    fake_close(&stream);
}

Test(services, health)
{
    json_t *root = ask_json("grpc.health.v1.Health/Check", "");
    cr_expect_str_eq(json_string_value(json_object_get(root, "status")), "SERVING");
    json_decref(root);
    fake_close(&stream);
    root = ask_json("grpc.health.v1.Health/List", "{}");
    json_t *statuses = json_object_get(root, "statuses");
    cr_expect_eq(json_object_size(statuses), 11u);
    static const char *const names[][2] = {{"", "SERVING"},
                                           {"tei.v1.Embed", "SERVING"},
                                           {"bertd.v1.Embeddings", "SERVING"},
                                           {"tei.v1.Predict", "NOT_SERVING"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *status = json_string_value(json_object_get(json_object_get(statuses, names[i][0]), "status"));
        cr_assert_not_null(status, "%s", names[i][0]);
        cr_expect_str_eq(status, names[i][1], "%s", names[i][0]);
    }
    json_decref(root);
    fake_close(&stream);
}

/* A client that has its schema from the server alone: every service, and every file with what it imports. */
Test(services, reflection)
{
    static const char *const paths[] = {"grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
                                        "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"};
    static const char *const asked[] = {
        "{\"listServices\":\"*\"}",
        "{\"fileContainingSymbol\":\"tei.v1.Embed\"}",
        "{\"fileContainingSymbol\":\"tei.v1.Embed.EmbedStream\"}",
        "{\"fileContainingSymbol\":\"tei.v1.EmbedRequest.inputs\"}",
        "{\"fileContainingSymbol\":\"grpc.health.v1.HealthCheckResponse.ServingStatus\"}",
        "{\"fileByFilename\":\"bertd.proto\"}",
        "{\"fileContainingSymbol\":\"grpc.reflection.v1alpha.ServerReflection\"}",
        "{\"fileContainingSymbol\":\"tei.v1.Embe\"}",
        "{\"fileContainingSymbol\":\"tei.v1.Embed.Nothing\"}",
        "{\"fileByFilename\":\"no.proto\"}",
        "{\"allExtensionNumbersOfType\":\"tei.v1.EmbedRequest\"}",
        "{\"host\":\"h\"}",
    };
    static const int files[] = {0, 1, 1, 1, 1, 2, 1, 0, 0, 0, 0, 0};
    for (int p = 0; p < 2; p++) {
        stream.codec = RPC_JSON;
        fake_open(&stream, paths[p]);
        for (size_t i = 0; i < sizeof asked / sizeof *asked; i++)
            fake_message(&stream, asked[i], strlen(asked[i]));
        fake_half_close(&stream);
        fake_end(&stream);
        expect_ok(sizeof asked / sizeof *asked);
        for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
            json_t *root = json_loadb(stream.sent[i], stream.sent_len[i], 0, NULL);
            json_t *services = json_object_get(json_object_get(root, "listServicesResponse"), "service");
            json_t *found = json_object_get(json_object_get(root, "fileDescriptorResponse"), "fileDescriptorProto");
            json_t *error = json_object_get(root, "errorResponse");
            cr_expect_eq(json_array_size(services), i == 0 ? 10u : 0u);
            cr_expect_eq(json_array_size(found), (size_t)files[i], "%s", asked[i]);
            cr_expect_eq(error != NULL, i > 6, "%s", asked[i]);
            cr_expect_eq(json_integer_value(json_object_get(error, "errorCode")), i <= 6 ? 0 : i == 11 ? 3 : 5);
            cr_expect(json_object_get(root, "originalRequest"));
            json_decref(root);
        }
        fake_close(&stream);
    }
}

/* Every error that a request itself can cause: code, reason, words. */
static const struct {
    const char *path;
    const char *json;
    rpc_code code;
    const char *reason;
    const char *words;
} failures[] = {
    {"tei.v1.Embed/Embed", "{}", 3, "EMPTY", "`inputs` cannot be empty"},
    {"tei.v1.Embed/Embed", "{\"inputs\":1}", 3, "MALFORMED", "EmbedRequest.inputs: expected a string"},
    {"tei.v1.Embed/Embed", "{", 3, "MALFORMED", "JSON: not a EmbedRequest: line 1"},
    {"tei.v1.Embed/Embed", "{\"inputs\":\"a b c d e f g h i j a b c d e f g h i j\"}", 3, "VALIDATION", "20"},
    {"tei.v1.Embed/Embed", "{\"inputs\":\"a\",\"dimensions\":0}", 3, "VALIDATION", "`dimensions`"},
    {"tei.v1.Embed/Embed", "{\"inputs\":\"a\",\"dimensions\":33}", 3, "VALIDATION",
     "`dimensions`: 33 is more than the 32"},
    {"tei.v1.Embed/Embed", "{\"inputs\":\"a\",\"truncationDirection\":2}", 3, "VALIDATION", "`truncation_direction`"},
    {"tei.v1.Embed/Embed", "{\"inputs\":\"a\",\"promptName\":\"no\"}", 3, "VALIDATION", "no"},
    {"tei.v1.Embed/EmbedAll", "{}", 3, "EMPTY", "`inputs` cannot be empty"},
    {"tei.v1.Embed/EmbedAll", "{\"inputs\":\"a\",\"truncationDirection\":2}", 3, "VALIDATION",
     "`truncation_direction`"},
    {"tei.v1.Embed/EmbedSparse", "{\"inputs\":\"a\"}", 9, "OTHER_MODEL", "Model is not an embedding model with SPLADE"},
    {"tei.v1.Embed/EmbedSparseStream", "{\"inputs\":\"a\"}", 9, "OTHER_MODEL",
     "Model is not an embedding model with SPLADE"},
    {"tei.v1.Predict/Predict", "{\"inputs\":\"a\"}", 9, "OTHER_MODEL", "model is not a classifier model"},
    {"tei.v1.Predict/PredictPair", "{\"inputs\":[\"a\"]}", 9, "OTHER_MODEL", "model is not a classifier model"},
    {"tei.v1.Predict/PredictStream", "{\"inputs\":\"a\"}", 9, "OTHER_MODEL", "model is not a classifier model"},
    {"tei.v1.Predict/PredictPairStream", "{}", 9, "OTHER_MODEL", "model is not a classifier model"},
    {"tei.v1.Rerank/Rerank", "{\"query\":\"a\"}", 9, "OTHER_MODEL", "model is not a re-ranker model"},
    {"tei.v1.Rerank/RerankStream", "{\"query\":\"a\"}", 9, "OTHER_MODEL", "model is not a re-ranker model"},
    {"tei.v1.Tokenize/Tokenize", "{}", 3, "EMPTY", "`inputs` cannot be empty"},
    {"tei.v1.Tokenize/Tokenize", "{\"inputs\":\"a\",\"promptName\":\"no\"}", 3, "VALIDATION", "no"},
    {"tei.v1.Tokenize/Decode", "{}", 3, "EMPTY", "`ids` cannot be empty"},
    {"bertd.v1.Embeddings/EmbedBatch", "{}", 3, "EMPTY", "`inputs` cannot be empty"},
    {"bertd.v1.Embeddings/EmbedBatch", "{\"inputs\":[\"a\",\"\"]}", 3, "EMPTY", "`inputs[1]`"},
    {"bertd.v1.Embeddings/EmbedBatch", "{\"ids\":[{\"ids\":[4]},{}]}", 3, "EMPTY", "`inputs[1]`"},
    {"bertd.v1.Embeddings/EmbedBatch", "{\"inputs\":[\"a\"],\"ids\":[{\"ids\":[4]}]}", 3, "VALIDATION", "only one"},
    {"bertd.v1.Embeddings/EmbedBatch", "{\"inputs\":[\"a\",\"a\",\"a\",\"a\",\"a\"]}", 3, "VALIDATION", "4"},
    {"bertd.v1.Embeddings/EmbedBatch", "{\"inputs\":[\"a\"],\"priority\":3}", 3, "VALIDATION", "`priority`"},
    {"bertd.v1.Embeddings/EmbedBatch", "{\"inputs\":[\"a\"],\"dimensions\":0}", 3, "VALIDATION", "`dimensions`"},
    {"bertd.v1.Boards/Watch", "{\"intervalMs\":99}", 3, "VALIDATION", "`interval_ms`"},
    {"bertd.v1.Boards/Watch", "[]", 3, "MALFORMED", "expected an object"},
    {"grpc.health.v1.Health/Check", "{\"service\":\"tei.v1.Nothing\"}", 5, "NOT_FOUND", "tei.v1.Nothing"},
};

Test(services, failures)
{
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        stream.codec = RPC_JSON;
        fake_open(&stream, failures[i].path);
        fake_message(&stream, failures[i].json, strlen(failures[i].json));
        fake_half_close(&stream);
        fake_end(&stream);
        cr_expect_eq(stream.n_sent, 0);
        expect_error(failures[i].code, failures[i].reason, failures[i].words, false);
        fake_close(&stream);
    }
}

Test(services, a_client_stream_without_messages)
{
    fake_open(&stream, "tei.v1.Rerank/RerankStream");
    fake_half_close(&stream);
    expect_error(3, "EMPTY", "no message", false);
    fake_close(&stream);
}

Test(services, a_wrong_priority)
{
    Tei__V1__EmbedRequest request = TEI__V1__EMBED_REQUEST__INIT;
    request.inputs = (char *)(uintptr_t) "a";
    stream.headers[0][0] = "x-bertd-priority";
    stream.headers[0][1] = "urgent";
    fake_ask(&stream, "tei.v1.Embed/Embed", &request.base);
    expect_error(3, "VALIDATION", "x-bertd-priority: expected interactive or bulk", false);
    fake_close(&stream);
}

/* Errors that the server's state causes. */
Test(full, overloaded, .fini = end)
{
    begin_with(0, 0);
    stream = (struct rpc_stream){.server = server, .socket = -1};
    Tei__V1__EmbedRequest request = TEI__V1__EMBED_REQUEST__INIT;
    request.inputs = (char *)(uintptr_t) "a";
    fake_ask(&stream, "tei.v1.Embed/Embed", &request.base);
    expect_error(8, "OVERLOADED", "0 requests are being worked on", true);
    fake_close(&stream);
    Tei__V1__InfoRequest info = TEI__V1__INFO_REQUEST__INIT;
    fake_ask(&stream, "tei.v1.Info/Info", &info.base);
    expect_ok(1);
    fake_close(&stream);
}

Test(services, shutting_down)
{
    Tei__V1__EmbedRequest request = TEI__V1__EMBED_REQUEST__INIT;
    request.inputs = (char *)(uintptr_t) "a";
    serve_server_drain(server);
    json_t *root = ask_json("grpc.health.v1.Health/Check", "{\"service\":\"tei.v1.Embed\"}");
    cr_expect_str_eq(json_string_value(json_object_get(root, "status")), "NOT_SERVING");
    json_decref(root);
    fake_close(&stream);
    stream.codec = RPC_PROTO;
    serve_server_close(server, false);
    fake_ask(&stream, "tei.v1.Embed/Embed", &request.base);
    expect_error(14, "UNHEALTHY", "the server is shutting down", true);
    fake_close(&stream);
}

Test(services, a_deadline)
{
    Tei__V1__EmbedRequest request = TEI__V1__EMBED_REQUEST__INIT;
    request.inputs = (char *)(uintptr_t) "a";
    stream.deadline_ns = 1; /* long ago */
    fake_ask(&stream, "tei.v1.Embed/Embed", &request.base);
    expect_error(4, "TIMEOUT", "time limit", false);
    fake_close(&stream);
}
