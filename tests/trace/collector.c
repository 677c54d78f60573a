#include "tests/trace/collector.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROOM = 8 << 20 };

struct collector {
    int listening;
    int port;
    int wake[2]; /* a pipe: closed to end */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int code;
    int once; /* for one request; 0: none */
    bool hold;
    bool stop;
    int requests;
    char head[4096];
    json_t *spans;
};

/* The whole request is in `bytes` from the first blank line on; its length, 0: not yet. */
static size_t request_end(const char *bytes, size_t len, size_t *ret_body)
{
    const char *blank = memmem(bytes, len, "\r\n\r\n", 4);
    if (!blank)
        return 0;
    const char *field = strcasestr(bytes, "\r\ncontent-length:");
    size_t body = field && field < blank ? strtoul(field + 17, NULL, 10) : 0;
    *ret_body = (size_t)(blank - bytes) + 4;
    return len >= *ret_body + body ? *ret_body + body : 0;
}

static void keep(struct collector *c, const char *bytes, size_t body, size_t end)
{
    json_error_t error;
    json_t *root = json_loadb(bytes + body, end - body, 0, &error);
    cr_assert(root, "%s: %.*s", error.text, (int)(end - body), bytes + body);
    json_t *part = json_array_get(json_object_get(root, "resourceSpans"), 0);
    json_t *scope = json_array_get(json_object_get(part, "scopeSpans"), 0);
    json_t *span;
    size_t i;
    cr_assert(json_array_size(json_object_get(scope, "spans")) > 0);
    pthread_mutex_lock(&c->lock);
    json_array_foreach(json_object_get(scope, "spans"), i, span)
    {
        json_object_set(span, "resource", json_object_get(part, "resource"));
        json_array_append(c->spans, span);
    }
    snprintf(c->head, sizeof c->head, "%.*s", (int)body, bytes);
    c->requests++;
    pthread_cond_broadcast(&c->changed);
    while (c->hold && !c->stop)
        pthread_cond_wait(&c->changed, &c->lock);
    pthread_mutex_unlock(&c->lock);
    json_decref(root);
}

/* One after the other until the client closes, or the collector ends. */
static void serve(struct collector *c, int fd, char *bytes)
{
    size_t len = 0, body = 0;
    for (;;) {
        struct pollfd ready[2] = {{.fd = fd, .events = POLLIN}, {.fd = c->wake[0], .events = POLLIN}};
        poll(ready, 2, -1);
        ssize_t n = ready[1].revents ? 0 : recv(fd, bytes + len, ROOM - len - 1, 0);
        if (n <= 0)
            return;
        len += (size_t)n;
        bytes[len] = '\0';
        size_t end = request_end(bytes, len, &body);
        if (end == 0)
            continue;
        keep(c, bytes, body, end);
        char answer[96];
        pthread_mutex_lock(&c->lock);
        int code = c->once ? c->once : c->code;
        c->once = 0;
        pthread_mutex_unlock(&c->lock);
        int size = snprintf(answer, sizeof answer, "HTTP/1.1 %d X\r\nContent-Length: 2\r\n\r\n{}", code);
        if (send(fd, answer, (size_t)size, MSG_NOSIGNAL) != size)
            return;
        memmove(bytes, bytes + end, len - end);
        len -= end;
    }
}

static void *run(void *cookie)
{
    struct collector *c = cookie;
    char *bytes = malloc(ROOM);
    for (;;) {
        struct pollfd ready[2] = {{.fd = c->listening, .events = POLLIN}, {.fd = c->wake[0], .events = POLLIN}};
        poll(ready, 2, -1);
        if (ready[1].revents)
            break;
        int fd = accept(c->listening, NULL, NULL);
        if (fd < 0)
            continue;
        serve(c, fd, bytes);
        close(fd);
    }
    free(bytes);
    return NULL;
}

struct collector *collector_start(void)
{
    struct collector *c = calloc(1, sizeof *c);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    c->listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(c->listening, (struct sockaddr *)&address, size), 0);
    cr_assert_eq(listen(c->listening, 16), 0);
    cr_assert_eq(getsockname(c->listening, (struct sockaddr *)&address, &size), 0);
    c->port = ntohs(address.sin_port);
    c->code = 200;
    c->spans = json_array();
    cr_assert_eq(pipe2(c->wake, O_CLOEXEC), 0);
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->changed, NULL);
    cr_assert_eq(pthread_create(&c->thread, NULL, run, c), 0);
    return c;
}

void collector_stop(struct collector *c)
{
    pthread_mutex_lock(&c->lock);
    c->stop = true;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    close(c->wake[1]);
    pthread_join(c->thread, NULL);
    close(c->wake[0]);
    close(c->listening);
    json_decref(c->spans);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

int collector_port(const struct collector *c)
{
    return c->port;
}

void collector_answer(struct collector *c, int code)
{
    pthread_mutex_lock(&c->lock);
    c->code = code;
    pthread_mutex_unlock(&c->lock);
}

void collector_answer_once(struct collector *c, int code)
{
    pthread_mutex_lock(&c->lock);
    c->once = code;
    pthread_mutex_unlock(&c->lock);
}

void collector_hold(struct collector *c, bool hold)
{
    pthread_mutex_lock(&c->lock);
    c->hold = hold;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

void collector_await(struct collector *c, int requests)
{
    pthread_mutex_lock(&c->lock);
    while (c->requests < requests)
        pthread_cond_wait(&c->changed, &c->lock);
    pthread_mutex_unlock(&c->lock);
}

int collector_requests(struct collector *c)
{
    pthread_mutex_lock(&c->lock);
    int n = c->requests;
    pthread_mutex_unlock(&c->lock);
    return n;
}

const char *collector_head(struct collector *c)
{
    return c->head;
}

json_t *collector_spans(struct collector *c)
{
    pthread_mutex_lock(&c->lock);
    json_t *copy = json_deep_copy(c->spans);
    pthread_mutex_unlock(&c->lock);
    return copy;
}
