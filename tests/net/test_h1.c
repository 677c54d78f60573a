/* What HTTP/1.1 owes handlers beside the library's own rules. */
#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#include "tests/net/client.h"
#include "tests/net/place.h"

static struct place place;

TestSuite(h1, .timeout = 120);

Test(h1, an_exchange_outlives_the_callback_that_answers_it)
{
    static const char half[] = "POST /late HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf";
    PLACE_OPEN(&place);
    int fd = client_connect(place.port);
    cr_assert_eq(write(fd, half, sizeof half - 1), (ssize_t)sizeof half - 1);
    while (atomic_load(&place.received) < 4)
        usleep(1000);
    close(fd);
    while (atomic_load(&place.over) == 0)
        usleep(1000);
    place_close(&place);
    cr_expect_eq(atomic_load(&place.freed_inside), 0);
}

/* The library takes no header without a value. */
Test(h1, a_preflight_that_asks_for_no_headers)
{
    static const char request[] =
        "OPTIONS /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nOrigin: http://a.example\r\n"
        "Access-Control-Request-Headers:\r\n\r\n";
    PLACE_OPEN(&place, options.cors_allow_origin = "*");
    int fd = client_connect(place.port);
    cr_assert_eq(write(fd, request, sizeof request - 1), (ssize_t)sizeof request - 1);
    char answer[4096] = "";
    size_t len = 0;
    for (ssize_t n; (n = read(fd, answer + len, sizeof answer - 1 - len)) > 0;)
        len += (size_t)n;
    cr_expect_eq(strncmp(answer, "HTTP/1.1 200 ", 13), 0, "%s", answer);
    cr_expect_not_null(strcasestr(answer, "\naccess-control-allow-origin: *\r"));
    close(fd);
    place_close(&place);
}
