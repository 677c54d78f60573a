/* Messages that are on their way count against --max-request-memory (1 MiB here), as bodies of REST do. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/rpc/listening.h"

enum { MOST = 1 << 20, PART = 80000, CLIENTS = 12 };

static bool memory_is(uint64_t held)
{
    struct error err;
    if (serve_server_reserve(server, MOST - held, &err) != STATUS_OK)
        return false;
    bool more = serve_server_reserve(server, 1, &err) == STATUS_OK;
    serve_server_release(server, MOST - held + more);
    return !more;
}

static bool memory_becomes(uint64_t held)
{
    for (int tries = 0; tries < 30000; tries++) {
        if (memory_is(held))
            return true;
        usleep(1000);
    }
    return false;
}

/* Nothing of that size has room any more. */
static bool memory_is_full(void)
{
    struct error err;
    for (int tries = 0; tries < 30000; tries++) {
        if (serve_server_reserve(server, PART, &err) != STATUS_OK)
            return true;
        serve_server_release(server, PART);
        usleep(1000);
    }
    return false;
}

/* A call by Connect, of which all but the end is sent. */
static int begin_call(void)
{
    static char part[PART];
    char head[200];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    int len = snprintf(head, sizeof head,
                       "POST /tei.v1.Embed/Embed HTTP/1.1\r\nhost: a\r\ncontent-type: application/proto\r\n"
                       "content-length: %d\r\n\r\n",
                       PART + 1);
    cr_assert_eq(send(fd, head, (size_t)len, 0), len);
    cr_assert_eq(send(fd, part, PART, 0), PART);
    return fd;
}

Test(held, parts_of_messages_count)
{
    begin_with(200, 0);
    listen_to_all(false);
    cr_expect(memory_becomes(0));
    int one = begin_call();
    cr_expect(memory_becomes(PART));
    close(one);
    cr_expect(memory_becomes(0), "the client has gone");
    close_listening();
    end();
}

/* Where there is no room for all, some are refused, and the rest may end. */
Test(held, parts_of_messages_are_bounded)
{
    begin_with(200, 0);
    listen_to_all(false);
    int fds[CLIENTS + 2];
    int refused = 0;
    char answer[2000];
    for (int i = 0; i < CLIENTS + 2; i++)
        fds[i] = begin_call();
    cr_expect(memory_is_full(), "some of the last parts are refused");
    for (int i = 0; i < CLIENTS + 2; i++) {
        cr_assert_eq(send(fds[i], "\0", 1, MSG_NOSIGNAL), 1);
        ssize_t n = recv(fds[i], answer, sizeof answer - 1, 0);
        cr_assert_gt(n, 0);
        answer[n] = '\0';
        refused += strstr(answer, "429") != NULL && strstr(answer, "--max-request-memory") != NULL;
        close(fds[i]);
    }
    cr_expect_geq(refused, 1);
    cr_expect(memory_becomes(0));
    close_listening();
    end();
}
