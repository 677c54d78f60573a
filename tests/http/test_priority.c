/* Who goes first: x-bertd-priority, and keys that take turns. One slow board whose every batch is one text, so that a
 * request of many texts surely waits. */
#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/http/client.h"
#include "tests/http/process.h"

#ifdef __SANITIZE_THREAD__
enum { WORDS = 10 }; /* of a text; 30 of them are more than a turn of their key, whatever the words */
#else
enum { WORDS = 20 };
#endif
enum { PATIENCE_MS = 600000 }; /* under a sanitizer, on a busy machine */

static const char slow[] = "--board ref --boards 1 --drain-seconds 0 --request-timeout-ms 0 --max-input-length 24 "
                           "--max-batch-tokens 24 --max-client-batch-size 200";

PROCESS_MAIN
{
    return process_main(argc, argv, "--boards 1 --drain-seconds 0");
}

static int begin(int port, int texts, const char *headers)
{
    size_t len = 0;
    char *request = client_request(texts, WORDS, headers, &len);
    int fd = client_connect(port);
    client_send(fd, request, len);
    free(request);
    return fd;
}

static void expect_answer(int fd)
{
    static char body[1 << 20];
    struct pollfd socket = {.fd = fd, .events = POLLIN};
    cr_assert(poll(&socket, 1, PATIENCE_MS) > 0);
    cr_expect_eq(client_read(fd, body, sizeof body), 200);
    close(fd);
}

Test(priority, header_before_size)
{
    struct process process = process_start(slow);
    int many = begin(process.port, 200, "");
    cr_expect(client_becomes(process.port, "bertd_active_requests", 1));
    int one = begin(process.port, 1, "x-bertd-priority: bulk\r\n");
    cr_expect(client_becomes(process.port, "bertd_active_requests", 2));
    expect_answer(begin(process.port, 8, "X-BERTD-Priority: Interactive\r\n"));
    cr_expect_eq(client_metric(process.port, "bertd_active_requests"), 2, "both bulk requests still wait");
    expect_answer(begin(process.port, 1, ""));
    cr_expect_eq(client_metric(process.port, "bertd_active_requests"), 2, "so does the short one that said bulk");
    close(many);
    expect_answer(one);
    process_stop(&process);
}

Test(priority, bad_values)
{
    static const char body[] = "{\"inputs\":\"a\"}";
    static const char *const bad[] = {"x-bertd-priority: high", "x-bertd-priority: 1", "x-bertd-priority: bulk,bulk"};
    for (int i = 0; i < 3; i++)
        client_expect_error(
            client_ask(process_shared(), "POST", "/embed", &(struct sending){.body = body, .headers = {bad[i]}}), 422,
            "Validation", "x-bertd-priority: expected interactive or bulk");
    client_expect_ok(client_ask(process_shared(), "POST", "/embed_all",
                                &(struct sending){.body = body, .headers = {"x-bertd-priority: bulk"}}));
}

/* The one that asks for much waits for itself; the others (any of them: two keys may share a place) need not. */
Test(fairness, keys_take_turns)
{
    struct process process = process_start(slow);
    int greedy = begin(process.port, 30, "Authorization: Bearer greedy\r\n");
    cr_expect(client_becomes(process.port, "bertd_active_requests", 1));
    int others[3] = {begin(process.port, 6, "x-bertd-priority: bulk\r\nAuthorization: Bearer one\r\n"),
                     begin(process.port, 6, "x-bertd-priority: bulk\r\nAuthorization: Bearer two\r\n"),
                     begin(process.port, 6, "x-bertd-priority: bulk\r\n")};
    struct pollfd sockets[4] = {{.fd = greedy}, {.fd = others[0]}, {.fd = others[1]}, {.fd = others[2]}};
    for (int i = 0; i < 4; i++)
        sockets[i].events = POLLIN;
    cr_assert(poll(sockets, 4, PATIENCE_MS) > 0);
    cr_expect_not(sockets[0].revents, "the greedy one is not the first to be done");
    close(greedy);
    for (int i = 0; i < 3; i++)
        expect_answer(others[i]);
    cr_expect_not(process_logged(&process, "greedy"), "keys are not logged");
    process_stop(&process);
}

Test(fairness, one_key_waits_for_itself)
{
    struct process process = process_start(slow);
    int first = begin(process.port, 12, "Authorization: Bearer one\r\n");
    cr_expect(client_becomes(process.port, "bertd_active_requests", 1));
    int second = begin(process.port, 200, "x-bertd-priority: bulk\r\nAuthorization: Bearer one\r\n");
    expect_answer(first);
    cr_expect_eq(client_metric(process.port, "bertd_active_requests"), 1, "the second is behind all of the first");
    close(second);
    cr_expect(client_becomes(process.port, "bertd_active_requests", 0));
    process_stop(&process);
}
