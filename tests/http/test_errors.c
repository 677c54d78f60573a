/* Every error on every route that computes: status, body, code, type, in the form that the clients of the path read. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/http/client.h"
#include "tests/http/process.h"
#include "tests/http/surfaces.h"

#define KEY    "Authorization: Bearer sesame"
#define COMMON "--boards 1 --drain-seconds 0 --served-model-name " SURFACES_MODEL

PROCESS_MAIN
{
    return process_main(argc, argv, COMMON " --api-key sesame --payload-limit 4096");
}

/* What is wrong with a request, and what comes of it; `body` NULL: the surface's own. */
struct fault {
    const char *name;
    const char *method;
    const char *body;
    const char *headers[3];
    long code;
    const char *type;
    const char *words;
};

static const struct fault faults[] = {
    {"no key", "POST", NULL, {0}, 401, "Unauthenticated", "Authorization"},
    {"another key", "POST", NULL, {"Authorization: Bearer open"}, 401, "Unauthenticated", "Authorization"},
    {"another method", "PUT", NULL, {KEY}, 405, "MethodNotAllowed", "not PUT"},
    {"a coding that is not known", "POST", NULL, {KEY, "Content-Encoding: br"}, 415, "Validation", "br is not known"},
    {"not what the coding says", "POST", NULL, {KEY, "Content-Encoding: gzip"}, 400, "Validation", "not valid gzip"},
    {"no JSON", "POST", "{\"inputs\"", {KEY}, 400, "Validation", "not valid JSON"},
    {"no UTF-8", "POST", "{\"x\":\"\xFF\"}", {KEY}, 400, "Validation", "not UTF-8"},
    {"nothing", "POST", "{}", {KEY}, 422, "Validation", "is missing"},
    {"an array", "POST", "[]", {KEY}, 422, "Validation", "the body: expected an object"},
    {"no time", "POST", NULL, {KEY, "x-request-timeout-ms: 0"}, 422, "Validation", "x-request-timeout-ms"},
    {"no class", "POST", NULL, {KEY, "x-bertd-priority: soon"}, 422, "Validation", "x-bertd-priority"},
};

static struct answer ask(const struct surface *surface, const struct fault *fault)
{
    struct sending sending = {.body = fault->body ? fault->body : surface->body};
    for (int h = 0; h < 3; h++)
        sending.headers[h] = fault->headers[h];
    return client_ask(process_shared(), fault->method, surface->path, &sending);
}

Test(errors, of_requests)
{
    for (int s = 0; s < SURFACES; s++) {
        for (size_t f = 0; f < sizeof faults / sizeof *faults; f++) {
            printf("%s: %s\n", surfaces[s].path, faults[f].name);
            surface_expect_error(ask(&surfaces[s], &faults[f]), surfaces[s].form, faults[f].code, faults[f].type,
                                 faults[f].words);
        }
    }
}

Test(errors, say_what_else_there_is)
{
    for (int s = 0; s < SURFACES; s++) {
        struct answer answer = ask(&surfaces[s], &faults[0]);
        cr_expect_str_eq(client_header(&answer, "www-authenticate"), "Bearer");
        client_free(&answer);
        answer = ask(&surfaces[s], &faults[2]);
        cr_expect_str_eq(client_header(&answer, "allow"),
                         strcmp(surfaces[s].path, "/") == 0 ? "GET, HEAD, POST, OPTIONS" : "POST, OPTIONS");
        client_free(&answer);
    }
}

Test(errors, of_content_types)
{
    for (int s = 0; s < SURFACES; s++) {
        struct answer answer =
            client_ask(process_shared(), "POST", surfaces[s].path,
                       &(struct sending){.body = surfaces[s].body, .headers = {KEY, "Content-Type: text/plain"}});
        if (surfaces[s].any_type)
            client_expect_ok(answer);
        else
            surface_expect_error(answer, surfaces[s].form, 415, "Validation", "application/json");
    }
}

Test(errors, of_empty_inputs)
{
    for (int s = 0; s < SURFACES; s++)
        surface_expect_error(client_ask(process_shared(), "POST", surfaces[s].path,
                                        &(struct sending){.body = surfaces[s].empty, .headers = {KEY}}),
                             surfaces[s].form, 400, "Empty", "cannot be empty");
}

Test(errors, of_large_bodies)
{
    static char large[4098];
    memset(large, ' ', sizeof large - 1);
    for (int s = 0; s < SURFACES; s++) {
        for (int chunked = 0; chunked < 2; chunked++)
            surface_expect_error(client_ask(process_shared(), "POST", surfaces[s].path,
                                            &(struct sending){.body = large, .headers = {KEY}, .chunked = chunked}),
                                 surfaces[s].form, 413, "Validation", "4096 bytes");
    }
}

Test(errors, of_large_heads)
{
    static char field[20000] = "x-large: ";
    memset(field + strlen(field), 'x', sizeof field - strlen(field) - 1);
    for (int s = 0; s < SURFACES; s++)
        surface_expect_error(client_ask(process_shared(), "POST", surfaces[s].path,
                                        &(struct sending){.body = surfaces[s].body, .headers = {KEY, field}}),
                             surfaces[s].form, 431, "Validation", "");
}

