/* How long bertd waits for a host process, by a clock that the tests move on, and what it makes of strange words; the
 * host process is this program. */
#include <criterion/criterion.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "accel/board.h"
#include "accel/xrt/protocol.h"

enum { STEP_NS = 1000000000 };

static uint64_t now_ns = STEP_NS;
static volatile sig_atomic_t runs; /* whether each look at the clock moves it on */

uint64_t __wrap_clock_now_ns(void);
uint64_t __wrap_clock_now_ns(void)
{
    now_ns += runs ? STEP_NS : 0;
    return now_ns;
}

static void let_it_run(int signal)
{
    (void)signal;
    runs = 1;
}

static void say(const void *message, size_t size)
{
    if (send(XRT_CONTROL_FD, message, size, 0) != (ssize_t)size)
        exit(1);
}

/* The message has no end. */
static void be_strange(const char *how)
{
    static char large[sizeof(struct xrt_hello) + 1];
    struct xrt_request request;
    struct xrt_hello hello = {.protocol = XRT_PROTOCOL, .n_units = 1};
    struct xrt_answer answer = {.status = UINT32_MAX};
    memset(hello.message, 'm', sizeof hello.message);
    memset(answer.message, 'm', sizeof answer.message);
    memset(hello.bdf, 'b', sizeof hello.bdf);
    memcpy(large, &hello, sizeof hello);
    if (strcmp(how, "units") == 0)
        hello.n_units = 1u << 20;
    if (strcmp(how, "status") == 0)
        hello.status = 999;
    if (strcmp(how, "version") == 0)
        hello.protocol++;
    if (strcmp(how, "short") == 0)
        say(&hello, 4);
    else if (strcmp(how, "long") == 0)
        say(large, sizeof large);
    else
        say(&hello, sizeof hello);
    recv(XRT_CONTROL_FD, &request, sizeof request, 0);
    if (strcmp(how, "answer") == 0)
        say(&answer, sizeof answer);
    if (strcmp(how, "short-answer") == 0)
        say(&answer, 1);
    exit(0);
}

/* A card at the place on the bus that all have; whatever it is asked is fine. */
static void be_content(void)
{
    const struct xrt_hello hello = {.protocol = XRT_PROTOCOL, .n_units = 1, .bdf = "0000:65:00.1"};
    const struct xrt_answer answer = {.status = STATUS_OK};
    struct xrt_request request;
    say(&hello, sizeof hello);
    while (recv(XRT_CONTROL_FD, &request, sizeof request, 0) == sizeof request && request.kind != XRT_END)
        say(&answer, sizeof answer);
    exit(0);
}

/* As `bertd-xrt-host CARD XCLBIN`: says nothing, or answers no request. Before Criterion sees the arguments. */
__attribute__((constructor)) static void be_a_host_process(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[2], "strange.xclbin") == 0)
        be_strange(argv[1]);
    if (argc == 3 && strcmp(argv[2], "content.xclbin") == 0)
        be_content();
    if (argc != 3 || strcmp(argv[2], "mute.xclbin") != 0)
        return;
    struct xrt_request request;
    const struct xrt_hello hello = {.protocol = XRT_PROTOCOL, .n_units = 1};
    if (strcmp(argv[1], "greets") == 0) {
        if (send(XRT_CONTROL_FD, &hello, sizeof hello, 0) != sizeof hello ||
            recv(XRT_CONTROL_FD, &request, sizeof request, 0) != sizeof request)
            exit(1);
    }
    kill(getppid(), SIGUSR1);
    for (;;)
        pause();
}

static void expect_patience(const char *card, uint32_t patience, const char *words, uint64_t seconds)
{
    struct board *board = NULL;
    struct error err = {0};
    char program[PATH_MAX] = "";
    cr_assert_gt(readlink("/proc/self/exe", program, sizeof program - 1), 0);
    struct board_options options = {
        .kind = "xrt", .card = card, .xclbin = "mute.xclbin", .xrt_host = program, .patience = patience};
    signal(SIGUSR1, let_it_run);
    runs = 0;
    uint64_t begin = now_ns;
    cr_assert_eq(board_open(&board, &options, &err), STATUS_BACKEND);
    cr_assert_not_null(strstr(err.message, words), "%s", err.message);
    cr_assert_geq(now_ns - begin, seconds * STEP_NS);
}

Test(host, opening_has_half_a_minute_times_the_patience)
{
    expect_patience("silent", 0, "card silent: XRT did not answer within 30 seconds", 30);
    expect_patience("silent", 3, "card silent: XRT did not answer within 90 seconds", 90);
}

Test(host, an_answer_has_five_seconds_times_the_patience)
{
    expect_patience("greets", 1, "card greets: XRT did not answer within 5 seconds", 5);
    expect_patience("greets", 20, "card greets: XRT did not answer within 100 seconds", 100);
}

static enum status open_card(struct board **ret, const char *card, const char *xclbin, struct error *err)
{
    char program[PATH_MAX] = "";
    cr_assert_gt(readlink("/proc/self/exe", program, sizeof program - 1), 0);
    struct board_options options = {.kind = "xrt", .card = card, .xclbin = xclbin, .xrt_host = program};
    return board_open(ret, &options, err);
}

static void expect_refusal(const char *how, enum status status, const char *words)
{
    struct board *board = NULL;
    struct error err = {0};
    cr_assert_eq(open_card(&board, how, "strange.xclbin", &err), status, "%s: %s", how, err.message);
    cr_assert_not_null(strstr(err.message, words), "%s: %s", how, err.message);
}

Test(host, words_that_bertd_does_not_know)
{
    static const char *const strange[] = {"units", "version", "short", "long", "short-answer"};
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++)
        expect_refusal(strange[i], STATUS_USAGE, "bertd does not know what its host process says");
}

Test(host, a_status_and_a_message_that_are_none)
{
    expect_refusal("status", STATUS_BACKEND, "mmmm");
    expect_refusal("answer", STATUS_BACKEND, "mmmm");
}

Test(host, one_card_by_two_names)
{
    struct board *first = NULL, *second = NULL;
    struct error err = {0};
    cr_assert_eq(open_card(&first, "0", "content.xclbin", &err), STATUS_OK, "%s", err.message);
    cr_assert_eq(open_card(&second, "0000:65:00.1", "content.xclbin", &err), STATUS_USAGE);
    cr_assert_str_eq(err.message, "cards 0 and 0000:65:00.1 are the same, 0000:65:00.1");
    cr_assert_eq(open_card(&second, "0", "content.xclbin", &err), STATUS_USAGE);
    cr_assert_str_eq(err.message, "compute unit 0 of card 0 is a board already");
    board_close(&first);
    cr_assert_eq(open_card(&second, "0000:65:00.1", "content.xclbin", &err), STATUS_OK, "%s", err.message);
    board_close(&second);
}
