#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "tests/bench/http/surfaces.h"

enum { HEAD_SIZE = 8192 };

void fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "bench-surfaces: ");
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
    va_end(args);
    exit(1);
}

int socket_open(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        fail("cannot connect to port %d", port);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static const char *find_field(const char *head, const char *name)
{
    const char *found = strcasestr(head, name);
    return found ? found + strlen(name) + strspn(found + strlen(name), " ") : NULL;
}

static void read_head(struct answer *answer, const char *head)
{
    const char *tokens = find_field(head, "\nx-compute-tokens:");
    const char *timing = find_field(head, "\nserver-timing:");
    answer->code = atoi(head + strcspn(head, " "));
    answer->tokens = tokens ? (uint32_t)strtoul(tokens, NULL, 10) : 0;
    if (timing)
        snprintf(answer->timing, sizeof answer->timing, "%.*s", (int)strcspn(timing, "\r\n"), timing);
}

bool h1_call(int fd, const struct request *request, struct answer *ret)
{
    char head[HEAD_SIZE], *body = NULL;
    size_t have = 0;
    if (send(fd, request->body, request->len, MSG_NOSIGNAL) != (ssize_t)request->len)
        return false;
    while (!body) {
        ssize_t n = recv(fd, head + have, HEAD_SIZE - 1 - have, 0);
        if (n <= 0)
            return false;
        have += (size_t)n;
        head[have] = '\0';
        body = strstr(head, "\r\n\r\n");
    }
    body += 4;
    const char *length = find_field(head, "\ncontent-length:");
    size_t left = length ? strtoull(length, NULL, 10) : 0;
    size_t got = have - (size_t)(body - head);
    ret->body.len = 0;
    buf_append(&ret->body, body, got);
    body[-1] = '\0';
    read_head(ret, head);
    while (got < left) {
        char *to = buf_reserve(&ret->body, left - got);
        ssize_t n = to ? recv(fd, to, left - got, 0) : -1;
        if (n <= 0)
            return false;
        ret->body.len += (size_t)n;
        got += (size_t)n;
    }
    return true;
}
