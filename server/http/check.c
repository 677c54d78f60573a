#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "server/http/http.h"

enum { TIMEOUT_SECONDS = 5 };

/* Where a server that listens everywhere can be reached from here. */
static const char *reachable(const char *hostname)
{
    if (strcmp(hostname, "0.0.0.0") == 0)
        return "127.0.0.1";
    return strcmp(hostname, "::") == 0 ? "::1" : hostname;
}

static enum status ask(int fd, struct error *err)
{
    static const char request[] = "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    char answer[64] = "";
    size_t len = 0;
    if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) != (ssize_t)(sizeof request - 1))
        return error_set(err, STATUS_UNHEALTHY, "the request could not be sent: %s", strerror(errno));
    while (len < sizeof "HTTP/1.1 200" - 1) {
        ssize_t n = recv(fd, answer + len, sizeof answer - 1 - len, 0);
        if (n <= 0)
            return error_set(err, STATUS_UNHEALTHY, "no answer within %d seconds: %s", TIMEOUT_SECONDS,
                             n == 0 ? "connection closed" : strerror(errno));
        len += (size_t)n;
    }
    if (strncmp(answer, "HTTP/1.1 200", 12) != 0)
        return error_set(err, STATUS_UNHEALTHY, "/health answers %.3s", answer + 9);
    return STATUS_OK;
}

enum status http_check(const char *hostname, uint16_t port, struct error *err)
{
    char service[8];
    snprintf(service, sizeof service, "%u", port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    int failed = getaddrinfo(reachable(hostname), service, &hints, &list);
    if (failed)
        return error_set(err, STATUS_USAGE, "--hostname %s: %s", hostname, gai_strerror(failed));
    enum status status;
    int fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval timeout = {.tv_sec = TIMEOUT_SECONDS};
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    }
    if (fd < 0 || connect(fd, list->ai_addr, list->ai_addrlen) != 0)
        status = error_set(err, STATUS_UNHEALTHY, "no server at %s, port %u: %s", hostname, port, strerror(errno));
    else
        status = ask(fd, err);
    if (fd >= 0)
        close(fd);
    freeaddrinfo(list);
    return status;
}
