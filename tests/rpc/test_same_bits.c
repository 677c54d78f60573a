/* One text over every protocol of a server that listens: the same bits, and errors as each protocol tells them. */
#include <curl/curl.h>
#include <jansson.h>

#include "bertd.pb-c.h"
#include "tei.pb-c.h"
#include "tests/rpc/listening.h"

static void listen_all(void)
{
    begin();
    listen_to_all(false);
}

static void close_all(void)
{
    close_listening();
    end();
}

TestSuite(same_bits, .init = listen_all, .fini = close_all);

struct answer {
    long code;
    struct buf headers, body; /* trailers, too; NUL-terminated */
};

static size_t append(char *bytes, size_t size, size_t n, void *to)
{
    buf_append(to, bytes, size * n);
    return size * n;
}

static struct answer ask(const char *path, const char *type, const void *body, size_t len)
{
    struct answer answer = {0};
    char url[128], header[128];
    CURL *curl = curl_easy_init();
    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", port, path);
    snprintf(header, sizeof header, "content-type: %s", type);
    struct curl_slist *headers = curl_slist_append(NULL, header);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)len);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, append);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer.body);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, append);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &answer.headers);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 600L);
    if (strcmp(type, "application/grpc") == 0)
        curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE);
    CURLcode done = curl_easy_perform(curl);
    cr_assert_eq(done, CURLE_OK, "%s %s: %s", path, type, curl_easy_strerror(done));
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer.code);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    buf_append(&answer.headers, "", 1);
    buf_append(&answer.body, "", 1);
    answer.body.len--;
    return answer;
}

static void drop(struct answer *answer)
{
    buf_finish(&answer->headers);
    buf_finish(&answer->body);
}

static void expect_values(const json_t *values, const float *right, const char *path)
{
    cr_assert_eq(json_array_size(values), (size_t)EMU_HIDDEN, "%s", path);
    for (size_t i = 0; i < EMU_HIDDEN; i++)
        cr_expect_eq((float)json_real_value(json_array_get(values, i)), right[i], "%s", path);
}

static void expect_message(const char *bytes, size_t len, const float *right, const char *type)
{
    Tei__V1__EmbedResponse *response = tei__v1__embed_response__unpack(NULL, len, (const uint8_t *)bytes);
    cr_assert_not_null(response, "%s", type);
    cr_assert_eq(response->n_embeddings, (size_t)EMU_HIDDEN);
    cr_expect_eq(memcmp(response->embeddings, right, EMU_HIDDEN * sizeof *right), 0, "%s", type);
    tei__v1__embed_response__free_unpacked(response, NULL);
}

static const char text[] = "{\"inputs\":\"a b c\"}";
static const char message[] = "\0\0\0\0\x07\x0a\x05"
                              "a b c"; /* in its envelope */
enum { ENVELOPE = 5, MESSAGE = 7 };

/* New: what /embed answers; free. */
static float *embed(void)
{
    struct answer answer = ask("/embed", "application/json", text, strlen(text));
    cr_assert_eq(answer.code, 200);
    json_t *root = json_loads(answer.body.data, 0, NULL);
    float *right = direct_rows("a b c", false, true);
    expect_values(json_array_get(root, 0), right, "/embed");
    json_decref(root);
    drop(&answer);
    return right;
}

Test(same_bits, connect)
{
    float *right = embed();
    struct answer answer = ask("/tei.v1.Embed/Embed", "application/json", text, strlen(text));
    cr_assert_eq(answer.code, 200, "%s", answer.body.data);
    json_t *root = json_loads(answer.body.data, 0, NULL);
    expect_values(json_object_get(root, "embeddings"), right, "JSON");
    cr_expect(strcasestr(answer.headers.data, "\nx-compute-tokens: 5\r"));
    json_decref(root);
    drop(&answer);
    answer = ask("/tei.v1.Embed/Embed", "application/proto", message + ENVELOPE, MESSAGE);
    cr_assert_eq(answer.code, 200);
    expect_message(answer.body.data, answer.body.len, right, "proto");
    drop(&answer);
    free(right);
}

