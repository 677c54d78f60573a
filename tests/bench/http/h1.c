#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "tests/bench/http/surfaces.h"

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

/* What follows the name in a line of a head; NULL: it is another field's. */
static const char *value_of(const char *line, const char *name, size_t len)
{
    return strncasecmp(line, name, len) == 0 ? line + len + strspn(line + len, " ") : NULL;
}

#define VALUE_OF(line, name) value_of(line, name, sizeof(name) - 1)

/* Of a whole head; returns the length of the body. */
static size_t read_head(struct answer *answer, const char *head)
{
    size_t length = 0;
    answer->code = atoi(head + strcspn(head, " "));
    for (const char *line = head, *value; (line = strchr(line, '\n'));) {
        line++;
        if ((value = VALUE_OF(line, "content-length:")))
            length = strtoull(value, NULL, 10);
        else if ((value = VALUE_OF(line, "x-compute-tokens:")))
            answer->tokens = (uint32_t)strtoul(value, NULL, 10);
        else if ((value = VALUE_OF(line, "server-timing:")))
            snprintf(answer->timing, sizeof answer->timing, "%.*s", (int)strcspn(value, "\r\n"), value);
    }
    return length;
}

bool h1_ask(struct h1 *h1, const struct request *request)
{
    h1->have = h1->left = 0;
    h1->in_body = false;
    return send(h1->fd, request->body, request->len, MSG_NOSIGNAL) == (ssize_t)request->len;
}

/* The head, or more of it, and what came of the body. */
static bool hear_head(struct h1 *h1, struct answer *answer)
{
    ssize_t n = recv(h1->fd, h1->head + h1->have, sizeof h1->head - 1 - h1->have, 0);
    if (n <= 0)
        return false;
    h1->have += (size_t)n;
    h1->head[h1->have] = '\0';
    char *body = strstr(h1->head, "\r\n\r\n");
    if (!body)
        return true;
    body[2] = '\0';
    body += 4;
    size_t got = h1->have - (size_t)(body - h1->head), length = read_head(answer, h1->head);
    answer->body.len = 0;
    buf_append(&answer->body, body, got);
    h1->in_body = true;
    h1->left = length - got;
    return got <= length;
}

bool h1_hear(struct h1 *h1, struct answer *answer, bool *ret_done)
{
    if (!h1->in_body) {
        if (!hear_head(h1, answer))
            return false;
    } else {
        char *to = buf_reserve(&answer->body, h1->left);
        ssize_t n = to ? recv(h1->fd, to, h1->left, 0) : -1;
        if (n <= 0)
            return false;
        answer->body.len += (size_t)n;
        h1->left -= (size_t)n;
    }
    *ret_done = h1->in_body && h1->left == 0;
    return true;
}
