#include "tests/net/place.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

/* What an exchange of ours keeps. */
struct visit {
    struct buf body;
    size_t left; /* bytes of a stream */
    bool streams;
};

static struct place *place_of(struct net_exchange *exchange)
{
    return net_exchange_cookie(exchange);
}

static bool is(const struct net_exchange *exchange, const char *path)
{
    return strcmp(net_exchange_path(exchange), path) == 0;
}

static size_t number(const struct net_exchange *exchange)
{
    const char *query = net_exchange_query(exchange);
    return query ? strtoull(query, NULL, 10) : 0;
}

static void respond_text(struct net_exchange *exchange, unsigned code, const char *text)
{
    net_add(exchange, "content-type", "text/plain");
    net_respond(exchange, code, mem_strdup(text), strlen(text));
}

static void respond_bytes(struct net_exchange *exchange)
{
    size_t n = number(exchange);
    char *body = mem_alloc(n);
    for (size_t i = 0; i < n; i++)
        body[i] = (char)('a' + i % 26);
    net_respond(exchange, 200, body, n);
}

static void pour(struct net_exchange *exchange)
{
    static const char piece[10000] = {0};
    struct visit *visit = net_exchange_state(exchange);
    while (visit->left > 0) {
        size_t n = visit->left < sizeof piece ? visit->left : sizeof piece;
        visit->left -= n;
        if (!net_write(exchange, piece, n) && visit->left > 0)
            return; /* on_writable comes */
    }
    net_add_trailer(exchange, "x-end", "whole");
    net_finish(exchange);
}

static void *respond_elsewhere(void *cookie)
{
    respond_text(cookie, 200, "later");
    return NULL;
}

static void *wake_elsewhere(void *cookie)
{
    net_wake(cookie);
    return NULL;
}

static void *write_elsewhere(void *cookie)
{
    net_write(cookie, "a", 1);
    return NULL;
}

/* The other thread's piece may still wait for the event thread, which is here. */
static void write_in_order(struct net_exchange *exchange)
{
    pthread_t thread;
    net_begin(exchange, 200);
    cr_assert_eq(pthread_create(&thread, NULL, write_elsewhere, exchange), 0);
    pthread_join(thread, NULL);
    net_write(exchange, "b", 1);
    net_finish(exchange);
}

static void elsewhere(void *(*run)(void *), struct net_exchange *exchange)
{
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, run, exchange), 0);
    pthread_detach(thread);
}

static void wait_release(struct net_exchange *exchange)
{
    struct place *place = place_of(exchange);
    pthread_mutex_lock(&place->lock);
    bool released = place->released;
    if (!released)
        place->waiting[place->n_waiting++] = exchange;
    pthread_mutex_unlock(&place->lock);
    if (released)
        respond_text(exchange, 200, "released");
}

static void on_head(struct net_exchange *exchange)
{
    atomic_fetch_add(&place_of(exchange)->heads, 1);
    struct visit *visit = net_exchange_state(exchange);
    const struct error *error = net_exchange_error(exchange);
    if (error) {
        respond_text(exchange, (unsigned)status_http(error->status), error->message);
    } else if (is(exchange, "/early")) {
        respond_text(exchange, 413, "too much");
    } else if (is(exchange, "/abort")) {
        net_abort(exchange, (uint32_t)number(exchange));
    } else if (is(exchange, "/talk")) {
        net_exchange_hold(exchange);
        visit->streams = true;
        net_add(exchange, "content-type", "text/plain");
        net_begin(exchange, 200);
    } else if (is(exchange, "/held")) {
        net_exchange_hold(exchange);
        pthread_mutex_lock(&place_of(exchange)->lock);
        place_of(exchange)->held = exchange;
        pthread_mutex_unlock(&place_of(exchange)->lock);
    }
}

static void on_body(struct net_exchange *exchange, const char *bytes, size_t len)
{
    struct visit *visit = net_exchange_state(exchange);
    atomic_fetch_add(&place_of(exchange)->received, len);
    if (is(exchange, "/echo"))
        buf_append(&visit->body, bytes, len);
    if (is(exchange, "/talk")) {
        net_write(exchange, bytes, len);
        net_consume(exchange, len);
    }
}

static void on_end(struct net_exchange *exchange)
{
    struct visit *visit = net_exchange_state(exchange);
    struct place *place = place_of(exchange);
    atomic_fetch_add(&place->ends, 1);
    if (is(exchange, "/echo")) {
        size_t len = 0;
        net_add(exchange, "x-query", net_exchange_query(exchange) ? net_exchange_query(exchange) : "none");
        char *body = buf_take(&visit->body, &len);
        net_respond(exchange, 200, body, len);
    } else if (is(exchange, "/bytes")) {
        respond_bytes(exchange);
    } else if (is(exchange, "/later")) {
        elsewhere(respond_elsewhere, exchange);
    } else if (is(exchange, "/woken")) {
        elsewhere(wake_elsewhere, exchange);
    } else if (is(exchange, "/order")) {
        visit->streams = true;
        write_in_order(exchange);
    } else if (is(exchange, "/stream")) {
        visit->left = number(exchange);
        visit->streams = true;
        net_begin(exchange, 200);
        pour(exchange);
    } else if (is(exchange, "/talk")) {
        net_add_trailer(exchange, "x-end", "whole");
        net_finish(exchange);
    } else if (is(exchange, "/held")) {
        pthread_mutex_lock(&place->lock);
        place->held = NULL;
        pthread_mutex_unlock(&place->lock);
        respond_text(exchange, 200, "held");
    } else if (is(exchange, "/wait")) {
        wait_release(exchange);
    } else {
        respond_text(exchange, 404, "nothing here");
    }
}

