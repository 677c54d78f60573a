/* The event loop: every connection of every group. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/bench/scheduler/load.h"

enum { HEAD_SIZE = 4096, MAX_EVENTS = 256, SLOW_BYTES = 512, SLOW_BUFFER = 4096 };
#define PATIENCE_NS 20000000ull  /* after a refusal, before the next request of a closed loop */
#define SLOW_NS     100000000ull /* between two sips of a slow reader */
#define FAR         UINT64_MAX

struct load_connection {
    struct load_group *group;
    int fd; /* -1: closed */
    bool waiting, in_body, wants_out, close_after;
    uint16_t status;
    uint32_t request, tokens;
    uint64_t due_ns;   /* of the request it waits for, as latencies count */
    uint64_t timer_ns; /* when to look at it again; FAR: on events only */
    size_t sent, have, body_left;
    uint64_t hash;
    char *head; /* [HEAD_SIZE] */
};

static void watch(struct load *load, struct load_connection *c, int op, bool out)
{
    bool sips = c->group->mode == LOAD_SLOW;
    struct epoll_event event = {.events = (sips ? 0u : EPOLLIN) | (out ? EPOLLOUT : 0u), .data.ptr = c};
    epoll_ctl(load->epoll, op, c->fd, &event);
    c->wants_out = out;
}

static void open_connection(struct load *load, struct load_connection *c)
{
    c->fd = load_connect(load->port);
    if (c->group->mode == LOAD_SLOW) {
        int small = SLOW_BUFFER;
        setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    }
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    watch(load, c, EPOLL_CTL_ADD, false);
}

static void close_connection(struct load_connection *c)
{
    close(c->fd);
    c->fd = -1;
    c->waiting = false;
    c->timer_ns = FAR;
}

static void broken(struct load_connection *c)
{
    if (c->waiting)
        c->group->broken++;
    close_connection(c);
}

static void send_more(struct load *load, struct load_connection *c)
{
    const struct load_request *request = &c->group->requests[c->request];
    while (c->sent < request->len) {
        ssize_t n = send(c->fd, request->bytes + c->sent, request->len - c->sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            if (!c->wants_out)
                watch(load, c, EPOLL_CTL_MOD, true);
            return;
        }
        if (n <= 0) {
            broken(c);
            return;
        }
        c->sent += (size_t)n;
    }
    if (c->wants_out)
        watch(load, c, EPOLL_CTL_MOD, false);
}

static void begin(struct load *load, struct load_connection *c, uint64_t due_ns)
{
    struct load_group *group = c->group;
    if (c->fd < 0)
        open_connection(load, c);
    c->request = group->next_request++ % (uint32_t)group->variants;
    c->waiting = true;
    c->in_body = false;
    c->sent = c->have = 0;
    c->hash = LOAD_HASH_BEGIN;
    c->due_ns = due_ns;
    c->timer_ns = FAR;
    if (group->mode == LOAD_SLOW)
        c->timer_ns = due_ns + SLOW_NS;
    if (group->mode == LOAD_CANCEL) {
        double ms = group->leave_from_ms + (group->leave_to_ms - group->leave_from_ms) * load_random(load);
        c->timer_ns = clock_now_ns() + (uint64_t)(ms * 1e6);
    }
    group->begun += due_ns >= load->begin_ns;
    send_more(load, c);
}

static void add_sample(struct load_group *group, uint16_t status, uint64_t ns)
{
    if (group->n_samples == group->max_samples) {
        group->max_samples = group->max_samples ? 2 * group->max_samples : 1024;
        group->samples = realloc(group->samples, group->max_samples * sizeof *group->samples);
        if (!group->samples)
            load_fail("no memory");
    }
    group->samples[group->n_samples++] = (struct load_sample){status, (uint32_t)(ns / 1000)};
    group->statuses[status]++;
}

static void count(struct load *load, struct load_connection *c, uint64_t now)
{
    struct load_group *group = c->group;
    uint64_t from = c->due_ns > load->begin_ns ? c->due_ns : load->begin_ns;
    uint64_t to = now < load->end_ns ? now : load->end_ns;
    if (c->status == 200 && to > from)
        group->work += (double)(to - from) / (double)(now - c->due_ns);
    const struct load_request *request = &group->requests[c->request];
    if (c->status == 200) {
        group->answers++;
        group->tokens_answered += c->tokens;
        group->miscounted += request->tokens != c->tokens;
        group->wrong += request->hash && request->hash != c->hash;
    }
    if (c->due_ns >= load->begin_ns)
        add_sample(group, c->status, now - c->due_ns);
}

