/* Too much at once, clients that go away, deadlines, and the end: with boards so slow (the specification's, one) that
 * requests surely overlap. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/http/client.h"
#include "tests/http/process.h"
#include "tests/http/raw.h"

PROCESS_MAIN
{
    return process_main(argc, argv, "--boards 1 --drain-seconds 0 --request-timeout-ms 0");
}

static const char short_body[] = "{\"inputs\":\"hello\"}";

Test(overload, more_requests_than_allowed)
{
    struct process process =
        process_start("--board ref --boards 1 --drain-seconds 0 --max-concurrent-requests 2 --request-timeout-ms 0");
    size_t len = 0;
    char *request = client_request(1, 12, "", &len);
    static char body[16384];
    int a = client_connect(process.port);
    int b = client_connect(process.port);
    client_send(a, request, len);
    client_send(b, request, len);
    cr_expect(client_becomes(process.port, "bertd_active_requests", 2));
    struct answer answer = client_post(process.port, "/embed", short_body);
    cr_expect(atoi(client_header(&answer, "Retry-After")) >= 1);
    client_expect_error(answer, 429, "Overloaded", "2 requests are being worked on");
    client_expect_error(client_post(process.port, "/tokenize", short_body), 429, "Overloaded", "limit");
    client_expect_ok(client_ask(process.port, "GET", "/health", NULL));
    cr_expect_eq(client_read(a, body, sizeof body), 200);
    cr_expect_eq(client_read(b, body, sizeof body), 200);
    cr_expect(client_metric(process.port, "te_request_failure{err=\"overloaded\"}") == 2);
    client_expect_ok(client_post(process.port, "/embed", short_body));
    close(a);
    close(b);
    free(request);
    process_stop(&process);
}

Test(overload, more_memory_than_allowed)
{
    struct process process =
        process_start("--board ref --boards 1 --drain-seconds 0 --max-request-memory 1048576 --payload-limit 3000000");
    /* Vectors of 256 tokens as numbers and as text are about 2 MB: never possible. */
    char *text = malloc(4000);
    char *to = text + sprintf(text, "{\"inputs\":\"");
    for (int i = 0; i < 256; i++)
        to += sprintf(to, "word ");
    sprintf(to, "\"}");
    client_expect_error(client_post(process.port, "/embed_all", text), 422, "Validation", "--max-request-memory");
    /* A body alone beyond it. */
    char *large = malloc(1200001);
    memset(large, ' ', 1200000);
    large[1200000] = '\0';
    client_expect_error(client_post(process.port, "/embed", large), 422, "Validation", "--max-request-memory");
    cr_expect(client_becomes(process.port, "bertd_request_memory_bytes", 0));
    free(large);
    free(text);
    process_stop(&process);
}

/* Queued and running work of clients that hang up is not computed. */
Test(disconnect, cancels)
{
    struct process process = process_start("--board ref --boards 1 --drain-seconds 0 --request-timeout-ms 0");
    size_t len = 0;
    char *request = client_request(4, 40, "", &len);
    int running = client_connect(process.port);
    client_send(running, request, len);
    cr_expect(client_becomes(process.port, "bertd_active_requests", 1));
    int waiting = client_connect(process.port);
    client_send(waiting, request, len);
    cr_expect(client_becomes(process.port, "bertd_active_requests", 2));
    close(waiting);
    cr_expect(client_becomes(process.port, "bertd_active_requests", 1), "the one that waits is dropped");
    close(running);
    cr_expect(client_becomes(process.port, "bertd_active_requests", 0), "the one that runs is stopped");
    cr_expect_eq(client_metric(process.port, "te_request_failure{err=\"cancelled\"}"), 2);
    cr_expect_eq(client_metric(process.port, "te_request_success{method=\"batch\"}"), 0);
    cr_expect(client_becomes(process.port, "bertd_request_memory_bytes", 0));
    client_expect_ok(client_post(process.port, "/embed", short_body));
    free(request);
    process_stop(&process);
}