Test(errors, of_paths)
{
    static const struct {
        const char *method, *path, *words;
    } cases[] = {
        {"GET", "/nothing", "there is nothing at /nothing"},
        {"POST", "/v3/embed", "there is nothing"},
        {"GET", "/v1", "there is nothing at /v1"},
        {"POST", "/v1/completions", "there is nothing"},
        {"GET", "/v1/models/other", "this one is: " SURFACES_MODEL},
        {"GET", "/v1/models/", "there is nothing"},
        {"GET", "/embeddings/x", "there is nothing"},
        {"GET", "/v2/", "there is nothing"},
        {"GET", "/v2/models/", "there is nothing"},
        {"GET", "/v2/models/other", "this one is: " SURFACES_MODEL},
        {"GET", "/v2/models/other/ready", "this one is"},
        {"GET", "/v2/models/acme", "this one is"},
        {"POST", "/v2/models/other/infer", "this one is"},
        {"GET", "/v2/models/" SURFACES_MODEL "/versions/2", "one version, 1"},
        {"GET", "/v2/models/" SURFACES_MODEL "/versions/2/ready", "one version, 1"},
        {"POST", "/v2/models/" SURFACES_MODEL "/versions/2/infer", "one version, 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool post = strcmp(cases[i].method, "POST") == 0;
        surface_expect_error(client_ask(process_shared(), cases[i].method, cases[i].path,
                                        &(struct sending){.body = post ? "{}" : NULL, .headers = {KEY}}),
                             surface_form_of(cases[i].path), 404, "NotFound", cases[i].words);
        surface_expect_error(
            client_ask(process_shared(), cases[i].method, cases[i].path, &(struct sending){.body = post ? "{}" : NULL}),
            surface_form_of(cases[i].path), 401, "Unauthenticated", "");
    }
}

Test(errors, of_other_kinds_of_models)
{
    static const char *const cases[][2] = {{"/rerank", "model is not a re-ranker model"},
                                           {"/predict", "model is not a classifier model"},
                                           {"/embed_sparse", "`embed_sparse` is not available"}};
    for (size_t i = 0; i < 3; i++) {
        surface_expect_error(client_ask(process_shared(), "POST", cases[i][0],
                                        &(struct sending){.body = "{\"inputs\":\"a\"}", .headers = {KEY}}),
                             FORM_TEI, 424, "Backend", cases[i][1]);
        surface_expect_error(client_post(process_shared(), cases[i][0], "{}"), FORM_TEI, 401, "Unauthenticated", "");
    }
    surface_expect_error(client_ask(process_shared(), "POST", "/admin/faults",
                                    &(struct sending){.body = "{\"board\":0,\"kind\":\"fail\"}", .headers = {KEY}}),
                         FORM_TEI, 403, "Forbidden", "");
}

/* One slow request is all that the server takes. */
Test(errors, of_a_busy_server)
{
    struct process process = process_start("--board ref " COMMON " --max-concurrent-requests 1 --request-timeout-ms 0");
    size_t len = 0;
    char *request = client_request(4, 60, "", &len);
    int fd = client_connect(process.port);
    client_send(fd, request, len);
    cr_expect(client_becomes(process.port, "bertd_active_requests", 1));
    for (int s = 0; s < SURFACES; s++) {
        struct answer answer = client_post(process.port, surfaces[s].path, surfaces[s].body);
        cr_expect(atoi(client_header(&answer, "retry-after")) >= 1, "%s", surfaces[s].path);
        surface_expect_error(answer, surfaces[s].form, 429, "Overloaded", "--max-concurrent-requests");
    }
    cr_expect_eq(client_metric(process.port, "bertd_active_requests"), 1, "it was busy all the time");
    close(fd);
    free(request);
    process_stop(&process);
}

Test(errors, of_time)
{
    struct process process = process_start("--board ref " COMMON);
    for (int s = 0; s < SURFACES; s++) {
        if (surfaces[s].infers)
            surface_expect_error(
                client_ask(process.port, "POST", surfaces[s].path,
                           &(struct sending){.body = surfaces[s].body, .headers = {"x-request-timeout-ms: 1"}}),
                surfaces[s].form, 504, "Timeout", "");
    }
    surface_expect_error(client_post(process.port, "/v2/models/" SURFACES_MODEL "/infer",
                                     "{\"parameters\":{\"timeout\":1},\"inputs\":[{\"name\":\"text\",\"shape\":[1],"
                                     "\"datatype\":\"BYTES\",\"data\":[\"a\"]}]}"),
                         FORM_V2, 504, "Timeout", "");
    process_stop(&process);
}

Test(errors, without_a_board)
{
    struct process process = process_start(COMMON " --enable-fault-injection");
    client_expect_ok(client_post(process.port, "/admin/faults", "{\"board\":0,\"kind\":\"load\",\"count\":1000}"));
    for (int s = 0; s < SURFACES; s++) {
        if (!surfaces[s].infers)
            continue;
        struct answer answer = client_post(process.port, surfaces[s].path, surfaces[s].body);
        cr_expect(atoi(client_header(&answer, "retry-after")) >= 1, "%s", surfaces[s].path);
        surface_expect_error(answer, surfaces[s].form, 503, "Unhealthy", "no board is in service");
    }
    static const char *const probes[] = {"/health", "/ping", "/", "/v2/health/ready", "/v2/models/acme/mini/ready"};
    for (size_t p = 0; p < sizeof probes / sizeof *probes; p++)
        surface_expect_error(client_ask(process.port, "GET", probes[p], NULL), surface_form_of(probes[p]), 503,
                             "Unhealthy", "no board");
    client_expect_ok(client_ask(process.port, "GET", "/v2/health/live", NULL));
    process_stop(&process);
}
