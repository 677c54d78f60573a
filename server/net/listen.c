#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "server/net/net.h"

static uint16_t port_of(int fd)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        return 0;
    if (address.ss_family == AF_INET6)
        return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
    return address.ss_family == AF_INET ? ntohs(((struct sockaddr_in *)&address)->sin_port) : 0;
}

static enum status bind_address(int *ret_fd, const struct addrinfo *info, const char *hostname, uint16_t port,
                                struct error *err)
{
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return error_set(err, STATUS_IO, "socket: %s", strerror(errno));
    int on = 1;
    int off = 0;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (info->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off); /* :: takes IPv4 too */
    if (bind(fd, info->ai_addr, info->ai_addrlen) != 0) {
        int why = errno;
        close(fd);
        return error_set(err, STATUS_IO, "cannot listen on %s, port %u: %s", hostname, port, strerror(why));
    }
    *ret_fd = fd;
    return STATUS_OK;
}

enum status net_listen(int *ret_fd, uint16_t *ret_port, const char *hostname, uint16_t port, struct error *err)
{
    char service[8];
    snprintf(service, sizeof service, "%u", port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    int failed = getaddrinfo(hostname, service, &hints, &list);
    if (failed)
        return error_set(err, STATUS_USAGE, "--hostname %s: %s", hostname, gai_strerror(failed));
    int fd = -1;
    enum status status = bind_address(&fd, list, hostname, port, err);
    freeaddrinfo(list);
    if (status != STATUS_OK)
        return status;
    *ret_port = port_of(fd);
    *ret_fd = fd;
    return STATUS_OK;
}

enum status net_listen_unix(int *ret_fd, const char *path, struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return error_set(err, STATUS_USAGE, "%s is longer than the %zu bytes that a socket's path may have", path,
                         sizeof address.sun_path - 1);
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return error_set(err, STATUS_IO, "socket: %s", strerror(errno));
    struct stat file;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0 && errno == ECONNREFUSED &&
        lstat(path, &file) == 0 && S_ISSOCK(file.st_mode))
        unlink(path); /* a socket whose server has ended; other files refuse, too */
    close(fd);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        int why = errno;
        if (fd >= 0)
            close(fd);
        return error_set(err, STATUS_IO, "cannot listen on %s: %s", path, strerror(why));
    }
    *ret_fd = fd;
    return STATUS_OK;
}

enum status net_listen_lent(int fd, uint16_t *ret_port, bool *ret_local, struct error *err)
{
    int listens = 0;
    socklen_t len = sizeof listens;
    struct sockaddr_storage address;
    socklen_t address_len = sizeof address;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) != 0 || !listens ||
        getsockname(fd, (struct sockaddr *)&address, &address_len) != 0)
        return error_set(err, STATUS_USAGE, "descriptor %d is no socket that listens", fd);
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
        return error_set(err, STATUS_USAGE, "descriptor %d: %s", fd, strerror(errno));
    *ret_port = port_of(fd);
    *ret_local = address.ss_family == AF_UNIX;
    return STATUS_OK;
}
