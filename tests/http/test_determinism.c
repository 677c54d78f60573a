/* The same text gives the same bytes: alone or among others, in any order, whatever the boards and the instruction
 * set. */
#include <criterion/criterion.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accel/cpu/cpu_flags.h"
#include "base/buf.h"
#include "server/wire/response.h"
#include "tests/http/client.h"
#include "tests/http/process.h"

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { TEXTS = 10 }; /* the longer ones take minutes there, and show nothing more */
#else
enum { TEXTS = 32 };
#endif

PROCESS_MAIN
{
    return process_main(argc, argv, "--boards 2 --drain-seconds 0 --request-timeout-ms 0");
}

/* Texts of very different lengths: 5 to about 90 tokens (15, where they are few). */
static const char *text_of(int i)
{
    static char text[TEXTS][2048];
    if (!text[i][0]) {
        char *to = text[i] + sprintf(text[i], "text number %d", i);
        for (int w = 0; w < i * i / 12; w++)
            to += sprintf(to, " %s", w % 3 ? "embedding" : "of words");
    }
    return text[i];
}

/* {"inputs": [the texts of `order`]}; the caller frees. */
static char *request_of(const int *order, int n)
{
    struct buf buf = {0};
    buf_puts(&buf, "{\"inputs\":[");
    for (int i = 0; i < n; i++) {
        if (i)
            buf_puts(&buf, ",");
        wire_write_text(&buf, text_of(order[i]));
    }
    buf_puts(&buf, "]}");
    buf_append(&buf, "", 1);
    size_t len;
    return buf_take(&buf, &len);
}

/* The text of each vector in a response body, cut at its brackets; they are written over with NUL. */
static void split(char *body, char **rows, int n)
{
    char *at = body + 1;
    for (int i = 0; i < n; i++) {
        at = strchr(at, '[');
        cr_assert(at != NULL);
        rows[i] = at + 1;
        at = strchr(at, ']');
        *at++ = '\0';
    }
}

static void expect_rows(int port, const int *order, int n, char *const *want)
{
    char *request = request_of(order, n);
    struct answer answer = client_post(port, "/embed", request);
    cr_assert_eq(answer.code, 200, "%.200s", answer.body);
    char *rows[TEXTS];
    split(answer.body, rows, n);
    for (int i = 0; i < n; i++)
        cr_assert(strcmp(rows[i], want[order[i]]) == 0, "text %d, one of %d", order[i], n);
    client_free(&answer);
    free(request);
}

/* What the shared server says to each text alone; the caller keeps it. */
static void reference(char **want)
{
    for (int i = 0; i < TEXTS; i++) {
        char *request = request_of(&i, 1);
        struct answer answer = client_post(process_shared(), "/embed", request);
        cr_assert_eq(answer.code, 200);
        char *row;
        split(answer.body, &row, 1);
        want[i] = strdup(row);
        client_free(&answer);
        free(request);
    }
}

static void in_many_company(int port, char *const *want)
{
    int order[TEXTS];
    for (int i = 0; i < TEXTS; i++)
        order[i] = i;
    expect_rows(port, order, TEXTS, want);
    for (int i = 0; i < TEXTS; i++)
        order[i] = TEXTS - 1 - i;
    expect_rows(port, order, TEXTS, want);
    for (int i = 0; i < TEXTS; i++)
        order[i] = i * 13 % TEXTS;
    expect_rows(port, order, TEXTS, want);
    for (int i = 0; i < TEXTS; i += 7)
        expect_rows(port, order + i, 3, want);
}

struct visitor {
    int port;
    int first;
    char *const *want;
};

static void *visit(void *cookie)
{
    const struct visitor *visitor = cookie;
    int order[TEXTS];
    for (int i = 0; i < TEXTS; i++)
        order[i] = (visitor->first + i * 5) % TEXTS;
    for (int n = 1; n <= TEXTS; n = n * 3 + 1)
        expect_rows(visitor->port, order, n, visitor->want);
    return NULL;
}

static void at_the_same_time(int port, char *const *want)
{
    enum { THREADS = 6 };
    pthread_t threads[THREADS];
    struct visitor visitors[THREADS];
    for (int i = 0; i < THREADS; i++) {
        visitors[i] = (struct visitor){port, i * 3, want};
        cr_assert_eq(pthread_create(&threads[i], NULL, visit, &visitors[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void forget(char **want)
{
    for (int i = 0; i < TEXTS; i++)
        free(want[i]);
}

Test(determinism, in_any_company)
{
    char *want[TEXTS];
    reference(want);
    in_many_company(process_shared(), want);
    at_the_same_time(process_shared(), want);
    forget(want);
}

Test(determinism, on_any_number_of_boards)
{
    static const char *const options[] = {"--boards 1 --drain-seconds 0 --request-timeout-ms 0",
                                          "--boards 5 --drain-seconds 0 --request-timeout-ms 0",
                                          "--boards 3 --drain-seconds 0 --request-timeout-ms 0 --max-batch-tokens 300 "
                                          "--max-batch-requests 2"};
    char *want[TEXTS];
    reference(want);
    for (int i = 0; i < 3; i++) {
        struct process process = process_start(options[i]);
        in_many_company(process.port, want);
        at_the_same_time(process.port, want);
        process_stop(&process);
    }
    forget(want);
}

static void expect_set(int port, const char *want)
{
    struct answer answer = client_ask(port, "GET", "/info", NULL);
    json_t *info = client_json(&answer);
    cr_expect_str_eq(json_string_value(json_object_get(info, "instruction_set")), want);
    json_decref(info);
    client_free(&answer);
}

/* A mask names the best set that may be used; where the machine has it not, the next best one runs. */
Test(determinism, on_any_instruction_set)
{
    const char *runs = NULL;
    char *want[TEXTS];
    reference(want);
    for (const struct cpu_set *set = cpu_sets; set < cpu_sets + CPU_N_SETS; set++) {
        if ((set->flag & ~cpu_flags_detected()) == 0)
            runs = set->name;
        struct process process =
            process_start_with("--boards 2 --drain-seconds 0 --request-timeout-ms 0", "BERTD_CPU_MASK", set->name);
        expect_set(process.port, runs);
        in_many_company(process.port, want);
        process_stop(&process);
    }
    forget(want);
}
