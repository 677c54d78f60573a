/* Clients that go away in the middle of what they send, and a server that goes away. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/http/client.h"
#include "tests/http/process.h"
#include "tests/http/raw.h"

/* The server waits for longer than the test does: what is noticed, is noticed by the end of the connection. */
enum { PATIENCE_MS = 30000, CLIENTS = 20 };

#define HEAD "POST /embed HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"

static struct raw_answer answer;

static void expect_health(const struct process *process, const char *after)
{
    static const char request[] = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n";
    static int fds[CLIENTS];
    for (int i = 0; i < CLIENTS; i++)
        fds[i] = client_connect(process->port);
    for (int i = 0; i < CLIENTS; i++) { /* all places are free again */
        raw_send(fds[i], request, sizeof request - 1);
        raw_read(fds[i], &answer, false, PATIENCE_MS);
        cr_assert_eq(answer.code, 200, "connection %d after %s: %d", i, after, answer.code);
    }
    for (int i = 0; i < CLIENTS; i++)
        close(fds[i]);
}

Test(hangup, is_noticed)
{
    static const struct {
        const char *name;
        const char *bytes;
    } rows[] = {{"part of a request line", "POST /emb"},
                {"headers", HEAD},
                {"headers and no body", HEAD "Content-Length: 100\r\n\r\n"},
                {"half a body", HEAD "Content-Length: 100\r\n\r\n{\"inputs\":\"a"},
                {"half a chunk", HEAD "Transfer-Encoding: chunked\r\n\r\nff\r\n{\"inputs\":\"a"},
                {"nothing", ""}};
    struct process process = process_start("--boards 1 --drain-seconds 0 --max-connections 20 "
                                           "--idle-timeout-seconds 600");
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        for (int i = 0; i < CLIENTS; i++) {
            int fd = client_connect(process.port);
            raw_send(fd, rows[r].bytes, strlen(rows[r].bytes));
            close(fd);
        }
        expect_health(&process, rows[r].name);
    }
    process_stop(&process);
}

/* To end only what is sent takes nothing from the request. */
Test(hangup, of_one_side_is_answered)
{
    static const char request[] = "POST /tokenize HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                                  "Content-Length: 14\r\n\r\n{\"inputs\":\"a\"}";
    struct process process = process_start("--boards 1 --drain-seconds 0 --idle-timeout-seconds 600");
    for (int i = 0; i < 50; i++) {
        int fd = client_connect(process.port);
        raw_send(fd, request, sizeof request - 1);
        shutdown(fd, SHUT_WR);
        raw_read(fd, &answer, false, PATIENCE_MS);
        cr_expect_eq(answer.code, 200, "%d", answer.code);
        raw_read(fd, &answer, false, PATIENCE_MS);
        cr_expect_eq(answer.code, RAW_CLOSED);
        close(fd);
    }
    process_stop(&process);
}

/* The errno of a new connection, 0 where it is made. */
static int connect_errno(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int why = connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ? 0 : errno;
    close(fd);
    return why;
}

/* Once the drain is over a request that runs is still answered, and who comes new is refused at once. */
Test(hangup, of_the_server)
{
    size_t len;
    char *request = client_request(60, 100, "", &len);
    struct process process =
        process_start("--boards 1 --drain-seconds 0 --max-client-batch-size 60 --request-timeout-ms 0");
    int fd = client_connect(process.port);
    raw_send(fd, request, len);
    cr_assert(client_becomes(process.port, "te_embed_count", 60));
    kill(process.pid, SIGTERM);
    int why = 0;
    for (int tries = 0; tries < 30000 && why == 0; tries++) {
        why = connect_errno(process.port);
        usleep(1000);
    }
    cr_expect_eq(why, ECONNREFUSED, "%s", strerror(why));
    cr_expect_eq(kill(process.pid, 0), 0, "it still runs");
    raw_read(fd, &answer, false, 600000);
    cr_expect(answer.code == 200 || answer.code == 499, "%d", answer.code); /* 499 where it takes too long */
    close(fd);
    process_stop(&process);
    free(request);
}
