#include "server/net/doorman.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/net/server.h"

enum { BACKLOG = 1024, PAUSE_US = 10000 };

static void take(struct net_server *server, const struct net_listener *listener)
{
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof address;
    int fd = accept4(listener->fd, (struct sockaddr *)&address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0)
        h1_take(server, fd, (struct sockaddr *)&address, len, listener->side);
    else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
        usleep(PAUSE_US);
}

static void *run(void *cookie)
{
    struct net_server *server = cookie;
    struct net_doorman *doorman = &server->doorman;
    struct pollfd fds[NET_MAX_LISTENERS + 1];
    for (uint32_t i = 0; i < doorman->n_listeners; i++)
        fds[i] = (struct pollfd){.fd = doorman->listeners[i].fd, .events = POLLIN};
    fds[doorman->n_listeners] = (struct pollfd){.fd = doorman->wake, .events = POLLIN};
    while (!atomic_load(&doorman->stop)) {
        if (poll(fds, doorman->n_listeners + 1, -1) <= 0)
            continue;
        for (uint32_t i = 0; i < doorman->n_listeners; i++) {
            if (fds[i].revents)
                take(server, &doorman->listeners[i]);
        }
    }
    return NULL;
}

enum status net_doorman_start(struct net_server *server, const struct net_listener *listeners, uint32_t n_listeners,
                              struct error *err)
{
    struct net_doorman *doorman = &server->doorman;
    memcpy(doorman->listeners, listeners, n_listeners * sizeof *listeners);
    doorman->n_listeners = n_listeners;
    for (uint32_t i = 0; i < n_listeners; i++) {
        if (listen(listeners[i].fd, BACKLOG) != 0)
            return error_set(err, STATUS_IO, "listen: %s", strerror(errno));
    }
    doorman->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (doorman->wake < 0)
        return error_set(err, STATUS_INTERNAL, "eventfd: %s", strerror(errno));
    int failed = pthread_create(&doorman->thread, NULL, run, server);
    if (!failed)
        return STATUS_OK;
    close(doorman->wake);
    return error_set(err, STATUS_INTERNAL, "the thread that takes connections could not be started: %s",
                     strerror(failed));
}

void net_doorman_stop(struct net_server *server)
{
    struct net_doorman *doorman = &server->doorman;
    if (doorman->stopped)
        return;
    doorman->stopped = true;
    atomic_store(&doorman->stop, true);
    eventfd_write(doorman->wake, 1);
    pthread_join(doorman->thread, NULL);
    for (uint32_t i = 0; i < doorman->n_listeners; i++)
        close(doorman->listeners[i].fd);
    close(doorman->wake);
}
