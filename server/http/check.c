#include <errno.h>
#include <gnutls/gnutls.h>
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

static enum status ask(int fd, gnutls_session_t tls, struct error *err)
{
    static const char request[] = "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    const size_t size = sizeof request - 1;
    char answer[64] = "";
    size_t len = 0;
    ssize_t n = tls ? gnutls_record_send(tls, request, size) : send(fd, request, size, MSG_NOSIGNAL);
    if (n != (ssize_t)size)
        return error_set(err, STATUS_UNHEALTHY, "the request could not be sent: %s",
                         tls ? gnutls_strerror((int)n) : strerror(errno));
    while (len < sizeof "HTTP/1.1 200" - 1) {
        const size_t space = sizeof answer - 1 - len;
        n = tls ? gnutls_record_recv(tls, answer + len, space) : recv(fd, answer + len, space, 0);
        if (n <= 0)
            return error_set(err, STATUS_UNHEALTHY, "no answer within %d seconds: %s", TIMEOUT_SECONDS,
                             n == 0 ? "connection closed"
                             : tls  ? gnutls_strerror((int)n)
                                    : strerror(errno));
        len += (size_t)n;
    }
    if (strncmp(answer, "HTTP/1.1 200", 12) != 0)
        return error_set(err, STATUS_UNHEALTHY, "/health answers %.3s", answer + 9);
    return STATUS_OK;
}

/* Whose certificate it is does not matter: nothing secret is asked or sent. */
static enum status ask_in_tls(int fd, struct error *err)
{
    gnutls_session_t tls = NULL;
    gnutls_certificate_credentials_t credentials = NULL;
    enum status status = STATUS_UNHEALTHY;
    int failed = gnutls_certificate_allocate_credentials(&credentials);
    if (!failed)
        failed = gnutls_init(&tls, GNUTLS_CLIENT | GNUTLS_NO_SIGNAL);
    if (!failed)
        failed = gnutls_set_default_priority(tls);
    if (!failed)
        failed = gnutls_credentials_set(tls, GNUTLS_CRD_CERTIFICATE, credentials);
    if (!failed) {
        gnutls_transport_set_int(tls, fd);
        gnutls_handshake_set_timeout(tls, TIMEOUT_SECONDS * 1000);
        do
            failed = gnutls_handshake(tls);
        while (failed && !gnutls_error_is_fatal(failed));
    }
    if (failed)
        error_set(err, status, "no TLS: %s", gnutls_strerror(failed));
    else
        status = ask(fd, tls, err);
    if (tls)
        gnutls_deinit(tls);
    if (credentials)
        gnutls_certificate_free_credentials(credentials);
    return status;
}

enum status http_check(const char *hostname, uint16_t port, bool in_tls, struct error *err)
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
        status = in_tls ? ask_in_tls(fd, err) : ask(fd, NULL, err);
    if (fd >= 0)
        close(fd);
    freeaddrinfo(list);
    return status;
}