Test(same_bits, grpc_and_grpc_web)
{
    static const char *const types[] = {"application/grpc", "application/grpc-web+proto"};
    float *right = embed();
    for (int i = 0; i < 2; i++) {
        struct answer answer = ask("/tei.v1.Embed/Embed", types[i], message, ENVELOPE + MESSAGE);
        cr_assert_eq(answer.code, 200);
        cr_assert_gt(answer.body.len, (size_t)ENVELOPE);
        const unsigned char *head = (const unsigned char *)answer.body.data;
        size_t len = (size_t)head[1] << 24 | (size_t)head[2] << 16 | (size_t)head[3] << 8 | head[4];
        cr_assert_leq(ENVELOPE + len, answer.body.len);
        expect_message(answer.body.data + ENVELOPE, len, right, types[i]);
        const char *trailers = i ? answer.body.data + ENVELOPE + len + ENVELOPE : strstr(answer.headers.data, "grpc-");
        cr_assert(trailers && strcasestr(trailers, "grpc-status: 0\r"), "%s: %s", types[i], answer.headers.data);
        drop(&answer);
    }
    free(right);
}

Test(same_bits, a_batch)
{
    static const char batch[] = "{\"inputs\":[\"a b c\",\"d\",\"a b c\"]}";
    float *right = embed();
    struct answer answer = ask("/bertd.v1.Embeddings/EmbedBatch", "application/proto",
                               "\x0a\x05"
                               "a b c"
                               "\x0a\x01"
                               "d"
                               "\x0a\x05"
                               "a b c",
                               17);
    cr_assert_eq(answer.code, 200, "%s", answer.body.data);
    Bertd__V1__EmbedBatchResponse *response =
        bertd__v1__embed_batch_response__unpack(NULL, answer.body.len, (const uint8_t *)answer.body.data);
    cr_assert_not_null(response);
    cr_assert_eq(response->vectors.len, 3 * EMU_HIDDEN * sizeof(float));
    for (int row = 0; row < 3; row += 2)
        cr_expect_eq(memcmp((float *)(void *)response->vectors.data + row * EMU_HIDDEN, right, EMU_HIDDEN * 4), 0);
    bertd__v1__embed_batch_response__free_unpacked(response, NULL);
    drop(&answer);
    answer = ask("/bertd.v1.Embeddings/EmbedBatch", "application/json", batch, strlen(batch));
    cr_assert_eq(answer.code, 200, "%s", answer.body.data);
    cr_expect(strstr(answer.body.data, "\"rows\":3,\"width\":32,\"vectors\":\""), "%.80s", answer.body.data);
    drop(&answer);
    free(right);
}

Test(same_bits, an_error)
{
    static const char empty[] = "{\"inputs\":\"\"}";
    struct answer answer = ask("/tei.v1.Embed/Embed", "application/json", empty, strlen(empty));
    cr_assert_eq(answer.code, 400);
    json_t *root = json_loads(answer.body.data, 0, NULL);
    json_t *detail = json_array_get(json_object_get(root, "details"), 0);
    cr_expect_str_eq(json_string_value(json_object_get(root, "code")), "invalid_argument");
    cr_expect_str_eq(json_string_value(json_object_get(root, "message")), "`inputs` cannot be empty");
    cr_expect_str_eq(json_string_value(json_object_get(detail, "type")), "google.rpc.ErrorInfo");
    json_decref(root);
    drop(&answer);
    answer = ask("/tei.v1.Embed/Embed", "application/grpc", "\0\0\0\0\0", ENVELOPE);
    cr_assert_eq(answer.code, 200);
    cr_expect(strcasestr(answer.headers.data, "grpc-status: 3\r"), "%s", answer.headers.data);
    cr_expect(strcasestr(answer.headers.data, "grpc-message: `inputs` cannot be empty\r"));
    cr_expect(strcasestr(answer.headers.data, "grpc-status-details-bin: "));
    drop(&answer);
}
