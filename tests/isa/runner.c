/* The words of tests/runner/criterion on a machine without processes: every test runs in turn, and one that stops jumps
 * back here. */
#include <setjmp.h>
#include <stdarg.h>

#include "criterion/criterion.h"

static struct runner_test *tests, **end = &tests;
static const char *current = "";
static bool failed;
static jmp_buf back;

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

void runner_stop(void)
{
    longjmp(back, 1);
}

void runner_skip(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("[SKIP] %s: ", current);
    vprintf(format, args);
    putchar('\n');
    va_end(args);
    longjmp(back, 1);
}

static bool run(const struct runner_test *test)
{
    static char name[256];
    snprintf(name, sizeof name, "%s::%s", test->suite, test->name);
    current = name;
    failed = false;
    printf("%s\n", name);
    if (setjmp(back) == 0)
        test->run();
    return !failed;
}

int main(void)
{
    int count = 0, bad = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (const struct runner_test *test = tests; test; test = test->next) {
        if (!test->run)
            continue;
        count++;
        bad += !run(test);
    }
    printf("isa: %d tests, %d failed\n", count, bad);
    fflush(stdout);
    return bad > 0;
}
