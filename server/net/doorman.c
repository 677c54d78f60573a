#include "server/net/doorman.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "server/net/h2.h"
#include "server/net/hello.h"
#include "server/net/server.h"
#include "server/net/visitors.h"

/* Operators reach a server whose clients have taken every connection. */
enum { BACKLOG = 1024, MAX_EVENTS = 64, ADMIN_MORE = 32 };

static const uint64_t second_ns = 1000000000u, pause_ns = 20000000u;

enum visitor_kind { LISTENER, GUEST };

struct listener {
    enum visitor_kind kind;
    enum net_side side;
    int fd;
    bool lent;
};

/** A connection that has not yet told what it speaks. */
struct guest {
    enum visitor_kind kind;
    enum net_side side;
    bool tls;
    int fd;
    struct guest *next, *previous;
    uint64_t deadline_ns;
    socklen_t len;
    struct sockaddr_storage address;
};

struct doorman {
    struct net_server *server;
    pthread_t thread;
    int epoll;
    int wake; /* eventfd: to stop, or be quiet */
    atomic_bool stop;
    atomic_bool quiesced;
    atomic_bool quiet; /* it accepts no more, and all that it accepted are counted */
    atomic_uint guests;
    atomic_uint_fast64_t taken, refused;
    uint64_t resume_ns;         /* some listener rests until then, for want of room or descriptors; 0: none does */
    struct guest *first, *last; /* by deadline */
    uint32_t n_listeners;
    struct listener listeners[];
};

static void watch_listeners(struct doorman *doorman, int operation, uint32_t events)
{
    for (uint32_t i = 0; i < doorman->n_listeners; i++) {
        struct epoll_event event = {.events = events, .data.ptr = &doorman->listeners[i]};
        epoll_ctl(doorman->epoll, operation, doorman->listeners[i].fd, &event);
    }
}

static void unlink_guest(struct doorman *doorman, struct guest *guest)
{
    *(guest->previous ? &guest->previous->next : &doorman->first) = guest->next;
    *(guest->next ? &guest->next->previous : &doorman->last) = guest->previous;
    epoll_ctl(doorman->epoll, EPOLL_CTL_DEL, guest->fd, NULL);
}

static void dismiss(struct doorman *doorman, struct guest *guest)
{
    net_visitors_leave(&doorman->server->visitors, (struct sockaddr *)&guest->address);
    close(guest->fd);
    mem_free(guest);
}

static void send_away(struct doorman *doorman, struct guest *guest)
{
    unlink_guest(doorman, guest);
    dismiss(doorman, guest);
    atomic_fetch_sub(&doorman->guests, 1);
}

static void hand_on(struct doorman *doorman, struct guest *guest, enum net_hello hello)
{
    bool (*take)(struct net_server *, int, const struct sockaddr *, socklen_t, enum net_side) =
        hello == NET_HELLO_H2 ? h2_take : h1_take;
    take(doorman->server, guest->fd, (struct sockaddr *)&guest->address, guest->len, guest->side);
    mem_free(guest);
}

/* Its first bytes, which stay in the socket. True: the guest is gone. */
static bool look(struct doorman *doorman, struct guest *guest, bool linked, bool ended)
{
    unsigned char bytes[NET_HELLO_MOST];
    ssize_t n = recv(guest->fd, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);
    bool waits = n < 0 && (errno == EAGAIN || errno == EINTR);
    if (waits && !ended)
        return false;
    enum net_hello hello = n > 0 ? net_hello_read(bytes, (size_t)n, guest->tls) : NET_HELLO_NEITHER;
    if (hello == NET_HELLO_MORE && !ended)
        return false;
    if (linked)
        unlink_guest(doorman, guest);
    if (hello == NET_HELLO_MORE) /* it will send no more: HTTP/1.1 has an answer to that */
        hello = guest->tls ? NET_HELLO_NEITHER : NET_HELLO_H1;
    if (hello == NET_HELLO_NEITHER)
        dismiss(doorman, guest);
    else
        hand_on(doorman, guest, hello);
    if (linked)
        atomic_fetch_sub(&doorman->guests, 1);
    return true;
}

