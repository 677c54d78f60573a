/* The program's standard files in a bad state: a log that nobody reads, descriptors that are closed. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/http/client.h"
#include "tests/http/process.h"

PROCESS_MAIN
{
    if (!process_model())
        return 77;
    struct criterion_test_set *tests = criterion_initialize();
    int passed = criterion_handle_args(argc, argv, true) ? criterion_run_all_tests(tests) : 1;
    criterion_finalize(tests);
    return passed ? 0 : 1;
}

/* A port that was free a moment ago. */
static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert(fd >= 0 && bind(fd, (struct sockaddr *)&address, len) == 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    close(fd);
    return ntohs(address.sin_port);
}

/* Start bertd with `fd` as stderr, or with all three standard files closed where it is -1. */
static pid_t start(int port, int fd)
{
    char text[16];
    const char *binary = getenv("BERTD_TEST_BINARY");
    snprintf(text, sizeof text, "%d", port);
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (fd >= 0)
        dup2(fd, STDERR_FILENO);
    for (int i = 0; i < 3 && fd < 0; i++)
        close(i);
    execl(binary ? binary : BINARY_DIR "/bertd", "bertd", "--model-id", process_model(), "--boards", "1",
          "--drain-seconds", "0", "--log-level", "debug", "--port", text, NULL);
    _exit(127);
}

static bool listens(int port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool ok = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    close(fd);
    return ok;
}

/* The socket listens before the model is loaded: the answer comes when it can. */
static void wait_for(pid_t pid, int port)
{
    while (!listens(port)) {
        cr_assert_eq(waitpid(pid, NULL, WNOHANG), 0, "bertd ended");
        usleep(20000);
    }
}

static void expect_end(pid_t pid)
{
    int status = 0;
    cr_assert_eq(kill(pid, SIGTERM), 0);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "wait status %d", status);
}

enum { REQUESTS = 5000 }; /* more lines than a pipe and the queue take */

Test(stderr, a_log_that_nobody_reads_hinders_neither_requests_nor_the_end)
{
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    int port = free_port();
    pid_t pid = start(port, ends[1]);
    close(ends[1]);
    wait_for(pid, port);
    void *connection = NULL;
    for (int i = 0; i < REQUESTS; i++) {
        struct answer answer = client_ask_kept(&connection, port, "GET", "/health", &(struct sending){0});
        cr_assert_eq(answer.code, 200, "request %d", i);
        client_free(&answer);
    }
    client_expect_ok(client_post(port, "/embed", "{\"inputs\":\"hello\"}"));
    client_close(&connection);
    expect_end(pid);
    /* What the pipe took are whole lines but for the last. */
    FILE *log = fdopen(ends[0], "r");
    char line[8192];
    int lines = 0;
    while (fgets(line, sizeof line, log)) {
        json_t *json = json_loads(line, 0, NULL);
        cr_assert(json || !strchr(line, '\n'), "%s", line);
        lines += json != NULL;
        json_decref(json);
    }
    cr_expect_gt(lines, 100);
    fclose(log);
}

Test(stderr, closed_standard_files_do_not_become_sockets)
{
    int port = free_port();
    pid_t pid = start(port, -1);
    wait_for(pid, port);
    client_expect_ok(client_post(port, "/embed", "{\"inputs\":\"hello\"}"));
    for (int fd = 0; fd < 3; fd++) {
        char path[64], target[64] = "";
        snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
        cr_assert_gt(readlink(path, target, sizeof target - 1), 0);
        cr_expect_str_eq(target, "/dev/null");
    }
    expect_end(pid);
}
