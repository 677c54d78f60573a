#include "server/net/h1_linger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

static const uint64_t most_ns = 2000000000u;

/* True when the client has ended, or the connection is broken. */
static bool drain(int socket)
{
    char bytes[4096];
    for (int i = 0; i < 64; i++) { /* a client that sends without end is not read without end */
        ssize_t n = recv(socket, bytes, sizeof bytes, MSG_DONTWAIT);
        if (n <= 0)
            return n == 0 || errno != EAGAIN;
    }
    return false;
}

void h1_linger_add(struct h1_linger *linger, int socket)
{
    if (linger->n == H1_LINGER_MAX || drain(socket))
        return;
    int copy = fcntl(socket, F_DUPFD_CLOEXEC, 0);
    if (copy < 0)
        return;
    shutdown(copy, SHUT_WR);
    linger->items[linger->n++] = (struct h1_lingering){copy, clock_now_ns() + most_ns};
}

void h1_linger_sweep(struct h1_linger *linger)
{
    uint64_t now = clock_now_ns();
    for (unsigned i = 0; i < linger->n;) {
        if (!drain(linger->items[i].socket) && linger->items[i].until_ns > now) {
            i++;
            continue;
        }
        close(linger->items[i].socket);
        linger->items[i] = linger->items[--linger->n];
    }
}

void h1_linger_finish(struct h1_linger *linger)
{
    while (linger->n > 0)
        close(linger->items[--linger->n].socket);
}
