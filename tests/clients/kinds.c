#include "tests/clients/kinds.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "bertd.pb-c.h"

static const char as_json[] = "application/json";

static const char bertd_info[] =
    "{\"model_id\":\"/models/mini\",\"model_sha\":null,\"model_dtype\":\"int8\",\"served_model_name\":\"mini\","
    "\"model_type\":{\"embedding\":{\"pooling\":\"mean\"}},\"max_concurrent_requests\":512,\"max_input_length\":256,"
    "\"max_batch_tokens\":16384,\"max_batch_requests\":null,\"max_client_batch_size\":32,\"auto_truncate\":true,"
    "\"tokenization_workers\":2,\"version\":\"0.1.0\",\"auto_chunk\":false,\"chunk_overlap\":32,\"max_chunks\":64,"
    "\"compute_type\":\"fpga+emulated\",\"instruction_set\":\"avx2\",\"libmicrohttpd\":\"1.0.1\",\"boards\":2}";

static const char tei_info[] =
    "{\"model_id\":\"BAAI/bge-large-en-v1.5\",\"model_sha\":\"fca14538aa9956a46526bd1d0d11d69e19b5a101\","
    "\"model_dtype\":\"float16\",\"model_type\":{\"embedding\":{\"pooling\":\"cls\"}},\"max_concurrent_requests\":512,"
    "\"max_input_length\":512,\"max_batch_tokens\":16384,\"max_batch_requests\":null,\"max_client_batch_size\":32,"
    "\"auto_truncate\":false,\"tokenization_workers\":4,\"version\":\"1.9.3\",\"sha\":\"null\",\"docker_label\":null}";

float kinds_value(const char *text, size_t len, size_t column)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)text[i]) * 16777619u;
    return (float)(hash >> 8) / 16777216.0f + (float)column;
}

void kinds_check(const struct bertd_embeddings *found, const char *const *texts, const size_t *lengths, size_t n)
{
    cr_assert_eq(found->rows, n);
    cr_assert_eq(found->width, (size_t)KINDS_WIDTH);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < found->width; j++)
            cr_assert_eq(found->vectors[i * found->width + j],
                         kinds_value(texts[i], lengths ? lengths[i] : strlen(texts[i]), j), "row %zu", i);
}

char **kinds_texts(size_t n)
{
    char **texts = malloc(n * sizeof *texts);
    for (size_t i = 0; i < n; i++)
        cr_assert_gt(asprintf(&texts[i], "text %zu", i), 0);
    return texts;
}

void kinds_free_texts(char **texts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(texts[i]);
    free(texts);
}

struct bertd_options kinds_options(const char *const *addresses, size_t n)
{
    struct bertd_options options = bertd_options_default();
    options.endpoints = addresses;
    options.n_endpoints = n;
    options.backoff_ms = 1;
    options.breaker_rest_ms = 1;
    options.timeout_ms = 30000;
    return options;
}

struct bertd_client *kinds_client(const char *const *addresses, size_t n)
{
    const struct bertd_options options = kinds_options(addresses, n);
    struct bertd_client *client = NULL;
    struct bertd_error err;
    cr_assert_eq(bertd_client_create(&client, &options, &err), BERTD_OK, "%s", err.message);
    return client;
}

static void say_json(struct stand_reply *reply, json_t *json)
{
    reply->type = as_json;
    reply->body = json_dumps(json, JSON_REAL_PRECISION(9));
    reply->len = strlen(reply->body);
    json_decref(json);
}

static json_t *vector_of(const char *text, size_t len)
{
    json_t *vector = json_array();
    for (size_t j = 0; j < KINDS_WIDTH; j++)
        json_array_append_new(vector, json_real((double)kinds_value(text, len, j)));
    return vector;
}

/* Counts a request that embeds; false: it is refused. */
static bool count(struct kinds *kinds, const struct stand_request *request, size_t n, struct stand_reply *reply)
{
    unsigned most = kinds ? atomic_load(&kinds->most) : 0;
    if (kinds && kinds->largest_body && request->len > kinds->largest_body) {
        stand_say(reply, 413, as_json, "{\"error\":\"the body is too large\",\"error_type\":\"Validation\"}");
        return false;
    }
    if (kinds)
        atomic_fetch_add(&kinds->embeds, 1);
    while (kinds && most < n && !atomic_compare_exchange_weak(&kinds->most, &most, (unsigned)n))
        ;
    return true;
}

