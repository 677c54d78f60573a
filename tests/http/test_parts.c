/* The room's parts by themselves: routes, the list of truncated inputs. */
#include <criterion/criterion.h>
#include <string.h>

#include "server/http/endpoints.h"
#include "server/http/http.h"
#include "server/http/telemetry.h"
#include "server/http/truncated.h"
#include "server/serve/refusals.h"

static uint32_t index_of(const char *path)
{
    struct serve_string parts[HTTP_PARTS];
    return http_route_index(path, parts);
}

Test(routes, found_or_named)
{
    const struct http_endpoint *endpoint = NULL;
    const char *allow = NULL;
    struct error err;
    cr_expect_eq(http_route_find(&endpoint, &allow, index_of("/embed"), "POST", "/embed", &err), STATUS_OK);
    cr_expect_eq(endpoint, &http_embed);
    cr_expect_eq(http_route_find(&endpoint, &allow, index_of("/"), "POST", "/", &err), STATUS_OK);
    cr_expect_eq(endpoint, &http_embed);
    cr_expect_eq(http_route_find(&endpoint, &allow, index_of("/"), "HEAD", "/", &err), STATUS_OK);
    cr_expect_eq(endpoint, &http_health);
    cr_expect_eq(http_route_find(&endpoint, &allow, index_of("/decode"), "GET", "/decode", &err), STATUS_METHOD);
    cr_expect_str_eq(allow, "POST, OPTIONS");
    cr_expect_eq(http_route_find(&endpoint, &allow, index_of("/Embed"), "GET", "/Embed", &err), STATUS_NOT_FOUND);
    cr_expect_eq(endpoint, &http_health, "untouched");
}

Test(routes, have_one_name_each)
{
    cr_expect_str_eq(http_route_name(index_of("/embed")), "/embed");
    cr_expect_str_eq(http_route_name(index_of("/")), "/");
    cr_expect_eq(index_of("/Embed"), (uint32_t)HTTP_ROUTE_OTHER);
    for (uint32_t route = 0; route < HTTP_ROUTE_OTHER; route++)
        cr_expect_eq(index_of(http_route_name(route)), route);
    cr_expect_str_eq(http_route_name(HTTP_ROUTE_OTHER), "other");
}

/* Every code that a status has is counted. */
Test(telemetry, counts_every_code)
{
    static struct http_telemetry telemetry;
    for (int status = 0; status < STATUS_COUNT; status++)
        http_telemetry_count(&telemetry, HTTP_ROUTE_OTHER, (unsigned)status_http((enum status)status));
    uint64_t sum = 0;
    for (int c = 0; c < HTTP_CODES; c++)
        sum += telemetry.responses[HTTP_ROUTE_OTHER][c];
    cr_expect_eq(sum, (uint64_t)STATUS_COUNT);
    cr_expect_eq(telemetry.responses[0][0], 0u);
}

Test(refusals, few_lines_a_second)
{
    uint64_t left_out = 99;
    for (int i = 0; i < SERVE_REFUSALS_A_SECOND; i++) {
        cr_expect(serve_refusals_allow(STATUS_NOT_FOUND, 100, &left_out));
        cr_expect_eq(left_out, 0u);
    }
    for (int i = 0; i < 25; i++)
        cr_expect_not(serve_refusals_allow(STATUS_NOT_FOUND, 100, &left_out));
    cr_expect(serve_refusals_allow(STATUS_TIMEOUT, 100, &left_out), "each status for itself");
    cr_expect_eq(left_out, 0u);
    cr_expect(serve_refusals_allow(STATUS_NOT_FOUND, 101, &left_out));
    cr_expect_eq(left_out, 25u);
    cr_expect(serve_refusals_allow(STATUS_NOT_FOUND, 101, &left_out));
    cr_expect_eq(left_out, 0u);
}

