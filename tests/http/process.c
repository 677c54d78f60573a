#include "tests/http/process.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_WORDS = 48, START_SECONDS = 300, STOP_SECONDS = 60, LOG_SECONDS = 600 };

const char *process_model(void)
{
    static char path[512];
    static bool told;
    const char *given = getenv("BERTD_TEST_MODEL");
    const char *home = getenv("HOME");
    if (given)
        snprintf(path, sizeof path, "%s", given);
    else
        snprintf(path, sizeof path, "%s/.cache/bertd/models/all-MiniLM-L6-v2", home ? home : "");
    if (access(path, R_OK) == 0)
        return path;
    if (!told)
        fprintf(stderr, "skipped: no model at %s, run ./deploy/run --once\n", path);
    told = true;
    return NULL;
}

/* In the child: become bertd with the given words of options, its output in `fd`. */
static void become(const char *options, bool with_model, int fd)
{
    static char text[1024];
    char *words[MAX_WORDS] = {"bertd"};
    int n = 1;
    if (with_model) {
        words[n++] = "--model-id";
        words[n++] = (char *)process_model();
        words[n++] = "--port";
        words[n++] = "0";
        words[n++] = "--json-output";
    }
    snprintf(text, sizeof text, "%s", options);
    for (char *word = strtok(text, " "); word && n < MAX_WORDS - 1; word = strtok(NULL, " "))
        words[n++] = word;
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that stops half-way leaves no server behind */
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    const char *binary = getenv("BERTD_TEST_BINARY");
    execv(binary ? binary : BINARY_DIR "/bertd", words);
    _exit(127);
}

static size_t read_log(const struct process *process, char *text, size_t size)
{
    FILE *file = fopen(process->log, "r");
    if (!file)
        return 0;
    size_t n = fread(text, 1, size - 1, file);
    fclose(file);
    text[n] = '\0';
    return n;
}

bool process_logged(const struct process *process, const char *text)
{
    static char log[1 << 20];
    return read_log(process, log, sizeof log) > 0 && strstr(log, text);
}

void process_await_log(const struct process *process, const char *text)
{
    for (int tries = 0; !process_logged(process, text); tries++) {
        cr_assert_lt(tries, LOG_SECONDS * 100, "bertd never logs %s", text);
        usleep(10000);
    }
}

/* That the line of its log with these words tells; 0: there is none. */
static int logged_port(const struct process *process, const char *words)
{
    char log[16384];
    if (read_log(process, log, sizeof log) == 0)
        return 0;
    const char *line = strstr(log, words);
    const char *port = line ? strstr(line, "\"port\":") : NULL;
    return port && strchr(port, '\n') ? atoi(port + 7) : 0;
}

static int listening_port(const struct process *process)
{
    return logged_port(process, "\"message\":\"listening\"");
}

int process_admin_port(const struct process *process)
{
    return logged_port(process, "\"message\":\"admin listener\"");
}

struct process process_start_with(const char *options, const char *variable, const char *value)
{
    struct process process = {.log = "/tmp/bertd-test-XXXXXX"};
    int fd = mkstemp(process.log);
    if (fd < 0)
        abort();
    process.pid = fork();
    if (process.pid == 0) {
        if (variable)
            setenv(variable, value, 1);
        become(options, true, fd);
    }
    close(fd);
    for (int tries = 0; tries < START_SECONDS * 50; tries++) {
        process.port = listening_port(&process);
        if (process.port)
            return process;
        if (waitpid(process.pid, NULL, WNOHANG) == process.pid)
            break;
        usleep(20000);
    }
    char log[4096];
    read_log(&process, log, sizeof log);
    fprintf(stderr, "bertd %s does not start:\n%s", options, log);
    abort();
}

struct process process_start(const char *options)
{
    return process_start_with(options, NULL, NULL);
}

int process_run(const char *options, char *output, size_t size)
{
    int ends[2];
    if (pipe(ends) != 0)
        abort();
    pid_t pid = fork();
    if (pid == 0)
        become(options, false, ends[1]);
    close(ends[1]);
    size_t len = 0;
    ssize_t n;
    while (len < size - 1 && (n = read(ends[0], output + len, size - 1 - len)) > 0)
        len += (size_t)n;
    output[len] = '\0';
    close(ends[0]);
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Returns the wait status; kills what does not end. */
static int end(struct process *process)
{
    int status = 0;
    kill(process->pid, SIGTERM);
    for (int tries = 0; tries < STOP_SECONDS * 50; tries++) {
        if (waitpid(process->pid, &status, WNOHANG) == process->pid)
            return status;
        usleep(20000);
    }
    kill(process->pid, SIGKILL);
    waitpid(process->pid, &status, 0);
    return status;
}

static bool ended_well(struct process *process)
{
    int status = end(process);
    bool well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!well) {
        static char log[65536];
        read_log(process, log, sizeof log);
        fprintf(stderr, "bertd ended with wait status %d:\n%s", status, log);
    }
    unlink(process->log);
    return well;
}

void process_stop(struct process *process)
{
    cr_expect(ended_well(process), "bertd does not end well");
}

/* By the environment: tests run in processes of their own. */
int process_shared(void)
{
    return atoi(getenv("BERTD_TEST_PORT"));
}

int process_main(int argc, char **argv, const char *options)
{
    if (!process_model())
        return 77;
    char port[16];
    struct process shared = process_start(options);
    snprintf(port, sizeof port, "%d", shared.port);
    setenv("BERTD_TEST_PORT", port, 1);
    struct criterion_test_set *tests = criterion_initialize();
    int passed = criterion_handle_args(argc, argv, true) ? criterion_run_all_tests(tests) : 1;
    criterion_finalize(tests);
    bool well = ended_well(&shared);
    return passed && well ? 0 : 1;
}
