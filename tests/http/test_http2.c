/* REST over HTTP/2: the routes know nothing of it. */
#include <criterion/criterion.h>
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "tests/http/client.h"
#include "tests/http/process.h"

PROCESS_MAIN
{
    return process_main(argc, argv, "--boards 2 --drain-seconds 0");
}

struct text {
    char *bytes;
    size_t len;
};

static size_t collect(char *bytes, size_t size, size_t n, void *cookie)
{
    struct text *text = cookie;
    text->bytes = realloc(text->bytes, text->len + size * n + 1);
    memcpy(text->bytes + text->len, bytes, size * n);
    text->len += size * n;
    text->bytes[text->len] = '\0';
    return size * n;
}

/* A POST of JSON over HTTP/2. Returns how it went; `ret_code` of the answer, which is to be freed. */
static CURLcode post(int port, const char *path, const char *json, long timeout_ms, long *ret_code, struct text *ret)
{
    char url[128];
    CURL *curl = curl_easy_init();
    struct curl_slist *list = curl_slist_append(NULL, "content-type: application/json");
    long version = 0;
    snprintf(url, sizeof url, "http://127.0.0.1:%d%s", port, path);
    *ret = (struct text){calloc(1, 1), 0};
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, timeout_ms);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, json);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, collect);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, ret);
    CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, ret_code);
    curl_easy_getinfo(curl, CURLINFO_HTTP_VERSION, &version);
    cr_expect(code != CURLE_OK || version == CURL_HTTP_VERSION_2_0);
    curl_slist_free_all(list);
    curl_easy_cleanup(curl);
    return code;
}

Test(http2, answers_as_http1_does)
{
    static const struct {
        const char *path, *body;
    } rows[] = {{"/embed", "{\"inputs\":[\"one\",\"two words\"]}"},
                {"/v1/embeddings", "{\"input\":\"one\",\"encoding_format\":\"base64\"}"},
                {"/embed", "{\"inputs\":[]}"},
                {"/embed", "{\"inputs\":"},
                {"/tokenize", "{\"inputs\":\"one\"}"},
                {"/nothing", "{}"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct answer want = client_post(process_shared(), rows[i].path, rows[i].body);
        struct text got;
        long code = 0;
        cr_expect_eq(post(process_shared(), rows[i].path, rows[i].body, 0, &code, &got), CURLE_OK);
        cr_expect_eq(code, want.code, "%s: %ld", rows[i].body, code);
        cr_expect(got.len == want.len && memcmp(got.bytes, want.body, want.len) == 0, "%s: %.200s", rows[i].body,
                  got.bytes);
        free(got.bytes);
        client_free(&want);
    }
}

/* A client that resets its stream has its work given up, though the connection may go on. */
Test(http2, reset_cancels)
{
    struct process process = process_start("--board ref --boards 1 --drain-seconds 0 --request-timeout-ms 0");
    size_t len = 0;
    char *request = client_request(4, 40, "", &len);
    const char *body = strstr(request, "\r\n\r\n") + 4;
    struct text got;
    long code = 0;
    cr_expect_eq(post(process.port, "/embed", body, 300, &code, &got), CURLE_OPERATION_TIMEDOUT);
    free(got.bytes);
    cr_expect(client_becomes(process.port, "bertd_active_requests", 0), "it is stopped");
    cr_expect_eq(client_metric(process.port, "te_request_failure{err=\"cancelled\"}"), 1);
    cr_expect(client_becomes(process.port, "bertd_board_tasks_total{board=\"ref0\",result=\"cancelled\"}", 1));
    cr_expect_eq(post(process.port, "/embed", "{\"inputs\":\"short\"}", 0, &code, &got), CURLE_OK);
    cr_expect_eq(code, 200);
    free(got.bytes);
    free(request);
    process_stop(&process);
}