/* So is that of a later request on a connection. */
Test(disconnect, cancels_what_was_asked_later)
{
    struct process process = process_start("--board ref --boards 1 --drain-seconds 0 --request-timeout-ms 0");
    size_t short_len = 0, len = 0;
    char *first = client_request(1, 1, "", &short_len), *second = client_request(4, 40, "", &len), body[65536];
    int connection = client_connect(process.port);
    client_send(connection, first, short_len);
    cr_expect_eq(client_read(connection, body, sizeof body), 200);
    client_send(connection, second, len);
    cr_expect(client_becomes(process.port, "bertd_active_requests", 1));
    close(connection);
    cr_expect(client_becomes(process.port, "bertd_active_requests", 0));
    cr_expect_eq(client_metric(process.port, "te_request_failure{err=\"cancelled\"}"), 1);
    free(first);
    free(second);
    process_stop(&process);
}

/* A text of seconds on the specification's board, whatever the machine. */
static char *long_body(void)
{
    char *body = malloc(2000), *to = body + sprintf(body, "{\"inputs\":\"");
    for (int i = 0; i < 250; i++)
        to += sprintf(to, "word ");
    sprintf(to, "\"}");
    return body;
}

Test(deadline, of_the_server)
{
    struct process process = process_start("--board ref --boards 1 --drain-seconds 0 --request-timeout-ms 50");
    char *body = long_body();
    client_expect_error(client_post(process.port, "/embed", body), 504, "Timeout", "time limit");
    client_expect_error(client_ask(process.port, "POST", "/embed",
                                   &(struct sending){.body = body, .headers = {"x-request-timeout-ms: 999999"}}),
                        504, "Timeout", "time limit");
    free(body);
    process_stop(&process);
}

Test(deadline, of_a_request)
{
    struct process process = process_start("--board ref --boards 1 --drain-seconds 0 --request-timeout-ms 600000");
    char *body = long_body();
    client_expect_error(client_ask(process.port, "POST", "/embed",
                                   &(struct sending){.body = body, .headers = {"x-request-timeout-ms: 1"}}),
                        504, "Timeout", "time limit");
    client_expect_ok(client_post(process.port, "/embed", short_body));
    free(body);
    process_stop(&process);
}

Test(drain, serves_on)
{
    struct process process = process_start("--board ref --boards 1 --drain-seconds 600 --request-timeout-ms 0");
    size_t len = 0;
    char *request = client_request(1, 12, "", &len);
    static char body[16384];
    void *handle = NULL;
    struct sending sending = {.body = short_body};
    client_expect_ok(client_ask_kept(&handle, process.port, "POST", "/embed", &sending));
    int running = client_connect(process.port);
    client_send(running, request, len);
    cr_expect(client_becomes(process.port, "bertd_active_requests", 1));
    kill(process.pid, SIGTERM);
    process_await_log(&process, "\"draining\"");
    client_expect_error(client_ask(process.port, "GET", "/health", NULL), 503, "Unhealthy", "shutting down");
    struct answer answer = client_ask_kept(&handle, process.port, "POST", "/embed", &sending);
    cr_expect_eq(answer.connects, 0, "on the connection that was open");
    cr_expect_str_eq(client_header(&answer, "Connection"), "close");
    client_expect_ok(answer);
    client_expect_ok(client_post(process.port, "/embed", short_body));
    cr_expect_eq(client_read(running, body, sizeof body), 200);
    client_close(&handle);
    close(running);
    free(request);
    process_stop(&process); /* the second signal */
}

Test(drain, ends_by_itself)
{
    struct process process = process_start("--boards 1 --drain-seconds 1");
    int status = 0;
    kill(process.pid, SIGTERM);
    cr_assert_eq(waitpid(process.pid, &status, 0), process.pid);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%d", status);
    unlink(process.log);
}

/* Work that began before the drain was over is finished, not cut. */
Test(drain, waits_for_the_last_answer)
{
    struct process process = process_start("--board ref --boards 1 --drain-seconds 0 --request-timeout-ms 0");
    size_t len = 0;
    char *request = client_request(1, 8, "", &len); /* seconds, even under a sanitizer */
    static char body[16384];
    int fd = client_connect(process.port);
    client_send(fd, request, len);
    cr_expect(client_becomes(process.port, "bertd_active_requests", 1));
    kill(process.pid, SIGTERM);
    cr_expect_eq(client_read(fd, body, sizeof body), 200);
    int status = 0;
    cr_assert_eq(waitpid(process.pid, &status, 0), process.pid);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%d", status);
    close(fd);
    unlink(process.log);
    free(request);
}

