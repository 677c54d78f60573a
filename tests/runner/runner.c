#include <stdarg.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "criterion/criterion.h"

enum { SKIPPED = 77 };

static struct runner_test *tests, **end = &tests;
static const char *current = "";
static atomic_bool failed; /* tests have threads */

void runner_add(struct runner_test *test)
{
    *end = test;
    end = &test->next;
}

void runner_failed(const char *file, int line, const char *what, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("[FAIL] %s: %s:%d: %s: ", current, file, line, what);
    vprintf(format, args);
    putchar('\n');
    va_end(args);
    failed = true;
}

static _Noreturn void leave(int code)
{
    fflush(NULL);
    exit(code); /* not _exit: sanitizers report at exit */
}

void runner_stop(void)
{
    leave(1);
}

void runner_skip(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("[SKIP] %s: ", current);
    vprintf(format, args);
    putchar('\n');
    va_end(args);
    leave(failed ? 1 : SKIPPED);
}

/* The options of the test's TestSuite line, or its own. */
static const struct runner_options *suite_options(const struct runner_test *test)
{
    for (const struct runner_test *suite = tests; suite; suite = suite->next)
        if (!suite->run && strcmp(suite->suite, test->suite) == 0)
            return &suite->options;
    return &test->options;
}

static void run_child(const struct runner_test *test)
{
    const struct runner_options *suite = suite_options(test);
    void (*init)(void) = test->options.init ? test->options.init : suite->init;
    void (*fini)(void) = test->options.fini ? test->options.fini : suite->fini;
    if (init)
        init();
    test->run();
    if (fini)
        fini();
    leave(failed ? 1 : 0);
}

static int run(const struct runner_test *test)
{
    static char name[256];
    snprintf(name, sizeof name, "%s::%s", test->suite, test->name);
    current = name;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        run_child(test);
    int how = 0;
    if (child < 0 || waitpid(child, &how, 0) != child)
        return 1;
    if (WIFSIGNALED(how))
        printf("[CRASH] %s: signal %d\n", name, WTERMSIG(how));
    return WIFEXITED(how) ? WEXITSTATUS(how) : 1;
}

struct criterion_test_set *criterion_initialize(void)
{
    return NULL;
}

int criterion_handle_args(int argc, char **argv, bool handle_unknown)
{
    (void)argc;
    (void)argv;
    return handle_unknown;
}

/* 1 when all passed, as Criterion's. */
int criterion_run_all_tests(struct criterion_test_set *set)
{
    (void)set;
    int passed = 0, skipped = 0, bad = 0;
    for (const struct runner_test *test = tests; test; test = test->next) {
        if (!test->run || test->options.disabled)
            continue;
        int code = run(test);
        passed += code == 0;
        skipped += code == SKIPPED;
        bad += code != 0 && code != SKIPPED;
    }
    if (skipped > 0)
        fprintf(stderr, "skipped: %d of %d cases, see above\n", skipped, passed + skipped + bad);
    printf("[====] Tested: %d | Passing: %d | Skipped: %d | Failing: %d\n", passed + skipped + bad, passed, skipped,
           bad);
    if (skipped > 0 && skipped == passed + skipped + bad)
        leave(SKIPPED); /* ctest would call it passed */
    return !bad;
}

void criterion_finalize(struct criterion_test_set *set)
{
    (void)set;
}

__attribute__((weak)) int main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return !criterion_run_all_tests(NULL);
}
