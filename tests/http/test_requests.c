/* What is told of each request beside its answer: its id, its times, and a line in the log where it is refused. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/http/client.h"
#include "tests/http/process.h"
#include "tests/http/raw.h"

enum { PATIENCE_MS = 600000, MADE_LEN = 32 };

PROCESS_MAIN
{
    return process_main(argc, argv, "--boards 1 --drain-seconds 0 --cors-allow-origin *");
}

static const char good[] = "{\"inputs\":\"a\"}";

static bool is_made(const char *id)
{
    return strlen(id) == MADE_LEN && strspn(id, "0123456789abcdef") == MADE_LEN;
}

static void expect_id(const char *path, const char *method, const char *body, const char *given, const char *want)
{
    char header[400];
    snprintf(header, sizeof header, "x-request-id: %s", given);
    struct answer answer =
        client_ask(process_shared(), method, path, &(struct sending){.body = body, .headers = {header}});
    const char *got = client_header(&answer, "x-request-id");
    cr_expect(want ? strcmp(got, want) == 0 : is_made(got), "%s %s with \"%s\": \"%s\"", method, path, given, got);
    client_free(&answer);
}

Test(request_id, comes_back_with_every_response)
{
    static const char given[] = "6f1c-Aa/+=~!\"\\{}";
    static const struct {
        const char *method, *path, *body;
    } rows[] = {{"POST", "/embed", good},     {"POST", "/embed", "{}"},  {"POST", "/embed", "{"},
                {"POST", "/tokenize", good},  {"GET", "/health", NULL},  {"GET", "/info", NULL},
                {"GET", "/metrics", NULL},    {"GET", "/nothing", NULL}, {"GET", "/embed", NULL},
                {"OPTIONS", "/embed", NULL},  {"HEAD", "/health", NULL}, {"POST", "/admin/faults", "{}"},
                {"POST", "/embed_all", good}, {"POST", "/decode", "{}"}, {"GET", "/boards", NULL}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        expect_id(rows[i].path, rows[i].method, rows[i].body, given, given);
        expect_id(rows[i].path, rows[i].method, rows[i].body, "", NULL);
    }
}

Test(request_id, must_be_plain)
{
    char text[300];
    memset(text, 'x', sizeof text);
    text[128] = '\0';
    expect_id("/health", "GET", NULL, text, text);
    text[128] = 'x';
    text[129] = '\0';
    expect_id("/health", "GET", NULL, text, NULL);
    expect_id("/health", "GET", NULL, "two words", NULL);
    expect_id("/health", "GET", NULL, "a\tb", NULL);
    expect_id("/health", "GET", NULL, "w\xC3\xB6rld", NULL);
}

/* Answers that no route makes. */
Test(request_id, of_what_cannot_be_read)
{
    static char head[20000];
    static struct raw_answer answer;
    int len =
        snprintf(head, sizeof head, "GET /health HTTP/1.1\r\nHost: a\r\nx-request-id: mine\r\nX: %017000d\r\n\r\n", 0);
    int fd = client_connect(process_shared());
    raw_send(fd, head, (size_t)len);
    raw_read(fd, &answer, false, PATIENCE_MS);
    cr_expect_eq(answer.code, 431);
    cr_expect(strstr(answer.head, "\r\nx-request-id: mine\r\n"), "%s", answer.head);
    close(fd);
    static const char broken[] = "GET /health\r\n\r\n";
    fd = client_connect(process_shared());
    raw_send(fd, broken, sizeof broken - 1);
    raw_read(fd, &answer, false, PATIENCE_MS);
    cr_expect_eq(answer.code, 400);
    const char *id = strcasestr(answer.head, "\r\nx-request-id: ");
    cr_expect(id && strspn(id + 16, "0123456789abcdef") == MADE_LEN, "%s", answer.head);
    close(fd);
}