static void answered(struct load *load, struct load_connection *c)
{
    uint64_t now = clock_now_ns();
    c->waiting = false;
    c->timer_ns = FAR;
    count(load, c, now);
    if (c->close_after)
        close_connection(c);
    bool loops = c->group->mode == LOAD_CLOSED || c->group->mode == LOAD_CANCEL || c->group->mode == LOAD_SLOW;
    if (!loops || now >= load->end_ns)
        return;
    if (c->status == 200)
        begin(load, c, now);
    else
        c->timer_ns = now + PATIENCE_NS;
}

static const char *header(const char *head, const char *name)
{
    const char *found = strcasestr(head, name);
    return found ? found + strlen(name) : "";
}

/* Take `n` bytes of an answer. False when it is no answer. */
static bool take(struct load *load, struct load_connection *c, const char *bytes, size_t n)
{
    size_t used = 0;
    if (!c->in_body) {
        size_t room = HEAD_SIZE - 1 - c->have, part = n < room ? n : room;
        memcpy(c->head + c->have, bytes, part);
        c->head[c->have + part] = '\0';
        const char *end = strstr(c->head, "\r\n\r\n");
        if (!end)
            return (c->have += part) < HEAD_SIZE - 1;
        used = (size_t)(end + 4 - c->head) - c->have;
        c->status = (uint16_t)atoi(header(c->head, "HTTP/1.1 "));
        c->body_left = strtoull(header(c->head, "\r\ncontent-length:"), NULL, 10);
        c->tokens = (uint32_t)strtoul(header(c->head, "\r\nx-compute-tokens:"), NULL, 10);
        c->close_after = strncasecmp(header(c->head, "\r\nconnection: "), "close", 5) == 0;
        c->in_body = true;
        if (c->status < 100 || c->status >= LOAD_MAX_STATUS)
            return false;
    }
    size_t body = n - used < c->body_left ? n - used : c->body_left;
    if (load->check)
        c->hash = load_hash(c->hash, bytes + used, body);
    c->body_left -= body;
    if (c->body_left == 0)
        answered(load, c);
    return true;
}

static void receive(struct load *load, struct load_connection *c, size_t most)
{
    static char bytes[1 << 18];
    ssize_t n = recv(c->fd, bytes, most < sizeof bytes ? most : sizeof bytes, 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0 || !c->waiting || !take(load, c, bytes, (size_t)n))
        broken(c);
}

/* A closed loop whose connection broke goes on with a new one. */
static void go_on(struct load *load, struct load_connection *c, uint64_t now)
{
    if (c->waiting || c->timer_ns != FAR || now >= load->end_ns)
        return;
    if (c->group->mode == LOAD_IDLE) {
        if (c->fd < 0)
            open_connection(load, c);
    } else if (c->group->mode != LOAD_OPEN) {
        c->timer_ns = now + PATIENCE_NS;
    }
}

static void on_timer(struct load *load, struct load_connection *c, uint64_t now)
{
    c->timer_ns = FAR;
    if (c->waiting && c->group->mode == LOAD_CANCEL) {
        c->group->left++;
        close_connection(c);
        if (now < load->end_ns)
            begin(load, c, now);
    } else if (c->waiting) { /* a slow reader */
        c->timer_ns = now + SLOW_NS;
        receive(load, c, SLOW_BYTES);
        go_on(load, c, now);
    } else if (now < load->end_ns) {
        begin(load, c, now);
    }
}

static void start_due(struct load *load, struct load_group *group, uint64_t now)
{
    int next = 0;
    while (group->due_ns <= now && group->due_ns < load->end_ns) {
        while (next < group->clients && group->connections[next].waiting)
            next++;
        if (next < group->clients)
            begin(load, &group->connections[next], group->due_ns);
        else
            group->unsent += group->due_ns >= load->begin_ns;
        group->due_ns += (uint64_t)(1e9 / group->rate);
    }
}

