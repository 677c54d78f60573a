/* The framing between XRT's shim and the device process. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "accel/device/socket.h"

enum { LIMIT = 100 };

struct pair {
    int host, card;
    struct buf body;
    uint32_t call;
    bool end;
    struct error err;
};

static void open_pair(struct pair *pair)
{
    int ends[2];
    *pair = (struct pair){0};
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    pair->host = ends[0];
    pair->card = ends[1];
}

static void close_pair(struct pair *pair)
{
    if (pair->host >= 0)
        close(pair->host);
    close(pair->card);
    buf_finish(&pair->body);
}

static void hang_up(struct pair *pair)
{
    close(pair->host);
    pair->host = -1;
}

static void send_bytes(struct pair *pair, const void *bytes, size_t size)
{
    cr_assert_eq(write(pair->host, bytes, size), (ssize_t)size);
}

/* The 14 bytes before a request's body, as XRT's shims write them. */
static void send_head(struct pair *pair, uint64_t size, uint32_t call)
{
    unsigned char head[14] = {0x09};
    memcpy(head + 1, &size, sizeof size);
    head[9] = 0x15;
    memcpy(head + 10, &call, sizeof call);
    send_bytes(pair, head, sizeof head);
}

static enum status receive(struct pair *pair)
{
    return device_socket_read(pair->card, LIMIT, &pair->call, &pair->body, &pair->end, &pair->err);
}

Test(socket, requests_one_after_the_other)
{
    struct pair pair;
    open_pair(&pair);
    send_head(&pair, 5, 0x01020304);
    send_bytes(&pair, "hello", 5);
    send_head(&pair, 0, 28);
    cr_assert_eq(receive(&pair), STATUS_OK);
    cr_assert_eq(pair.call, 0x01020304);
    cr_assert(pair.body.len == 5 && memcmp(pair.body.data, "hello", 5) == 0);
    cr_assert_eq(receive(&pair), STATUS_OK);
    cr_assert_eq(pair.call, 28);
    cr_assert(pair.body.len == 0 && !pair.end);
    hang_up(&pair);
    cr_assert_eq(receive(&pair), STATUS_OK);
    cr_assert(pair.end);
    close_pair(&pair);
}

Test(socket, answers_have_nine_bytes_before_them)
{
    static const unsigned char head[9] = {0x09, 3};
    unsigned char got[24];
    struct pair pair;
    open_pair(&pair);
    struct buf answer = {0};
    cr_assert_eq(device_socket_write(pair.card, &answer, &pair.err), STATUS_OK);
    buf_puts(&answer, "yes");
    cr_assert_eq(device_socket_write(pair.card, &answer, &pair.err), STATUS_OK);
    cr_assert_eq(read(pair.host, got, sizeof got), 21);
    cr_assert(got[0] == 0x09 && got[1] == 0 && got[8] == 0);
    cr_assert(memcmp(got + 9, head, 9) == 0 && memcmp(got + 18, "yes", 3) == 0);
    hang_up(&pair);
    cr_assert_eq(device_socket_write(pair.card, &answer, &pair.err), STATUS_IO);
    buf_finish(&answer);
    close_pair(&pair);
}

Test(socket, requests_that_are_cut)
{
    struct pair pair;
    open_pair(&pair);
    send_bytes(&pair, "\x09\x05", 2);
    hang_up(&pair);
    cr_assert_eq(receive(&pair), STATUS_IO);
    close_pair(&pair);
    open_pair(&pair);
    send_head(&pair, 5, 1);
    send_bytes(&pair, "hell", 4);
    hang_up(&pair);
    cr_assert_eq(receive(&pair), STATUS_IO);
    close_pair(&pair);
}

Test(socket, requests_that_are_none)
{
    struct pair pair;
    open_pair(&pair);
    send_head(&pair, LIMIT + 1, 1);
    cr_assert_eq(receive(&pair), STATUS_FORMAT);
    send_bytes(&pair, "GET / HTTP/1.1", 14);
    cr_assert_eq(receive(&pair), STATUS_FORMAT);
    close_pair(&pair);
}

Test(socket, nobody_waits_there)
{
    struct error err;
    int socket = -1;
    char path[256];
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = 0;
    cr_assert_eq(device_socket_connect(&socket, "/tmp/bertd-no-such-socket", 0, &err), STATUS_IO);
    cr_assert_eq(device_socket_connect(&socket, path, 0, &err), STATUS_IO);
    cr_assert_eq(socket, -1);
}