Test(check, names_what_came)
{
    struct error err;
    cr_expect_eq(http_check("127.0.0.1", 1, false, &err), STATUS_UNHEALTHY);
    cr_expect(strstr(err.message, "port 1") != NULL, "%s", err.message);
    cr_expect_eq(http_check("no such host.invalid", 1, false, &err), STATUS_USAGE);
}

static void expect_truncated(const char *flags, size_t size, const char *want)
{
    struct serve_infer_input inputs[64] = {0};
    char text[256];
    uint32_t n = (uint32_t)strlen(flags);
    for (uint32_t i = 0; i < n; i++)
        inputs[i].truncated = flags[i] == 'x';
    memset(text, '#', sizeof text);
    http_write_truncated(inputs, n, text, size);
    cr_expect_str_eq(text, want);
    cr_expect_eq(text[size], '#');
}

Test(truncated, list)
{
    expect_truncated("", 32, "");
    expect_truncated("...", 32, "");
    expect_truncated("x", 32, "0");
    expect_truncated("x....x...x", 32, "0,5,9");
    expect_truncated("xx.xxxx", 32, "0-1,3-6");
    expect_truncated(".xxxxxxxxxx", 32, "1-10");
    expect_truncated("x.x.x.x.x.x.x.x", 12, "0,2,4,6,...");
    expect_truncated("x.x", 12, "0,2");
    expect_truncated("x.x.x.", 12, "0,2,4");
    expect_truncated(".........................xxxxxxxxxx", 8, "...");
}

static void expect_route(const char *path, const char *route)
{
    cr_expect_str_eq(http_route_name(index_of(path)), route, "%s", path);
}

Test(routes, names_of_models_may_hold_slashes)
{
    expect_route("/v1/models", "/v1/models");
    expect_route("/v1/models/", "other");
    expect_route("/v1/models/a", "/v1/models/{model}");
    expect_route("/v1/models//a/b/", "/v1/models/{model}");
    expect_route("/v2/models/a/b", "/v2/models/{model}");
    expect_route("/v2/models/a/b/infer", "/v2/models/{model}/infer");
    expect_route("/v2/models/a/versions/1", "/v2/models/{model}/versions/{version}");
    expect_route("/v2/models/a/versions/1/infer", "/v2/models/{model}/versions/{version}/infer");
    expect_route("/v2/models/a/versions/b/versions/2/ready", "/v2/models/{model}/versions/{version}/ready");
    expect_route("/v2/models/a/versions/1/2/infer", "/v2/models/{model}/infer");
    expect_route("/v2/models/infer", "/v2/models/{model}");
    expect_route("/v2/models/", "other");
    expect_route("/v2/modelsinfer", "other");
    struct serve_string parts[HTTP_PARTS] = {0};
    http_route_index("/v2/models/a/b/versions/12/ready", parts);
    cr_expect(parts[0].len == 3 && memcmp(parts[0].bytes, "a/b", 3) == 0);
    cr_expect(parts[1].len == 2 && memcmp(parts[1].bytes, "12", 2) == 0);
}

Test(routes, errors_are_put_as_the_clients_of_a_path_read_them)
{
    static const char *const openai[] = {"/v1", "/v1/", "/v1/embeddings", "/v1/x", "/embeddings", "/embeddings/"};
    static const char *const tei[] = {"", "/", "/v1x", "/v10/", "/embedding", "/embed", "/v2x", "*"};
    for (size_t i = 0; i < sizeof openai / sizeof *openai; i++)
        cr_expect_eq(http_route_error_form(openai[i]), WIRE_ERROR_OPENAI, "%s", openai[i]);
    for (size_t i = 0; i < sizeof tei / sizeof *tei; i++)
        cr_expect_eq(http_route_error_form(tei[i]), WIRE_ERROR_TEI, "%s", tei[i]);
    cr_expect_eq(http_route_error_form("/v2"), WIRE_ERROR_V2);
    cr_expect_eq(http_route_error_form("/v2/models/a/infer"), WIRE_ERROR_V2);
}
