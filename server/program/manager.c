/* The protocols of service managers: systemd's, spoken by others too. They are a datagram and two variables, which is
 * less than a library.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "server/program/program.h"

enum { FIRST_SOCKET = 3 };

void program_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = path ? strlen(path) : 0;
    if (len == 0 || len >= sizeof address.sun_path)
        return;
    memcpy(address.sun_path, path, len);
    if (path[0] == '@') /* as an abstract name is written */
        address.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address,
           (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
    close(fd);
}

/* Whether the variables are for this process: they are inherited by children, too. */
static bool is_meant(void)
{
    const char *pid = getenv("LISTEN_PID");
    char own[24];
    snprintf(own, sizeof own, "%ld", (long)getpid());
    return pid && strcmp(pid, own) == 0;
}

enum status program_take_sockets(struct program *program, struct error *err)
{
    const char *text = getenv("LISTEN_FDS");
    if (!text || !is_meant())
        return STATUS_OK;
    char *end;
    unsigned long n = strtoul(text, &end, 10);
    if (*end || n > PROGRAM_LENT_SOCKETS)
        return error_set(err, STATUS_USAGE, "LISTEN_FDS in the environment: \"%s\" is not a number up to %d", text,
                         PROGRAM_LENT_SOCKETS);
    for (int fd = FIRST_SOCKET; fd < FIRST_SOCKET + (int)n; fd++) {
        uint16_t port;
        bool local;
        enum status status = net_listen_lent(fd, &port, &local, err);
        if (status != STATUS_OK)
            return error_prefix(err, status, "LISTEN_FDS in the environment: ");
        if (program->port == 0)
            program->port = port;
        program->listeners[program->n_listeners++] =
            (struct net_listener){.fd = fd, .side = local && program->tls ? NET_LOCAL : NET_PUBLIC, .lent = true};
    }
    return STATUS_OK;
}