/* Do what is due; returns when the next thing is. */
static uint64_t run_timers(struct load *load, uint64_t now)
{
    uint64_t next = FAR;
    for (int g = 0; g < load->n_groups; g++) {
        struct load_group *group = &load->groups[g];
        if (group->mode == LOAD_OPEN) {
            start_due(load, group, now);
            next = group->due_ns < next ? group->due_ns : next;
        }
        for (int i = 0; i < group->clients && group->mode != LOAD_OPEN && group->mode != LOAD_IDLE; i++) {
            struct load_connection *c = &group->connections[i];
            if (c->timer_ns <= now)
                on_timer(load, c, now);
            next = c->timer_ns < next ? c->timer_ns : next;
        }
    }
    return next;
}

static bool finished(const struct load *load)
{
    uint64_t left = 0;
    for (int g = 0; g < load->n_groups; g++)
        left += load->groups[g].left;
    return load->max_cancels && left >= load->max_cancels;
}

static bool any_waiting(const struct load *load)
{
    for (int g = 0; g < load->n_groups; g++) {
        const struct load_group *group = &load->groups[g];
        for (int i = 0; i < group->clients && (group->mode == LOAD_CLOSED || group->mode == LOAD_OPEN); i++)
            if (group->connections[i].waiting)
                return true;
    }
    return false;
}

static void on_event(struct load *load, const struct epoll_event *event)
{
    struct load_connection *c = event->data.ptr;
    if (c->fd < 0)
        return;
    if (event->events & EPOLLOUT)
        send_more(load, c);
    if (c->fd >= 0 && (event->events & (EPOLLIN | EPOLLERR | EPOLLHUP)))
        receive(load, c, SIZE_MAX);
    go_on(load, c, clock_now_ns());
}

static void start_all(struct load *load)
{
    uint64_t now = clock_now_ns();
    load->begin_ns = now + (uint64_t)(load->warmup * 1e9);
    load->end_ns = load->begin_ns + (uint64_t)(load->seconds * 1e9);
    for (int g = 0; g < load->n_groups; g++) {
        struct load_group *group = &load->groups[g];
        group->due_ns = now;
        group->connections = calloc((size_t)group->clients, sizeof *group->connections);
        for (int i = 0; i < group->clients; i++) {
            struct load_connection *c = &group->connections[i];
            *c = (struct load_connection){.group = group, .fd = -1, .timer_ns = FAR, .head = malloc(HEAD_SIZE)};
            if (group->mode == LOAD_IDLE || group->mode == LOAD_OPEN)
                open_connection(load, c);
            else
                begin(load, c, clock_now_ns());
        }
    }
}

static void close_all(struct load *load)
{
    for (int g = 0; g < load->n_groups; g++) {
        struct load_group *group = &load->groups[g];
        for (int i = 0; i < group->clients; i++) {
            if (group->connections[i].waiting && (group->mode == LOAD_CLOSED || group->mode == LOAD_OPEN))
                group->broken++; /* not answered in time */
            if (group->connections[i].fd >= 0)
                close(group->connections[i].fd);
            free(group->connections[i].head);
        }
        free(group->connections);
    }
    close(load->epoll);
}

void load_run(struct load *load)
{
    struct epoll_event events[MAX_EVENTS];
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    start_all(load);
    uint64_t last_ns = load->end_ns + (uint64_t)(load->drain_seconds * 1e9), now = clock_now_ns();
    while (now < last_ns && !(now >= load->end_ns && !any_waiting(load))) {
        if (finished(load) && now < load->end_ns)
            load->end_ns = now;
        uint64_t next = run_timers(load, now);
        now = clock_now_ns();
        if (now < load->end_ns && load->end_ns < next)
            next = load->end_ns;
        next = next < last_ns ? next : last_ns;
        uint64_t wait = next > now ? next - now : 0;
        struct timespec timeout = {(time_t)(wait / 1000000000u), (long)(wait % 1000000000u)};
        int n = epoll_pwait2(load->epoll, events, MAX_EVENTS, &timeout, NULL);
        for (int i = 0; i < n; i++)
            on_event(load, &events[i]);
        now = clock_now_ns();
    }
    load->seconds = (double)(load->end_ns - load->begin_ns) * 1e-9;
    close_all(load);
}
