/* Files for browsers: open to all, with what a browser must know of them. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/http/client.h"
#include "tests/http/process.h"

PROCESS_MAIN
{
    return process_main(argc, argv, "--boards 1 --drain-seconds 0 --api-key sesame");
}

static const struct {
    const char *path;
    const char *type;
    const char *words; /* somewhere in it */
} files[] = {
    {"/openapi.json", "application/json", "\"openapi\": \"3.1.0\""},
    {"/docs", "text/html; charset=utf-8", "openapi.json"},
    {"/dashboard", "text/html; charset=utf-8", "dashboard/dashboard.js"},
    {"/dashboard/dashboard.css", "text/css; charset=utf-8", "prefers-color-scheme"},
    {"/dashboard/dashboard.js", "text/javascript; charset=utf-8", "fetch("},
};

Test(files, without_a_key)
{
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct answer answer = client_ask(process_shared(), "GET", files[i].path, NULL);
        cr_expect_eq(answer.code, 200, "%s: %ld", files[i].path, answer.code);
        cr_expect_str_eq(client_header(&answer, "Content-Type"), files[i].type);
        cr_expect_str_eq(client_header(&answer, "Cache-Control"), "no-cache");
        cr_expect_str_eq(client_header(&answer, "X-Content-Type-Options"), "nosniff");
        const char *policy = client_header(&answer, "Content-Security-Policy");
        cr_expect(strstr(policy, "default-src 'none'; script-src 'self'; style-src 'self';"), "%s", policy);
        cr_expect(strstr(policy, "frame-ancestors 'none'"));
        cr_expect(!strstr(policy, "unsafe") && !strstr(policy, "http"), "%s", policy);
        cr_expect(strstr(answer.body, files[i].words), "%s", files[i].path);
        client_free(&answer);
    }
}

Test(files, are_sent_once)
{
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char header[64];
        struct answer answer = client_ask(process_shared(), "GET", files[i].path, NULL);
        snprintf(header, sizeof header, "If-None-Match: %s", client_header(&answer, "ETag"));
        client_free(&answer);
        for (int head = 0; head < 2; head++) {
            answer = client_ask(process_shared(), head ? "HEAD" : "GET", files[i].path,
                                &(struct sending){.headers = {header}});
            cr_expect_eq(answer.code, 304, "%s: %ld", files[i].path, answer.code);
            cr_expect_eq(answer.len, 0u);
            cr_expect_str_eq(client_header(&answer, "ETag"), header + sizeof "If-None-Match: " - 1);
            client_free(&answer);
        }
        answer = client_ask(process_shared(), "GET", files[i].path,
                            &(struct sending){.headers = {"If-None-Match: \"another\""}});
        cr_expect_eq(answer.code, 200);
        client_free(&answer);
    }
    cr_expect_geq(client_metric(process_shared(), "bertd_http_responses_total{route=\"/dashboard\",code=\"304\"}"), 2);
}

/* With Swagger UI or without, all that /docs names is there, or it says how to get it. */
Test(files, swagger_ui)
{
    struct answer answer = client_ask(process_shared(), "GET", "/docs", NULL);
    bool built_in = strstr(answer.body, "docs/swagger-ui-bundle.js") != NULL;
    cr_expect(built_in || strstr(answer.body, "fetch_swagger_ui"), "%s", answer.body);
    client_free(&answer);
    static const char *const parts[] = {"/docs/docs.js", "/docs/swagger-ui.css", "/docs/swagger-ui-bundle.js"};
    for (size_t i = 0; i < 3; i++) {
        answer = client_ask(process_shared(), "GET", parts[i], NULL);
        cr_expect_eq(answer.code, built_in ? 200 : 404, "%s: %ld", parts[i], answer.code);
        cr_expect(!built_in || answer.len > 100);
        client_free(&answer);
    }
    client_expect_error(client_post(process_shared(), "/dashboard", "{}"), 401, "Unauthenticated", "");
}
