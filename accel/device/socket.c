#include "accel/device/socket.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"

/* A message's head, in protobuf's own tags: field 1, the body's size, in 64 bits; of requests, field 2, the call, in
 * 32. */
enum { TAG_SIZE = 0x09, TAG_CALL = 0x15, REQUEST_HEAD = 14, ANSWER_HEAD = 9, CALL_AT = 9 };
enum { RETRY_US = 1000 };

enum status device_socket_connect(int *ret, const char *path, unsigned seconds, struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return error_set(err, STATUS_IO, "%s: longer than a socket's path may be", path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    const uint64_t until = clock_now_ns() + seconds * 1000000000ull;
    int file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (file < 0)
        return error_set(err, STATUS_IO, "socket: %s", strerror(errno));
    while (connect(file, (struct sockaddr *)&address, sizeof address) != 0) {
        if (clock_now_ns() >= until) {
            enum status status = error_set(err, STATUS_IO, "%s: %s", path, strerror(errno));
            close(file);
            return status;
        }
        usleep(RETRY_US);
    }
    *ret = file;
    return STATUS_OK;
}

/* Fewer than `size`: the host has closed the connection, or the read failed (-1). */
static ssize_t read_all(int socket, void *bytes, size_t size)
{
    size_t have = 0;
    while (have < size) {
        ssize_t n = read(socket, (char *)bytes + have, size - have);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        have += (size_t)n;
    }
    return (ssize_t)have;
}

static enum status cut(ssize_t got, struct error *err)
{
    return error_set(err, STATUS_IO, "the host's connection: %s",
                     got < 0 ? strerror(errno) : "closed within a request");
}

enum status device_socket_read(int socket, uint64_t limit, uint32_t *ret_call, struct buf *body, bool *ret_end,
                               struct error *err)
{
    unsigned char head[REQUEST_HEAD];
    uint64_t size;
    ssize_t got = read_all(socket, head, sizeof head);
    *ret_end = got == 0;
    if (got == 0)
        return STATUS_OK;
    if (got != sizeof head)
        return cut(got, err);
    memcpy(&size, head + 1, sizeof size);
    if (head[0] != TAG_SIZE || head[CALL_AT] != TAG_CALL)
        return error_set(err, STATUS_FORMAT, "a request begins with the bytes %02x and %02x, not %02x and %02x",
                         head[0], head[CALL_AT], TAG_SIZE, TAG_CALL);
    if (size > limit)
        return error_set(err, STATUS_FORMAT, "a request has %llu bytes; %llu are the limit", (unsigned long long)size,
                         (unsigned long long)limit);
    memcpy(ret_call, head + CALL_AT + 1, sizeof *ret_call);
    body->len = 0;
    char *at = buf_reserve(body, size);
    if (!at && size > 0)
        return error_set(err, STATUS_NO_MEMORY, "no memory for a request of %llu bytes", (unsigned long long)size);
    got = read_all(socket, at, size);
    if (got < 0 || (uint64_t)got != size)
        return cut(got, err);
    body->len = size;
    return STATUS_OK;
}

enum status device_socket_write(int socket, const struct buf *body, struct error *err)
{
    unsigned char head[ANSWER_HEAD] = {TAG_SIZE};
    uint64_t size = body->len;
    memcpy(head + 1, &size, sizeof size);
    struct iovec parts[] = {{head, sizeof head}, {body->data, body->len}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = body->len > 0 ? 2 : 1};
    while (message.msg_iovlen > 0) {
        ssize_t n = sendmsg(socket, &message, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set(err, STATUS_IO, "the host's connection: %s", strerror(errno));
        while (message.msg_iovlen > 0 && (size_t)n >= message.msg_iov->iov_len) {
            n -= (ssize_t)message.msg_iov->iov_len;
            message.msg_iov++;
            message.msg_iovlen--;
        }
        if (message.msg_iovlen > 0) {
            message.msg_iov->iov_base = (char *)message.msg_iov->iov_base + n;
            message.msg_iov->iov_len -= (size_t)n;
        }
    }
    return STATUS_OK;
}