static uint32_t most_of(const struct doorman *doorman, const struct listener *listener)
{
    return doorman->server->options.max_connections + (listener->side == NET_ADMIN ? ADMIN_MORE : 0);
}

static void welcome(struct doorman *doorman, const struct listener *listener, int fd,
                    const struct sockaddr_storage *address, socklen_t len)
{
    const struct net_options *options = &doorman->server->options;
    if (!net_visitors_enter(&doorman->server->visitors, (const struct sockaddr *)address, most_of(doorman, listener))) {
        atomic_fetch_add(&doorman->refused, 1);
        close(fd);
        return;
    }
    atomic_fetch_add(&doorman->taken, 1);
    struct guest *guest = mem_alloc(sizeof *guest);
    if (!guest) { /* HTTP/1.1 has an answer for want of memory */
        h1_take(doorman->server, fd, (const struct sockaddr *)address, len, listener->side);
        return;
    }
    *guest = (struct guest){.kind = GUEST,
                            .side = listener->side,
                            .tls = listener->side == NET_PUBLIC && options->tls,
                            .fd = fd,
                            .len = len,
                            .address = *address};
    if (look(doorman, guest, false, false))
        return;
    guest->deadline_ns = clock_now_ns() + options->idle_timeout_s * second_ns;
    guest->previous = doorman->last;
    *(doorman->last ? &doorman->last->next : &doorman->first) = guest;
    doorman->last = guest;
    atomic_fetch_add(&doorman->guests, 1);
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.ptr = guest}; /* what came, stays */
    if (epoll_ctl(doorman->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        send_away(doorman, guest);
    }
}

/* Clients wait in the backlog meanwhile. */
static void pause_listener(struct doorman *doorman, const struct listener *listener)
{
    struct epoll_event event = {.data.ptr = (void *)listener};
    epoll_ctl(doorman->epoll, EPOLL_CTL_MOD, listener->fd, &event);
    doorman->resume_ns = clock_now_ns() + pause_ns;
}

static void accept_from(struct doorman *doorman, const struct listener *listener)
{
    for (int i = 0; i < MAX_EVENTS && !atomic_load(&doorman->quiesced); i++) {
        if (net_visitors_are(&doorman->server->visitors, most_of(doorman, listener))) {
            pause_listener(doorman, listener);
            return;
        }
        struct sockaddr_storage address = {0};
        socklen_t len = sizeof address;
        int fd = accept4(listener->fd, (struct sockaddr *)&address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            welcome(doorman, listener, fd, &address, len);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            pause_listener(doorman, listener);
            return;
        } else if (errno == EAGAIN) {
            return;
        }
    }
}

static void expire(struct doorman *doorman)
{
    uint64_t now = clock_now_ns();
    while (doorman->first && doorman->first->deadline_ns <= now)
        send_away(doorman, doorman->first);
    if (doorman->resume_ns && doorman->resume_ns <= now) {
        doorman->resume_ns = 0;
        watch_listeners(doorman, EPOLL_CTL_MOD, EPOLLIN);
    }
}

static int wait_ms(const struct doorman *doorman)
{
    uint64_t until = doorman->first ? doorman->first->deadline_ns : UINT64_MAX;
    if (doorman->resume_ns && doorman->resume_ns < until)
        until = doorman->resume_ns;
    if (until == UINT64_MAX)
        return -1;
    uint64_t now = clock_now_ns();
    return until <= now ? 0 : (int)((until - now) / 1000000 + 1);
}

static void *run(void *cookie)
{
    struct doorman *doorman = cookie;
    struct epoll_event events[MAX_EVENTS];
    while (!atomic_load(&doorman->stop)) {
        int n = epoll_wait(doorman->epoll, events, MAX_EVENTS, wait_ms(doorman));
        if (atomic_load(&doorman->quiesced) && !atomic_load(&doorman->quiet)) {
            watch_listeners(doorman, EPOLL_CTL_DEL, 0); /* a socket that was shut down is always ready */
            eventfd_read(doorman->wake, &(eventfd_t){0});
            atomic_store(&doorman->quiet, true);
        }
        for (int i = 0; i < n; i++) {
            enum visitor_kind *kind = events[i].data.ptr;
            if (kind && *kind == LISTENER)
                accept_from(doorman, events[i].data.ptr);
            else if (kind)
                look(doorman, events[i].data.ptr, true, events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR));
        }
        expire(doorman);
    }
    while (doorman->first)
        send_away(doorman, doorman->first);
    return NULL;
}

