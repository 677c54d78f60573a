/* A test that leaks, and is expected to fail: where it passes, no leak of any suite would be seen. */
#include "criterion/criterion.h"

Test(runner, a_leak_fails_the_test)
{
    static void *volatile only;
    only = malloc(1000);
    cr_assert_not_null(only);
    only = NULL;
}