/* Who was accepted before it was over is served, though the request comes after it. */
Test(drain, serves_who_was_accepted)
{
    static const char head[] = "POST /embed HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n";
    static const char rest[] = "Content-Length: 18\r\n\r\n{\"inputs\":\"hello\"}";
    static struct raw_answer answer;
    struct process process = process_start("--boards 1 --drain-seconds 0");
    int silent = client_connect(process.port), fd = client_connect(process.port);
    raw_send(fd, head, strlen(head));
    client_expect_ok(client_post(process.port, "/embed", short_body)); /* accepted after them */
    kill(process.pid, SIGTERM);
    process_await_log(&process, "\"draining\"");
    raw_send(fd, rest, strlen(rest));
    raw_read(fd, &answer, false, 600000);
    cr_expect_eq(answer.code, 200, "%d %s", answer.code, answer.body);
    cr_expect(strcasestr(answer.head, "\nconnection: close"), "%s", answer.head);
    int status = 0;
    cr_assert_eq(waitpid(process.pid, &status, 0), process.pid, "a silent client keeps nobody");
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%d", status);
    close(silent);
    close(fd);
    unlink(process.log);
}

/* A second signal does not wait: drain and work (minutes of both) are given up. */
Test(drain, second_signal_hurries)
{
    struct process process =
        process_start("--board ref --boards 1 --drain-seconds 600 --request-timeout-ms 0 "
                      "--max-input-length 24 --max-batch-tokens 24"); /* a layer ends soon, even under a sanitizer */
    size_t len = 0;
    char *request = client_request(16, 20, "", &len);
    static char body[16384];
    int fd = client_connect(process.port);
    client_send(fd, request, len);
    cr_expect(client_becomes(process.port, "bertd_active_requests", 1));
    kill(process.pid, SIGINT);
    process_await_log(&process, "\"draining\"");
    kill(process.pid, SIGINT);
    int status = 0;
    cr_assert_eq(waitpid(process.pid, &status, 0), process.pid);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%d", status);
    int code = client_read(fd, body, sizeof body);
    cr_expect(code == -1 || code == 499 || code == 503, "%d", code);
    close(fd);
    unlink(process.log);
    free(request);
}

/* Everything at once, from several threads, some of them hanging up: nothing is lost, nothing is left. */
static void *hammer(void *cookie)
{
    int port = process_shared();
    int seed = *(int *)cookie;
    static const char *const bodies[] = {"{\"inputs\":\"hello\"}", "{\"inputs\":[\"a b c\",\"d\"]}",
                                         "{\"inputs\":\"\"}", "{\"inputs\":["};
    static const int codes[] = {200, 200, 400, 400};
    for (int i = 0; i < 60; i++) {
        int which = (seed + i) % 5;
        if (which < 4) {
            struct answer answer = client_post(port, "/embed", bodies[which]);
            cr_expect_eq(answer.code, codes[which], "%ld, want %d: %.300s", answer.code, codes[which], answer.body);
            client_free(&answer);
            continue;
        }
        size_t len = 0;
        char *request = client_request(8, 60, "", &len);
        int fd = client_connect(port);
        client_send(fd, request, len - (size_t)(i % 3 == 0) * 20);
        usleep((useconds_t)(i * 97 % 3000));
        close(fd);
        free(request);
    }
    return NULL;
}

Test(hammer, leaves_nothing_behind)
{
    enum { THREADS = 6 };
    pthread_t threads[THREADS];
    int seeds[THREADS];
    for (int i = 0; i < THREADS; i++) {
        seeds[i] = i;
        cr_assert_eq(pthread_create(&threads[i], NULL, hammer, &seeds[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    cr_expect(client_becomes(process_shared(), "bertd_active_requests", 0));
    cr_expect(client_becomes(process_shared(), "bertd_request_memory_bytes", 0));
    client_expect_ok(client_post(process_shared(), "/embed", short_body));
}