static enum status prepare(struct doorman *doorman, const struct net_listener *listeners, struct error *err)
{
    doorman->epoll = epoll_create1(EPOLL_CLOEXEC);
    doorman->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN};
    if (doorman->epoll < 0 || doorman->wake < 0 || epoll_ctl(doorman->epoll, EPOLL_CTL_ADD, doorman->wake, &event) != 0)
        return error_set(err, STATUS_INTERNAL, "epoll or eventfd: %s", strerror(errno));
    for (uint32_t i = 0; i < doorman->n_listeners; i++) {
        doorman->listeners[i] = (struct listener){LISTENER, listeners[i].side, listeners[i].fd, listeners[i].lent};
        if (listen(listeners[i].fd, BACKLOG) != 0)
            return error_set(err, STATUS_IO, "listen: %s", strerror(errno));
    }
    watch_listeners(doorman, EPOLL_CTL_ADD, EPOLLIN);
    int failed = pthread_create(&doorman->thread, NULL, run, doorman);
    if (failed)
        return error_set(err, STATUS_INTERNAL, "the thread that accepts connections could not be started: %s",
                         strerror(failed));
    return STATUS_OK;
}

/* The path of a socket in the file system goes with it. Its socket stays open until the thread has ended. One that is
 * lent is only left: who connects waits there for the next server. */
void doorman_quiesce(struct net_server *server)
{
    struct doorman *doorman = server->doorman;
    if (atomic_exchange(&doorman->quiesced, true))
        return;
    for (uint32_t i = 0; i < doorman->n_listeners; i++) {
        struct sockaddr_un address = {0};
        socklen_t len = sizeof address;
        int fd = doorman->listeners[i].fd;
        if (doorman->listeners[i].lent)
            continue;
        if (getsockname(fd, (struct sockaddr *)&address, &len) == 0 && address.sun_family == AF_UNIX &&
            address.sun_path[0])
            unlink(address.sun_path);
        shutdown(fd, SHUT_RDWR);
    }
    eventfd_write(doorman->wake, 1);
}

uint32_t doorman_count_guests(const struct net_server *server, bool silent)
{
    const struct doorman *doorman = server->doorman;
    bool accepts = atomic_load(&doorman->quiesced) && !atomic_load(&doorman->quiet);
    return (silent ? atomic_load(&doorman->guests) : 0) + accepts;
}

static void destroy(struct doorman *doorman)
{
    for (uint32_t i = 0; i < doorman->n_listeners; i++)
        close(doorman->listeners[i].fd);
    if (doorman->epoll >= 0)
        close(doorman->epoll);
    if (doorman->wake >= 0)
        close(doorman->wake);
    mem_free(doorman);
}

enum status doorman_start(struct net_server *server, const struct net_listener *listeners, uint32_t n_listeners,
                          struct error *err)
{
    struct doorman *doorman = mem_calloc(1, sizeof *doorman + n_listeners * sizeof doorman->listeners[0]);
    if (!doorman)
        return error_set(err, STATUS_NO_MEMORY, "no memory for the HTTP server");
    doorman->server = server;
    doorman->n_listeners = n_listeners;
    doorman->wake = -1;
    server->doorman = doorman; /* before its thread takes a connection: whose first request may ask for its figures */
    enum status status = prepare(doorman, listeners, err);
    if (status != STATUS_OK) {
        server->doorman = NULL;
        doorman->n_listeners = 0; /* the caller's */
        destroy(doorman);
    }
    return status;
}

void doorman_stop(struct net_server *server)
{
    struct doorman *doorman = server->doorman;
    if (!doorman)
        return;
    doorman_quiesce(server);
    atomic_store(&doorman->stop, true);
    eventfd_write(doorman->wake, 1);
    pthread_join(doorman->thread, NULL);
    destroy(doorman);
    server->doorman = NULL;
}

void doorman_get_stats(const struct net_server *server, struct net_stats *ret)
{
    ret->taken = atomic_load(&server->doorman->taken);
    ret->refused = atomic_load(&server->doorman->refused);
}
