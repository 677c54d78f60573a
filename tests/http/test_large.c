/* Large client batches: more texts than the queue takes at once, over three boards. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/http/client.h"
#include "tests/http/process.h"

enum { TEXTS = 300 }; /* the queue's limit is 4 * 32 */

PROCESS_MAIN
{
    return process_main(argc, argv,
                        "--boards 3 --drain-seconds 0 --max-concurrent-requests 4 --max-client-batch-size 300 "
                        "--request-timeout-ms 0");
}

/* {"inputs": [n texts, of different words and lengths], more} */
static char *texts(int from, int n, const char *more)
{
    static const char *const words[] = {"river", "stone", "music", "letter", "green", "seven", "cloud"};
    char *body = malloc((size_t)n * 300 + 200);
    char *to = body + sprintf(body, "{\"inputs\":[");
    for (int i = from; i < from + n; i++) {
        to += sprintf(to, "%s\"%d", i > from ? "," : "", i);
        for (int w = 0; w < i % 9; w++)
            to += sprintf(to, " %s", words[(i * 5 + w * w) % 7]);
        to += sprintf(to, "\"");
    }
    sprintf(to, "]%s}", more);
    return body;
}

static json_t *embed(int from, int n)
{
    char *body = texts(from, n, "");
    struct answer answer = client_post(process_shared(), "/embed", body);
    cr_assert_eq(answer.code, 200, "%.300s", answer.body);
    json_t *rows = client_json(&answer);
    cr_assert_eq(json_array_size(rows), (size_t)n);
    client_free(&answer);
    free(body);
    return rows;
}

Test(large, one_request_is_as_many_small_ones)
{
    json_t *all = embed(0, TEXTS);
    for (int from = 0; from < TEXTS; from += 25) {
        json_t *some = embed(from, 25);
        for (int i = 0; i < 25; i++)
            cr_assert(json_equal(json_array_get(all, (size_t)(from + i)), json_array_get(some, (size_t)i)), "%d",
                      from + i);
        json_decref(some);
    }
    json_decref(all);
    static const char *const flights[] = {"bertd_board_flights_total{board=\"emu0\"}",
                                          "bertd_board_flights_total{board=\"emu1\"}",
                                          "bertd_board_flights_total{board=\"emu2\"}"};
    for (int b = 0; b < 3; b++)
        cr_expect(client_metric(process_shared(), flights[b]) > 0, "%s", flights[b]);
}

Test(large, limit_is_told_and_kept)
{
    struct answer answer = client_ask(process_shared(), "GET", "/info", NULL);
    json_t *info = client_json(&answer);
    cr_expect_eq(json_integer_value(json_object_get(info, "max_client_batch_size")), TEXTS);
    json_decref(info);
    client_free(&answer);
    char *body = texts(0, TEXTS + 1, "");
    client_expect_error(client_post(process_shared(), "/embed", body), 422, "Validation",
                        "batch size 301 > maximum allowed batch size 300");
    free(body);
}

/* Which of many inputs is at fault. */
Test(large, errors_name_the_input)
{
    char body[4000];
    char *to = body + sprintf(body, "{\"truncate\":false,\"inputs\":[\"a\",\"b\",\"");
    for (int i = 0; i < 300; i++)
        to += sprintf(to, "word ");
    sprintf(to, "\",\"c\"]}");
    client_expect_error(client_post(process_shared(), "/embed", body), 422, "Validation",
                        "`inputs[2]` must have at most 256 tokens. Given: 302");
    client_expect_error(client_post(process_shared(), "/embed", "{\"inputs\":[\"a\",[1,2],[4000000000]]}"), 422,
                        "Validation",
                        "`inputs[2]`: 4000000000 is not the id of a token (the vocabulary has 30522 entries)");
    client_expect_error(client_post(process_shared(), "/embed", "{\"inputs\":[\"a\",\"b\",\"c\",\"\"]}"), 400, "Empty",
                        "`inputs[3]` cannot be empty");
    client_expect_error(client_post(process_shared(), "/embed", "{\"inputs\":[\"a\",{}]}"), 422, "Validation",
                        "`inputs[1]`: expected a string");
}

/* Its client hangs up, or its time is over: nothing of it goes on, and others are served meanwhile. */
Test(large, all_of_it_is_cancelled)
{
    struct process process = process_start("--board ref --boards 1 --drain-seconds 0 --max-concurrent-requests 2 "
                                           "--request-timeout-ms 0 --max-input-length 24 --max-batch-tokens 24");
    size_t len = 0;
    char *request = client_request(900, 20, "", &len);
    int fd = client_connect(process.port);
    client_send(fd, request, len);
    cr_expect(client_becomes(process.port, "bertd_active_requests", 1));
    client_expect_ok(client_post(process.port, "/embed", "{\"inputs\":\"hello\"}"));
    cr_expect(client_metric(process.port, "te_queue_size") > 64, "the queue's limit");
    close(fd);
    cr_expect(client_becomes(process.port, "bertd_active_requests", 0));
    cr_expect_eq(client_metric(process.port, "te_queue_size"), 0);
    cr_expect_eq(client_metric(process.port, "bertd_request_memory_bytes"), 0);
    cr_expect_eq(client_metric(process.port, "te_embed_success"), 1);
    char *body = texts(0, 900, "");
    client_expect_error(client_ask(process.port, "POST", "/embed",
                                   &(struct sending){.body = body, .headers = {"x-request-timeout-ms: 500"}}),
                        504, "Timeout", "time limit");
    cr_expect(client_becomes(process.port, "te_queue_size", 0));
    client_expect_ok(client_post(process.port, "/embed", "{\"inputs\":\"hello\"}"));
    free(body);
    free(request);
    process_stop(&process);
}

/* A time limit beyond what a clock counts is a long one, where the server has none of its own. */
Test(deadline, of_ages)
{
    client_expect_ok(client_ask(
        process_shared(), "POST", "/embed",
        &(struct sending){.body = "{\"inputs\":\"a\"}", .headers = {"x-request-timeout-ms: 999999999999999999"}}));
    client_expect_ok(client_ask(
        process_shared(), "POST", "/embed",
        &(struct sending){.body = "{\"inputs\":\"a\"}", .headers = {"x-request-timeout-ms: 18446744073710"}}));
}

Test(large, memory_is_bounded)
{
    struct process process =
        process_start("--boards 1 --drain-seconds 0 --max-request-memory 2000000 --payload-limit 1000000");
    char *body = texts(0, 900, "");
    client_expect_error(client_post(process.port, "/embed", body), 422, "Validation", "--max-request-memory");
    cr_expect(client_becomes(process.port, "bertd_request_memory_bytes", 0));
    free(body);
    body = texts(0, 150, "");
    client_expect_ok(client_post(process.port, "/embed", body));
    free(body);
    process_stop(&process);
}
