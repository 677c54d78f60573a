/* Criterion's words on a small runner of our own, for builds with sanitizers and for tests/isa. Criterion's sandbox
 * maps memory where ThreadSanitizer keeps its shadow and stops at start (its issue 274), and it calls a test passed
 * whose process ends with leaks. Each test runs in a forked child, as there.
 */
#ifndef TESTS_RUNNER_CRITERION_H
#define TESTS_RUNNER_CRITERION_H

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct runner_test {
    const char *suite, *name;
    void (*run)(void);
    struct runner_options {
        void (*init)(void);
        void (*fini)(void);
        double timeout;
        const char *description;
        bool disabled;
    } options;
    struct runner_test *next;
};

/* What a test with a main of its own calls. */
struct criterion_test_set;
struct criterion_test_set *criterion_initialize(void);
int criterion_handle_args(int argc, char **argv, bool handle_unknown);
int criterion_run_all_tests(struct criterion_test_set *set);
void criterion_finalize(struct criterion_test_set *set);

void runner_add(struct runner_test *test);
void runner_failed(const char *file, int line, const char *what, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
_Noreturn void runner_stop(void);
_Noreturn void runner_skip(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define Test(suite_, name_, ...)                                                                                       \
    static void runner_run_##suite_##_##name_(void);                                                                   \
    __attribute__((constructor)) static void runner_add_##suite_##_##name_(void)                                       \
    {                                                                                                                  \
        static struct runner_test test = {                                                                             \
            .suite = #suite_, .name = #name_, .run = runner_run_##suite_##_##name_, .options = {__VA_ARGS__}};         \
        runner_add(&test);                                                                                             \
    }                                                                                                                  \
    static void runner_run_##suite_##_##name_(void)
#define TestSuite(suite_, ...)                                                                                         \
    __attribute__((constructor)) static void runner_suite_##suite_(void)                                               \
    {                                                                                                                  \
        static struct runner_test suite = {.suite = #suite_, .options = {__VA_ARGS__}};                                \
        runner_add(&suite);                                                                                            \
    }                                                                                                                  \
    struct runner_suite_##suite_

#define RUNNER_CHECK(ok, stop, what, ...)                                                                              \
    do {                                                                                                               \
        if (!(ok)) {                                                                                                   \
            runner_failed(__FILE__, __LINE__, what, " " __VA_ARGS__);                                                  \
            if (stop)                                                                                                  \
                runner_stop();                                                                                         \
        }                                                                                                              \
    } while (0)

#define cr_assert(x, ...)           RUNNER_CHECK((x), 1, #x, ##__VA_ARGS__)
#define cr_assert_not(x, ...)       RUNNER_CHECK(!(x), 1, "not " #x, ##__VA_ARGS__)
#define cr_assert_eq(a, b, ...)     RUNNER_CHECK((a) == (b), 1, #a " == " #b, ##__VA_ARGS__)
#define cr_assert_neq(a, b, ...)    RUNNER_CHECK((a) != (b), 1, #a " != " #b, ##__VA_ARGS__)
#define cr_assert_lt(a, b, ...)     RUNNER_CHECK((a) < (b), 1, #a " < " #b, ##__VA_ARGS__)
#define cr_assert_leq(a, b, ...)    RUNNER_CHECK((a) <= (b), 1, #a " <= " #b, ##__VA_ARGS__)
#define cr_assert_gt(a, b, ...)     RUNNER_CHECK((a) > (b), 1, #a " > " #b, ##__VA_ARGS__)
#define cr_assert_geq(a, b, ...)    RUNNER_CHECK((a) >= (b), 1, #a " >= " #b, ##__VA_ARGS__)
#define cr_assert_null(a, ...)      RUNNER_CHECK((a) == NULL, 1, #a " is NULL", ##__VA_ARGS__)
#define cr_assert_not_null(a, ...)  RUNNER_CHECK((a) != NULL, 1, #a " is not NULL", ##__VA_ARGS__)
#define cr_assert_str_eq(a, b, ...) RUNNER_CHECK(strcmp((a), (b)) == 0, 1, #a " equals " #b, ##__VA_ARGS__)
#define cr_assert_float_eq(a, b, e, ...)                                                                               \
    RUNNER_CHECK(fabs((double)(a) - (double)(b)) <= (e), 1, #a " ~ " #b, ##__VA_ARGS__)
#define cr_assert_fail(...)          RUNNER_CHECK(0, 1, "fail", ##__VA_ARGS__)
#define cr_expect(x, ...)            RUNNER_CHECK((x), 0, #x, ##__VA_ARGS__)
#define cr_expect_not(x, ...)        RUNNER_CHECK(!(x), 0, "not " #x, ##__VA_ARGS__)
#define cr_expect_eq(a, b, ...)      RUNNER_CHECK((a) == (b), 0, #a " == " #b, ##__VA_ARGS__)
#define cr_expect_neq(a, b, ...)     RUNNER_CHECK((a) != (b), 0, #a " != " #b, ##__VA_ARGS__)
#define cr_expect_lt(a, b, ...)      RUNNER_CHECK((a) < (b), 0, #a " < " #b, ##__VA_ARGS__)
#define cr_expect_leq(a, b, ...)     RUNNER_CHECK((a) <= (b), 0, #a " <= " #b, ##__VA_ARGS__)
#define cr_expect_gt(a, b, ...)      RUNNER_CHECK((a) > (b), 0, #a " > " #b, ##__VA_ARGS__)
#define cr_expect_geq(a, b, ...)     RUNNER_CHECK((a) >= (b), 0, #a " >= " #b, ##__VA_ARGS__)
#define cr_expect_null(a, ...)       RUNNER_CHECK((a) == NULL, 0, #a " is NULL", ##__VA_ARGS__)
#define cr_expect_not_null(a, ...)   RUNNER_CHECK((a) != NULL, 0, #a " is not NULL", ##__VA_ARGS__)
#define cr_expect_str_neq(a, b, ...) RUNNER_CHECK(strcmp((a), (b)) != 0, 0, #a " differs from " #b, ##__VA_ARGS__)
#define cr_expect_str_eq(a, b, ...)  RUNNER_CHECK(strcmp((a), (b)) == 0, 0, #a " equals " #b, ##__VA_ARGS__)
#define cr_expect_float_eq(a, b, e, ...)                                                                               \
    RUNNER_CHECK(fabs((double)(a) - (double)(b)) <= (e), 0, #a " ~ " #b, ##__VA_ARGS__)
#define cr_skip(...)      runner_skip(" " __VA_ARGS__)
#define cr_skip_test(...) runner_skip(" " __VA_ARGS__)
#define cr_log_info(...)  (printf(__VA_ARGS__), putchar('\n'))
#define cr_log_warn(...)  (printf(__VA_ARGS__), putchar('\n'))

#endif