Test(timing, with_fractions)
{
    struct answer answer = client_ask(process_shared(), "POST", "/embed",
                                      &(struct sending){.body = good, .headers = {"Origin: http://a.example"}});
    double tokenization = -1, queue = -1, inference = -1, total = -1;
    cr_expect_eq(sscanf(client_header(&answer, "Server-Timing"),
                        "tokenization;dur=%lf, queue;dur=%lf, inference;dur=%lf, total;dur=%lf", &tokenization, &queue,
                        &inference, &total),
                 4);
    cr_expect(tokenization >= 0 && queue >= 0 && inference > 0, "%g %g %g", tokenization, queue, inference);
    cr_expect(total >= inference, "%g", total);
    double rounded = atof(client_header(&answer, "x-total-time"));
    cr_expect(rounded <= total && total <= rounded + 1, "%g, %g", rounded, total);
    const char *exposed = client_header(&answer, "Access-Control-Expose-Headers");
    cr_expect(strstr(exposed, "server-timing") && strstr(exposed, "x-request-id"));
    client_free(&answer);
}

/* Refused requests --------------------------------------------------------------------------------------------------*/

static void refuse(int port, const char *path, const char *body, const char *id, const char *key)
{
    char id_header[64], key_header[64];
    snprintf(id_header, sizeof id_header, "x-request-id: %s", id);
    snprintf(key_header, sizeof key_header, "Authorization: Bearer %s", key);
    struct answer answer =
        client_ask(port, "POST", path, &(struct sending){.body = body, .headers = {id_header, key_header}});
    cr_expect(answer.code >= 400, "%s: %ld", path, answer.code);
    client_free(&answer);
}

Test(refusal, is_a_line_without_text_and_key)
{
    struct process process = process_start_with(
        "--boards 1 --drain-seconds 0 --max-client-batch-size 2 --log-level debug", "API_KEY", "s3cret");
    static const char *const lines[] = {
        "\"request_id\":\"r1\",\"route\":\"/embed\",\"client\":\"127.0.0.1:",
        "\"status\":\"VALIDATION\",\"reason\":\"batch size 3 > maximum allowed batch size 2 (see "
        "--max-client-batch-size)\",\"left_out\":0,\"code\":422,\"trace_id\":\"",
        "\"request_id\":\"r2\",\"route\":\"/tokenize\",\"client\":\"127.0.0.1:",
        "\"status\":\"UNAUTHENTICATED\"",
        "\"request_id\":\"r3\",\"route\":\"other\",\"client\":\"127.0.0.1:",
        "\"status\":\"NOT_FOUND\",\"reason\":\"there is nothing at /nothing\"",
        "\"request_id\":\"r4\",\"route\":\"/embed\",\"client\":\"127.0.0.1:",
        "\",\"key\":\"default\"}",
        "\"message\":\"unknown fields of a request ignored\",\"request_id\":\"r5\",\"fields\":6,\"names\":\"aa, "
        "abcdefghijklmnopqrstuvwxyz0123456789abcd, cc, dd\"",
        "\"message\":\"answered\",\"request_id\":\"r5\",\"route\":\"/decode\",\"method\":\"POST\",\"code\":200"};
    refuse(process.port, "/embed", "{\"inputs\":[\"hush\",\"hush\",\"hush\"]}", "r1", "s3cret");
    refuse(process.port, "/tokenize", "{\"inputs\":\"hush\"}", "r2", "guessed");
    refuse(process.port, "/nothing", "{\"inputs\":\"hush\"}", "r3", "s3cret");
    refuse(process.port, "/embed", "{\"inputs\":\"hush", "r4", "s3cret");
    client_expect_ok(client_ask(
        process.port, "POST", "/decode",
        &(struct sending){.body = "{\"ids\":[101],\"aa\":\"hush\",\"abcdefghijklmnopqrstuvwxyz0123456789abcdef\":1,"
                                  "\"cc\":1,\"dd\":1,\"ee\":1,\"ff\":1}",
                          .headers = {"x-request-id: r5", "Authorization: Bearer s3cret"}}));
    refuse(process.port, "/embed_all", "{\"inputs\":[\"hush\",\"\"]}", "r6", "s3cret");
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        process_await_log(&process, lines[i]);
    cr_expect_not(process_logged(&process, "hush"));
    cr_expect_not(process_logged(&process, "s3cret"));
    cr_expect_not(process_logged(&process, "guessed"));
    process_stop(&process);
}