/* True: it waited, and nobody else answers it. */
static bool take_waiting(struct place *place, struct net_exchange *exchange)
{
    bool found = false;
    pthread_mutex_lock(&place->lock);
    for (unsigned i = 0; i < place->n_waiting && !found; i++) {
        found = place->waiting[i] == exchange;
        if (found)
            place->waiting[i] = place->waiting[--place->n_waiting];
    }
    pthread_mutex_unlock(&place->lock);
    return found;
}

static void on_gone(struct net_exchange *exchange)
{
    struct place *place = place_of(exchange);
    struct visit *visit = net_exchange_state(exchange);
    atomic_fetch_add(&place->gone, 1);
    if (is(exchange, "/late"))
        net_wake(exchange);
    if (is(exchange, "/later") || is(exchange, "/woken") || is(exchange, "/late"))
        return; /* the other thread answers, or on_wake does */
    pthread_mutex_lock(&place->lock);
    if (place->held == exchange)
        place->held = NULL;
    pthread_mutex_unlock(&place->lock);
    if (visit->streams)
        net_finish(exchange);
    else if (!is(exchange, "/wait") || take_waiting(place, exchange))
        respond_text(exchange, 499, "gone");
}

static void on_wake(struct net_exchange *exchange)
{
    struct place *place = place_of(exchange);
    bool late = is(exchange, "/late");
    unsigned over = atomic_load(&place->over);
    respond_text(exchange, 200, "woken");
    if (late)
        atomic_fetch_add(&place->freed_inside, atomic_load(&place->over) - over);
}

static void on_over(struct net_exchange *exchange)
{
    struct visit *visit = net_exchange_state(exchange);
    atomic_fetch_add(&place_of(exchange)->over, 1);
    buf_finish(&visit->body);
}

static void write_refusal(struct buf *out, char ret_id[NET_ID_SIZE], const char *words)
{
    strcpy(ret_id, "none");
    buf_printf(out, "{\"error\":\"%s\"}", words);
}

struct net_options place_options(void)
{
    return (struct net_options){.max_connections = 20000,
                                .idle_timeout_s = 60,
                                .cores = 1,
                                .write_refusal = write_refusal,
                                .spare_body = "{\"error\":\"no memory\"}",
                                .discard_limit = 16 << 20,
                                .max_streams = 100};
}

static struct net_listener listen_at(enum net_side side, uint16_t *ret_port)
{
    struct error err;
    struct net_listener listener = {.side = side};
    cr_assert_eq(net_listen(&listener.fd, ret_port, "127.0.0.1", 0, &err), STATUS_OK, "%s", err.message);
    return listener;
}

void place_open(struct place *place, const struct net_options *options)
{
    struct error err;
    memset(place, 0, sizeof *place);
    pthread_mutex_init(&place->lock, NULL);
    place->handler = (struct net_handler){.on_head = on_head,
                                          .on_body = on_body,
                                          .on_end = on_end,
                                          .on_gone = on_gone,
                                          .on_wake = on_wake,
                                          .on_writable = pour,
                                          .on_over = on_over,
                                          .state_size = sizeof(struct visit),
                                          .cookie = place};
    place->options = *options;
    place->options.handlers = &place->handler;
    place->options.n_handlers = 1;
    struct net_listener listeners[] = {listen_at(NET_PUBLIC, &place->port), listen_at(NET_ADMIN, &place->admin_port)};
    enum status status = net_server_create(&place->server, &place->options, listeners, 2, &err);
    cr_assert_eq(status, STATUS_OK, "%s", err.message);
}

struct net_stats place_stats(const struct place *place)
{
    struct net_stats ret;
    net_server_get_stats(place->server, &ret);
    return ret;
}

void place_release(struct place *place)
{
    pthread_mutex_lock(&place->lock);
    place->released = true;
    while (place->n_waiting > 0)
        respond_text(place->waiting[--place->n_waiting], 200, "released");
    pthread_mutex_unlock(&place->lock);
}

void place_consume(struct place *place, size_t bytes)
{
    pthread_mutex_lock(&place->lock);
    cr_assert_not_null(place->held);
    net_consume(place->held, bytes);
    pthread_mutex_unlock(&place->lock);
}

void place_close(struct place *place)
{
    place_release(place);
    net_server_destroy(&place->server);
    cr_expect_eq(atomic_load(&place->heads), atomic_load(&place->over), "all exchanges are over");
    pthread_mutex_destroy(&place->lock);
}