static void answer_batch(struct kinds *kinds, const struct stand_request *request, struct stand_reply *reply)
{
    Bertd__V1__EmbedBatchRequest *batch =
        bertd__v1__embed_batch_request__unpack(NULL, request->len, (const uint8_t *)request->body);
    cr_assert_not_null(batch);
    cr_assert_not_null(strstr(request->head, "Content-Type: application/proto"));
    cr_assert_not_null(strstr(request->head, "Connect-Timeout-Ms: "));
    size_t n = batch->n_inputs;
    float *vectors = malloc(n * KINDS_WIDTH * sizeof *vectors + 1);
    uint32_t *tokens = malloc(n * sizeof *tokens + 1);
    protobuf_c_boolean *truncated = calloc(n + 1, sizeof *truncated);
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < KINDS_WIDTH; j++)
            vectors[i * KINDS_WIDTH + j] = kinds_value(batch->inputs[i], strlen(batch->inputs[i]), j);
        tokens[i] = (uint32_t)strlen(batch->inputs[i]) + 200;
        truncated[i] = strlen(batch->inputs[i]) % 2 == 1;
    }
    Bertd__V1__EmbedBatchResponse answer = BERTD__V1__EMBED_BATCH_RESPONSE__INIT;
    answer.rows = (uint32_t)n;
    answer.width = KINDS_WIDTH;
    answer.vectors = (ProtobufCBinaryData){n * KINDS_WIDTH * sizeof(float), (uint8_t *)vectors};
    answer.n_tokens = answer.n_truncated = n;
    answer.tokens = tokens;
    answer.truncated = truncated;
    if (count(kinds, request, n, reply)) {
        reply->type = "application/proto";
        reply->len = bertd__v1__embed_batch_response__get_packed_size(&answer);
        reply->body = malloc(reply->len + 1);
        bertd__v1__embed_batch_response__pack(&answer, (uint8_t *)reply->body);
    }
    free(vectors);
    free(tokens);
    free(truncated);
    bertd__v1__embed_batch_request__free_unpacked(batch, NULL);
}

static void answer_embed(struct kinds *kinds, const struct stand_request *request, struct stand_reply *reply,
                         bool tokens)
{
    json_t *body = json_loadb(request->body, request->len, JSON_ALLOW_NUL, NULL), *answer = json_array();
    json_t *inputs = json_object_get(body, "inputs");
    cr_assert(json_is_array(inputs));
    for (size_t i = 0; i < json_array_size(inputs); i++) {
        json_t *text = json_array_get(inputs, i), *rows = json_array();
        const char *data = json_string_value(text);
        size_t len = json_string_length(text);
        if (!tokens) {
            json_decref(rows);
            rows = vector_of(data, len);
        }
        for (size_t t = 0; tokens && t < len % 4; t++) /* so many tokens */
            json_array_append_new(rows, vector_of(data + t, len - t));
        json_array_append_new(answer, rows);
    }
    snprintf(reply->headers, sizeof reply->headers, "x-compute-tokens: %zu\r\n", 3 * json_array_size(inputs));
    if (count(kinds, request, json_array_size(inputs), reply))
        say_json(reply, answer);
    else
        json_decref(answer);
    json_decref(body);
}

/* A special token, one for the whole text, a special one. */
static void answer_tokenize(const struct stand_request *request, struct stand_reply *reply)
{
    json_t *body = json_loadb(request->body, request->len, 0, NULL), *answer = json_array();
    json_t *inputs = json_object_get(body, "inputs");
    for (size_t i = 0; i < json_array_size(inputs); i++) {
        const char *text = json_string_value(json_array_get(inputs, i));
        json_array_append_new(answer, json_pack("[{s:i,s:s,s:b,s:n,s:n},{s:i,s:s,s:b,s:i,s:i},{s:i,s:s,s:b,s:n,s:n}]",
                                                "id", 101, "text", "[CLS]", "special", 1, "start", "stop", "id", 7592,
                                                "text", text, "special", 0, "start", 0, "stop", (int)strlen(text), "id",
                                                102, "text", "[SEP]", "special", 1, "start", "stop"));
    }
    say_json(reply, answer);
    json_decref(body);
}

