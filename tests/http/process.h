/* A bertd of the build under test, on an ephemeral port of the loopback interface; and clients for it. */
#ifndef TESTS_HTTP_PROCESS_H
#define TESTS_HTTP_PROCESS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct process {
    pid_t pid;
    int port;
    char log[64]; /* the file its log goes to */
};

/** The model's directory from BERTD_TEST_MODEL, or the one that deploy/run fetches. NULL when absent: says so once. */
const char *process_model(void);
/** Start with these options more (words apart by spaces) and wait until it listens. Fails the test if it does not. */
struct process process_start(const char *options);
/** The same with a variable more in its environment. */
struct process process_start_with(const char *options, const char *variable, const char *value);
/** The port of its admin listener; 0: it has none. */
int process_admin_port(const struct process *process);
/** Run it to its end with these options alone; returns its exit status, `output` [size] gets what it wrote. */
int process_run(const char *options, char *output, size_t size);
/** SIGTERM, wait, and expect exit status 0 (the sanitizers' reports are in the log otherwise). */
void process_stop(struct process *process);
/** True when a line of its log contains `text`. */
bool process_logged(const struct process *process, const char *text);

/** Wait until it does, up to ten minutes; fails the test if it does not. */
void process_await_log(const struct process *process, const char *text);

/** Run all tests with a server that has these options, whose port process_shared gives. For main, which must be
 *  visible: Criterion looks for it by name in the processes that it runs tests in. */
int process_main(int argc, char **argv, const char *options);
int process_shared(void);
#define PROCESS_MAIN __attribute__((visibility("default"))) int main(int argc, char **argv)

#endif
