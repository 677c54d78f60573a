/* The rules of HTTP/1.1, byte for byte: the table is framing.c. Every request is answered, in the routes' form, by one
 * head; and afterwards the connection is where the next request begins, or closed. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/net/net.h"
#include "tests/http/client.h"
#include "tests/http/framing.h"
#include "tests/http/process.h"
#include "tests/http/raw.h"

/* Silence is told from slowness by the server's own patience, which is longer. */
enum { PATIENCE_MS = 30000 };

PROCESS_MAIN
{
    return process_main(argc, argv, "--boards 1 --drain-seconds 0 --payload-limit 100000 --idle-timeout-seconds 600");
}

static struct raw_answer answer;

static enum framing_library library(void)
{
    const char *version = net_library_version();
    return strchr(version, '+') ? OURS : version[0] == '0' ? ANY : NEWER;
}

static void expect_answers(int fd, const struct framing_row *row)
{
    for (int i = 0; i < 4 && row->codes[i]; i++) {
        raw_read(fd, &answer, row->head && i == 0, PATIENCE_MS);
        if (answer.code == 100 && row->codes[i] != 100)
            raw_read(fd, &answer, false, PATIENCE_MS);
        cr_expect_eq(answer.code, row->codes[i], "%s: answer %d is %d, want %d: %s%.300s", row->name, i, answer.code,
                     row->codes[i], answer.head, answer.body);
        if (answer.code >= 400 && !(row->head && i == 0))
            cr_expect(raw_is_error(&answer), "%s: %s%.300s", row->name, answer.head, answer.body);
    }
}

static void expect_end(int fd, const struct framing_row *row)
{
    static const char body[] = "{\"inputs\":\"a\"}";
    static const char next[] = "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n";
    if (!row->closed && answer.code == 100) {
        raw_send(fd, body, sizeof body - 1);
        raw_read(fd, &answer, false, PATIENCE_MS);
        cr_expect_eq(answer.code, 200, "%s: %d after the body", row->name, answer.code);
    }
    if (!row->closed)
        raw_send(fd, next, sizeof next - 1);
    raw_read(fd, &answer, false, PATIENCE_MS);
    cr_expect_eq(answer.code, row->closed ? RAW_CLOSED : 404, "%s: then %d: %s%.300s", row->name, answer.code,
                 answer.head, answer.body);
}

Test(framing, rules)
{
    size_t left_out = 0;
    for (size_t i = 0; i < framing_n_rows; i++) {
        const struct framing_row *row = &framing_rows[i];
        if (row->needs > library()) {
            left_out++;
            continue;
        }
        size_t len;
        char *bytes = framing_bytes(row, &len);
        int fd = client_connect(process_shared());
        raw_send(fd, bytes, len);
        expect_answers(fd, row);
        expect_end(fd, row);
        close(fd);
        free(bytes);
    }
    if (left_out)
        fprintf(stderr, "%zu of %zu rows left out: libmicrohttpd %s\n", left_out, framing_n_rows,
                net_library_version());
}

/* Whatever the size of a head, it is answered: served, or 431. */
Test(framing, heads_near_the_limit)
{
    static const struct framing_row kinds[] = {
        {.name = "one field", .fill = "x", .bytes = "X: "},
        {.name = "cookies", .fill = "; c1=v", .bytes = "Cookie: c0=v"},
        {.name = "fields", .fill = "\r\nX:", .bytes = "X:"},
    };
    if (library() == ANY)
        cr_skip_test("libmicrohttpd older than 1.0 closes such connections unanswered");
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        bool served = false, refused = false;
        for (size_t size = 500; size < 70000; size += size < 12000 ? 1000 : 170) {
            char start[256];
            snprintf(start, sizeof start,
                     "POST /tokenize HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                     "Content-Length: 14\r\n%s",
                     kinds[k].bytes);
            struct framing_row row = {.bytes = start,
                                      .len = strlen(start),
                                      .fill = kinds[k].fill,
                                      .times = size / strlen(kinds[k].fill),
                                      .tail = "\r\n\r\n{\"inputs\":\"a\"}"};
            size_t len;
            char *bytes = framing_bytes(&row, &len);
            int fd = client_connect(process_shared());
            raw_send(fd, bytes, len);
            raw_read(fd, &answer, false, PATIENCE_MS);
            cr_expect(answer.code == 200 || (answer.code == 431 && raw_is_error(&answer)), "%s of %zu bytes: %d",
                      kinds[k].name, size, answer.code);
            cr_expect_not(answer.code == 200 && refused, "%s: %zu bytes after less was refused", kinds[k].name, size);
            served = served || answer.code == 200;
            refused = refused || answer.code == 431;
            close(fd);
            free(bytes);
        }
        cr_expect(served && refused, "%s", kinds[k].name);
    }
}

/* The key's scheme is a word in any case. */
Test(framing, bearer)
{
    struct process process = process_start_with("--boards 1 --drain-seconds 0", "API_KEY", "s3cret");
    static const struct {
        const char *value;
        int code;
    } rows[] = {{"Bearer s3cret", 200},
                {"bearer s3cret", 200},
                {"BEARER s3cret", 200},
                {"bearer S3CRET", 401},
                {"Basic s3cret", 401}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char request[256];
        int len = snprintf(request, sizeof request, "GET /info HTTP/1.1\r\nHost: a\r\nAuthorization: %s\r\n\r\n",
                           rows[i].value);
        int fd = client_connect(process.port);
        raw_send(fd, request, (size_t)len);
        raw_read(fd, &answer, false, PATIENCE_MS);
        cr_expect_eq(answer.code, rows[i].code, "%s: %d", rows[i].value, answer.code);
        close(fd);
    }
    process_stop(&process);
}