void kinds_tei(void *cookie, const struct stand_request *request, struct stand_reply *reply)
{
    if (strcmp(request->path, "/info") == 0)
        stand_say(reply, 200, as_json, tei_info);
    else if (strcmp(request->path, "/health") == 0)
        stand_say(reply, 200, "text/plain", "");
    else if (strcmp(request->path, "/embed") == 0)
        answer_embed(cookie, request, reply, false);
    else if (strcmp(request->path, "/embed_all") == 0)
        answer_embed(cookie, request, reply, true);
    else if (strcmp(request->path, "/tokenize") == 0)
        answer_tokenize(request, reply);
    else
        stand_say(reply, 404, "text/plain", "");
}

void kinds_bertd(void *cookie, const struct stand_request *request, struct stand_reply *reply)
{
    struct kinds *kinds = cookie;
    if (strcmp(request->path, "/info") == 0)
        stand_say(reply, 200, as_json, bertd_info);
    else if (strcmp(request->path, "/bertd.v1.Embeddings/EmbedBatch") == 0 && !(kinds && kinds->no_batch_call))
        answer_batch(kinds, request, reply);
    else
        kinds_tei(cookie, request, reply);
}

static void answer_openai(struct kinds *kinds, const struct stand_request *request, struct stand_reply *reply)
{
    json_t *body = json_loadb(request->body, request->len, JSON_ALLOW_NUL, NULL), *data = json_array();
    json_t *inputs = json_object_get(body, "input");
    size_t n = json_array_size(inputs);
    cr_assert_not_null(json_object_get(body, "model"));
    for (size_t i = 0; i < n; i++) {
        size_t at = kinds && kinds->backwards ? n - 1 - i : i;
        const char *text = json_string_value(json_array_get(inputs, at));
        size_t len = json_string_length(json_array_get(inputs, at));
        float values[KINDS_WIDTH];
        struct buf text64 = {0};
        for (size_t j = 0; j < KINDS_WIDTH; j++)
            values[j] = kinds_value(text, len, j);
        base64_encode(&text64, values, sizeof values);
        json_t *embedding = kinds && kinds->floats ? vector_of(text, len) : json_stringn(text64.data, text64.len);
        buf_finish(&text64);
        json_array_append_new(
            data, json_pack("{s:s,s:o,s:i}", "object", "embedding", "embedding", embedding, "index", (int)at));
    }
    if (count(kinds, request, n, reply))
        say_json(reply, json_pack("{s:s,s:O,s:s,s:{s:i,s:i}}", "object", "list", "data", data, "model",
                                  "text-embedding-3-small", "usage", "prompt_tokens", 8, "total_tokens", 8));
    json_decref(data);
    json_decref(body);
}

void kinds_openai(void *cookie, const struct stand_request *request, struct stand_reply *reply)
{
    struct kinds *kinds = cookie;
    if (strcmp(request->path, "/v1/embeddings") == 0) {
        answer_openai(kinds, request, reply);
    } else if (strcmp(request->path, "/v1/models") == 0) {
        json_t *models = json_array();
        for (unsigned i = 0; i < (kinds && kinds->models ? kinds->models : 1); i++)
            json_array_append_new(models, json_pack("{s:s,s:s,s:i,s:s}", "id", "text-embedding-3-small", "object",
                                                    "model", "created", 1687882411, "owned_by", "openai-internal"));
        say_json(reply, json_pack("{s:s,s:o}", "object", "list", "data", models));
    } else {
        stand_say(reply, 404, as_json,
                  "{\"error\":{\"message\":\"Invalid URL (GET /info)\",\"type\":\"invalid_request_error\","
                  "\"param\":null,\"code\":null}}");
    }
}
